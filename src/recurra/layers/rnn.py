"""The vanilla (Elman) recurrent layer."""

import torch

from recurra.cells import RNNEquation
from recurra.layers.recurrent import Device, RecurrentLayer


class RNN(RecurrentLayer):
    """Elman layers over time, in the place of torch.nn.RNN.

        h_t = g(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)

    g: tanh, relu, and beyond torch.nn leaky_relu, sigmoid, hardtanh (those on the reference backend).
    Call: `output, h = layer(input, hx=None, lengths=None)`; RecurrentLayer tells of lengths and backends.
    Source: Elman 1990, Finding structure in time.
    Shapes: input (T, B, I), or (B, T, I) with batch_first, or (T, I), or a PackedSequence; hx and h
    (L*D, B, H); output (T, B, D*H).
    Raises: ConfigError for options that cannot be, all of them at once.
    """

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
        backend: str = "auto",
    ) -> None:
        super().__init__(
            RNNEquation(nonlinearity),
            input_size,
            hidden_size,
            num_layers=num_layers,
            bias=bias,
            batch_first=batch_first,
            dropout=dropout,
            bidirectional=bidirectional,
            device=device,
            dtype=dtype,
            backend=backend,
        )
        self.nonlinearity = nonlinearity

    def extra_repr(self) -> str:
        """Return the options that are not the default, as torch.nn prints them."""
        text = super().extra_repr()
        return text if self.nonlinearity == "tanh" else f"{text}, nonlinearity={self.nonlinearity}"
