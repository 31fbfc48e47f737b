"""The layer of gated recurrent units (GRU)."""

from functools import partial
from typing import Unpack, cast

import torch

from recurra.cells import GRUEquation
from recurra.layers.options import LayerOptions, no_projection, takes_layer_options
from recurra.layers.parameters import Device
from recurra.layers.recurrent import RecurrentLayer


class GRU(RecurrentLayer):
    """One or more GRU layers over time. It can replace torch.nn.GRU.

        r, z = σ(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)
        n = tanh(W_in x_t + b_in + r*(W_hn h_{t-1} + b_hn));   h_t = (1 - z)*n + z*h_{t-1}

    `proj_size` keeps torch.nn's order of arguments; it must be 0.
    `reset`: "after" the product, as above and in torch, "before" it, or "none" (no r). For `layer_norm` see
    GRUEquation. Gate order r, z, n; z near 1 keeps the past (see GRUEquation for the relation to Γu).
    Call: `output, h = layer(input, hx=None, lengths=None)`; lengths, the other options and backends are
    described in RecurrentLayer.
    Source: Cho et al. 2014 (arXiv 1406.1078, version 1 for the reset after the product, version 3 before it).
    Shapes: input (T, B, I), or (B, T, I) with batch_first, or (T, I), or a PackedSequence; hx and h
    (L*D, B, H); output (T, B, D*H).
    Raises: ConfigError that lists all invalid options.
    """

    mode = "GRU"  # torch.nn's name of the cell

    @takes_layer_options
    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Device = None,
        dtype: torch.dtype | None = None,
        *,
        reset: str = "after",
        layer_norm: bool = False,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(
            partial(GRUEquation, reset, layer_norm),
            input_size,
            hidden_size,
            num_layers=num_layers,
            bias=bias,
            batch_first=batch_first,
            dropout=dropout,
            bidirectional=bidirectional,
            device=device,
            dtype=dtype,
            faults=[] if proj_size == 0 else [no_projection(proj_size)],
            **options,
        )

    @property
    def reset(self) -> str:
        """The position of the reset gate; it cannot be set, as the weights depend on it."""
        return cast(GRUEquation, self.equation).reset
