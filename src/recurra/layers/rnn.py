"""The vanilla (Elman) recurrent layer."""

from functools import partial
from typing import Unpack, cast

import torch

from recurra.cells import RNNEquation
from recurra.layers.options import LayerOptions, takes_layer_options
from recurra.layers.parameters import Device
from recurra.layers.recurrent import RecurrentLayer


class RNN(RecurrentLayer):
    """Elman layers over time, in the place of torch.nn.RNN.

        h_t = g(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)

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
            **options,
        )

    @property
    def nonlinearity(self) -> str:
        """The name of g."""
        return cast(RNNEquation, self.equation).nonlinearity

    @property
    def mode(self) -> str:
        """torch.nn's name of the cell: RNN_TANH, RNN_RELU, and so on."""
        return f"RNN_{self.nonlinearity.upper()}"
