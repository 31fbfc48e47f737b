"""The long short-term memory layer."""

import torch

from recurra.cells import LSTMEquation
from recurra.layers.recurrent import Device, RecurrentLayer


class LSTM(RecurrentLayer):
    """LSTM layers over time, in the place of torch.nn.LSTM.

        i, f, g, o = split(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)
        c_t = σ(f)*c_{t-1} + σ(i)*tanh(g);   h_t = σ(o)*tanh(c_t)
        with proj_size, h_t = W_hr (σ(o)*tanh(c_t))

    Gate order i, f, g, o.
    Call: `output, (h, c) = layer(input, hx=None, lengths=None)`; hx is any pair, what comes back is an
    LSTMState (hidden, cell). RecurrentLayer tells of lengths and backends.
    Source: Hochreiter & Schmidhuber 1997; forget gate, Gers et al. 2000; projection, Sak et al. 2014.
    Shapes: input (T, B, I), or (B, T, I) with batch_first, or (T, I), or a PackedSequence; h (L*D, B, H), or
    (L*D, B, P) with a projection; c (L*D, B, H); output (T, B, D*H) or (T, B, D*P).
    Raises: ConfigError for options that cannot be, all of them at once.
    """

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
        backend: str = "auto",
    ) -> None:
        super().__init__(
            LSTMEquation(),
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
            proj_size=proj_size,
        )
