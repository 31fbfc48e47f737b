"""The vanilla (Elman) recurrent layer."""

from functools import partial
from typing import Unpack

import torch

from recurra.cells import RNNEquation, SetsNonlinearity
from recurra.layers.options import LayerOptions, no_projection, takes_layer_options
from recurra.layers.parameters import Device
from recurra.layers.recurrent import RecurrentLayer


class RNN(SetsNonlinearity, RecurrentLayer):
    """One or more Elman layers over time. It can replace torch.nn.RNN.

        h_t = g(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)

    `proj_size` keeps torch.nn's order of arguments; it must be 0.
    g: tanh or relu, as in torch.nn, or leaky_relu, sigmoid, hardtanh. For `layer_norm` see RNNEquation.
    Call: `output, h = layer(input, hx=None, lengths=None)`; lengths, the other options and backends are
    described in RecurrentLayer.
    Source: Elman 1990, Finding structure in time.
    Shapes: input (T, B, I), or (B, T, I) with batch_first, or (T, I), or a PackedSequence; hx and h
    (L*D, B, H); output (T, B, D*H).
    Raises: ConfigError that lists all invalid options.
    """

    @takes_layer_options
    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Device = None,
        dtype: torch.dtype | None = None,
        *,
        layer_norm: bool = False,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(
            partial(RNNEquation, nonlinearity, layer_norm),
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
    def mode(self) -> str:
        """torch.nn's name of the cell, such as RNN_TANH or RNN_RELU; it can be set, as in torch.nn.RNN."""
        return f"RNN_{self.nonlinearity.upper()}"

    @mode.setter
    def mode(self, name: str) -> None:
        self.nonlinearity = name.removeprefix("RNN_").lower()
