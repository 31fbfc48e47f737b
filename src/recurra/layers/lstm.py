"""The long short-term memory (LSTM) layer."""

from functools import partial
from typing import Any, Unpack

import torch

from recurra.cells import LSTMEquation, WrongType, forget_bias_faults, size_faults
from recurra.layers.options import LayerOptions, takes_layer_options
from recurra.layers.parameters import Device
from recurra.layers.recurrent import RecurrentLayer


class LSTM(RecurrentLayer):
    """One or more LSTM layers over time. It can replace torch.nn.LSTM.

        i, f, g, o = split(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)
        c_t = σ(f)*c_{t-1} + σ(i)*tanh(g);   h_t = σ(o)*tanh(c_t)
        with proj_size, h_t = W_hr (σ(o)*tanh(c_t))

    Gate order i, f, g, o. `peepholes`, `relevance_gate`, `coupled_gates`, `output_activation` and
    `layer_norm` are described in LSTMEquation. `forget_bias` is the initial bias of the forget gates; with
    None it is drawn like the others.
    Call: `output, (h, c) = layer(input, hx=None, lengths=None)`; hx is any pair, the returned state is an
    LSTMState (hidden, cell). Lengths, the other options and backends are described in RecurrentLayer.
    Source: Hochreiter & Schmidhuber 1997; forget gate, Gers et al. 2000; projection, Sak et al. 2014.
    Shapes: input (T, B, I), or (B, T, I) with batch_first, or (T, I), or a PackedSequence; h (L*D, B, H), or
    (L*D, B, P) with a projection; c (L*D, B, H); output (T, B, D*H) or (T, B, D*P).
    Raises: ConfigError that lists all invalid options.
    """

    mode = "LSTM"  # torch.nn's name of the cell
    takes_projection = True
    forget_bias: float | None = None

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
        peepholes: bool | str = False,
        relevance_gate: bool = False,
        coupled_gates: bool = False,
        output_activation: str = "tanh",
        forget_bias: float | None = None,
        layer_norm: bool = False,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(
            partial(LSTMEquation, peepholes, relevance_gate, coupled_gates, output_activation, layer_norm),
            input_size,
            hidden_size,
            num_layers=num_layers,
            bias=bias,
            batch_first=batch_first,
            dropout=dropout,
            bidirectional=bidirectional,
            device=device,
            dtype=dtype,
            proj_size=proj_size,
            faults=[
                *_projection_faults(hidden_size, proj_size, relevance_gate),
                *forget_bias_faults(forget_bias, bias),
            ],
            **options,
        )
        self.forget_bias = forget_bias
        self._fill_forget_bias()

    def reset_parameters(self) -> None:
        """Redraw all weights from U(-1/√H, 1/√H) and set the bias of the forget gates."""
        super().reset_parameters()
        self._fill_forget_bias()

    def _fill_forget_bias(self) -> None:
        if self.forget_bias is None:
            return
        assert isinstance(self.equation, LSTMEquation)
        for layer in self.weights():
            for weights in layer:
                self.equation.set_forget_bias(weights.bias_ih, weights.bias_hh, self.forget_bias)

    def extra_repr(self) -> str:
        """Return the options that differ from their defaults, in torch.nn's format."""
        text = super().extra_repr()
        return text if self.forget_bias is None else f"{text}, forget_bias={self.forget_bias}"


def _projection_faults(hidden_size: Any, proj_size: Any, relevance_gate: object) -> list[str]:
    sentence = f"proj_size: got {proj_size!r}, expected a whole number in 0..hidden_size-1"
    if faults := size_faults("proj_size", proj_size, least=0):
        return [WrongType(sentence) if isinstance(faults[0], WrongType) else sentence]
    if not size_faults("hidden_size", hidden_size) and proj_size >= hidden_size:
        return [sentence]
    if proj_size and relevance_gate is True:
        return [f"proj_size: got {proj_size!r} with relevance_gate=True, expected 0 or no relevance gate"]
    return []
