"""The vanilla (Elman) recurrent layer."""

from functools import partial
from typing import Unpack

import torch

from recurra.cells import RNNEquation, SetsNonlinearity
from recurra.layers.options import LayerOptions, no_projection, takes_layer_options
from recurra.layers.parameters import Device
from recurra.layers.recurrent import RecurrentLayer


class RNN(SetsNonlinearity, RecurrentLayer):
    """Elman layers over time, in the place of torch.nn.RNN.

        h_t = g(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)

    `proj_size` is there for torch.nn's order of arguments, and must be 0.
    g: tanh, relu, and beyond torch.nn leaky_relu, sigmoid, hardtanh. `layer_norm` is RNNEquation's.
    Call: `output, h = layer(input, hx=None, lengths=None)`; RecurrentLayer tells of lengths, the other
    options and backends.
    Source: Elman 1990, Finding structure in time.
    Shapes: input (T, B, I), or (B, T, I) with batch_first, or (T, I), or a PackedSequence; hx and h
    (L*D, B, H); output (T, B, D*H).
    Raises: ConfigError for options that cannot be, all of them at once.
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
        """torch.nn's name of the cell, RNN_TANH, RNN_RELU and so on; it may be set, as torch.nn.RNN's."""
        return f"RNN_{self.nonlinearity.upper()}"

    @mode.setter
    def mode(self, name: str) -> None:
        self.nonlinearity = name.removeprefix("RNN_").lower()
