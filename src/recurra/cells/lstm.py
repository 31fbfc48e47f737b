"""The long short-term memory (LSTM) cell, with optional peepholes, coupled gates and a relevance gate."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from recurra.cells.cell import Cell
from recurra.cells.checks import check_options
from recurra.cells.equation import Equation, layer_normalised, product, product_of_blocks
from recurra.cells.state import LSTMState
from recurra.errors import ConfigError

PEEPHOLES = (False, True, "previous")
OUTPUT_ACTIVATIONS = ("tanh", "identity")


class LSTMWeights(NamedTuple):
    """The weights of an LSTM cell; row blocks in the order of LSTMEquation.gates.

    Shapes: with G gates (4; coupled 3; one more with a relevance gate): weight_ih (G*H, I); weight_hh
    (G*H, H), or (G*H, P) with a projection; bias_ih, bias_hh (G*H,) or None; weight_hr (P, H) or None;
    weight_peephole (3*H,) in the order i, f, o, coupled (2*H,) in the order f, o, or None; only with
    layer_norm gain_ih, gain_hh (G*H,) and gain_cell, shift_cell (H,).
    """

    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Tensor | None = None
    bias_hh: Tensor | None = None
    weight_hr: Tensor | None = None
    weight_peephole: Tensor | None = None
    gain_ih: Tensor | None = None
    gain_hh: Tensor | None = None
    gain_cell: Tensor | None = None
    shift_cell: Tensor | None = None


@dataclass(frozen=True)
class LSTMEquation(Equation[LSTMWeights, LSTMState]):
    """One LSTM step.

        i, f, g, o = split(W_ih x + b_ih + W_hh h + b_hh)
        c' = σ(f)*c + σ(i)*tanh(g);   h' = σ(o)*tanh(c');   with a projection h' = W_hr (σ(o)*tanh(c'))

    peepholes=True        σ(i + p_i*c), σ(f + p_f*c), σ(o + p_o*c'); "previous": σ(o + p_o*c)
    coupled_gates         σ(i) is 1 - σ(f); i has no rows and no peephole
    relevance_gate        r = σ(W_ir x + b_ir + W_hr h + b_hr);  g = W_ig x + b_ig + W_hg (r*h) + b_hg
    output_activation     "tanh", or "identity": h' = σ(o)*c'
    layer_norm            each product W v becomes LN(W v)*gain, normalised over all its rows together,
                          but W_hg (r*h) alone; h' = σ(o)*tanh(LN(c')*gain_cell + shift_cell); the state
                          keeps c'

    Gate order i, f, g, o, as in torch.nn.LSTM; coupled f, g, o; the rows of the relevance gate come last. In
    Γ notation: i is Γu, f is Γf, o is Γo, r is Γr and g is c̃ before its tanh.
    Source: Hochreiter & Schmidhuber 1997; forget gate, Gers et al. 2000; peepholes, Gers & Schmidhuber 2000
    and Graves 2013; coupled gates, Greff et al. 2015; projection, Sak et al. 2014; layer_norm, Ba et
    al. 2016.
    Shapes: x (B, I); hidden (B, H), or (B, P) with a projection; cell (B, H).
    Raises: ConfigError for an invalid option, and for a relevance gate with a projection.
    """

    peepholes: bool | str = False
    relevance_gate: bool = False
    coupled_gates: bool = False
    output_activation: str = "tanh"
    layer_norm: bool = False

    weights_type = LSTMWeights

    def __post_init__(self) -> None:
        check_options(
            {
                "relevance_gate": self.relevance_gate,
                "coupled_gates": self.coupled_gates,
                "layer_norm": self.layer_norm,
            },
            {
                "peepholes": (self.peepholes, PEEPHOLES),
                "output_activation": (self.output_activation, OUTPUT_ACTIVATIONS),
            },
        )

    @property
    def gates(self) -> tuple[str, ...]:
        """The row blocks: i, f, g, o; no i with coupled gates; r last with a relevance gate."""
        gates = ("f", "g", "o") if self.coupled_gates else ("i", "f", "g", "o")
        return (*gates, "r") if self.relevance_gate else gates

    @property
    def peephole_gates(self) -> tuple[str, ...]:
        """The blocks of weight_peephole: i, f, o; f, o with coupled gates; none without peepholes."""
        if not self.peepholes:
            return ()
        return ("f", "o") if self.coupled_gates else ("i", "f", "o")

    def step(self, x: Tensor, state: LSTMState, weights: LSTMWeights) -> LSTMState:
        """Return h' and c'.

        Shapes: x (B, I); hidden (B, H), or (B, P) with a projection; cell (B, H).
        """
        gates, cell = self._gates_and_cell(x, state, weights)
        shown = cell
        if self.layer_norm:
            assert weights.gain_cell is not None
            assert weights.shift_cell is not None
            shown = layer_normalised(cell, weights.gain_cell) + weights.shift_cell
        hidden = gates["output_gate"] * (shown.tanh() if self.output_activation == "tanh" else shown)
        if weights.weight_hr is not None:
            hidden = F.linear(hidden, weights.weight_hr)
        return LSTMState(hidden=hidden, cell=cell)

    def gates_of(self, x: Tensor, state: LSTMState, weights: LSTMWeights) -> dict[str, Tensor]:
        """Return forget_gate σ(f), input_gate σ(i), candidate tanh(g), output_gate σ(o), and relevance_gate
        σ(r) if the cell has one.

        Shapes: x (B, I); hidden (B, H), or (B, P) with a projection; cell and each result (B, H).
        """
        return self._gates_and_cell(x, state, weights)[0]

    def _gates_and_cell(
        self, x: Tensor, state: LSTMState, weights: LSTMWeights
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Return the gates by name, and c', which the output gate's peephole may read."""
        sums, relevance = self._sums(x, state.hidden, weights)
        peephole: dict[str, Tensor] = {}
        if self.peepholes:
            assert weights.weight_peephole is not None
            names = self.peephole_gates
            peephole = dict(zip(names, weights.weight_peephole.chunk(len(names)), strict=True))
            for gate in names if self.peepholes == "previous" else names[:-1]:
                sums[gate] = sums[gate] + peephole[gate] * state.cell
        f = sums["f"].sigmoid()
        i = 1 - f if self.coupled_gates else sums["i"].sigmoid()
        g = sums["g"].tanh()
        cell = f * state.cell + i * g
        if self.peepholes is True:
            sums["o"] = sums["o"] + peephole["o"] * cell
        gates = {"forget_gate": f, "input_gate": i, "candidate": g, "output_gate": sums["o"].sigmoid()}
        return gates | relevance, cell

    def _sums(
        self, x: Tensor, hidden: Tensor, weights: LSTMWeights
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the pre-activations by block name, (B, H) each, and the relevance gate, if any."""
        assert (weights.gain_ih is not None) == self.layer_norm
        gates = self.gates
        from_x = product(x, weights.weight_ih, weights.bias_ih, weights.gain_ih)
        of_h = (weights.weight_hh, weights.bias_hh, weights.gain_hh)
        if not self.relevance_gate:
            sums = from_x + product(hidden, *of_h)
            return dict(zip(gates, sums.chunk(len(gates), dim=-1), strict=True)), {}
        x_sums = dict(zip(gates, from_x.chunk(len(gates), dim=-1), strict=True))
        at_g = gates.index("g")
        blocks = [block for block in range(len(gates)) if block != at_g]
        from_h = product_of_blocks(hidden, *of_h, blocks=blocks, of=len(gates))
        by_name = {gates[b]: x_sums[gates[b]] + part for b, part in zip(blocks, from_h, strict=True)}
        r = by_name["r"].sigmoid()
        (g_h,) = product_of_blocks(r * hidden, *of_h, blocks=(at_g,), of=len(gates))
        return by_name | {"g": x_sums["g"] + g_h}, {"relevance_gate": r}

    def initial_state(self, batch_size: int, weights: LSTMWeights) -> LSTMState:
        """Return zeros with the weights' dtype and device.

        Shapes: hidden (B, H), or (B, P) with a projection; cell (B, H).
        """
        rows, width = weights.weight_hh.shape
        zeros = weights.weight_hh.new_zeros
        return LSTMState(hidden=zeros(batch_size, width), cell=zeros(batch_size, rows // len(self.gates)))

    def state_widths(self, hidden_size: int, proj_size: int = 0) -> tuple[int, ...]:
        """Return the last axes of hidden and cell: (H, H), or (P, H) with a projection."""
        return (proj_size or hidden_size, hidden_size)

    def weight_shapes(
        self, input_size: int, hidden_size: int, bias: bool = True, proj_size: int = 0
    ) -> dict[str, tuple[int, ...]]:
        """Return the shape of each weight by name: torch.nn's weights in torch's order, then the others.

        Shapes: those of LSTMWeights.
        Raises: ConfigError for a relevance gate with a projection.
        """
        if self.relevance_gate and proj_size:
            raise ConfigError(
                f"relevance_gate: got True with proj_size={proj_size}, expected one of the two; "
                "r has H numbers and the projected h has P, so r*h is undefined"
            )
        shapes = super().weight_shapes(input_size, hidden_size, bias, proj_size)
        if self.peepholes:
            gains = {name: shapes.pop(name) for name in tuple(shapes) if name.startswith("gain")}
            shapes["weight_peephole"] = (len(self.peephole_gates) * hidden_size,)
            shapes |= gains
        if self.layer_norm:
            shapes |= {"gain_cell": (hidden_size,), "shift_cell": (hidden_size,)}
        return shapes

    def set_forget_bias(self, bias_ih: Tensor, bias_hh: Tensor, value: float) -> None:
        """Set the forget gate's bias in place: `value` in bias_ih, 0 in bias_hh.

        With a value of 1 or 2 a new cell keeps its memory until it learns to forget.
        Source: Gers et al. 2000; Jozefowicz et al. 2015.
        Shapes: bias_ih, bias_hh (G*H,).
        """
        block = self.gates.index("f")
        with torch.no_grad():
            bias_ih.chunk(len(self.gates))[block].fill_(value)
            bias_hh.chunk(len(self.gates))[block].zero_()


def forget_bias_faults(forget_bias: object, bias: bool) -> list[str]:
    """Return the faults of a forget bias: none if it is None, or a finite number and the cell has biases."""
    if forget_bias is None:
        return []
    is_bool = isinstance(forget_bias, bool)
    if is_bool or not isinstance(forget_bias, int | float) or not math.isfinite(forget_bias):
        return [f"forget_bias: got {forget_bias!r}, expected a finite number or None"]
    if not bias:
        return [f"forget_bias: got {forget_bias!r} with bias=False, expected None or bias=True"]
    return []


class LSTMCell(Cell[LSTMWeights, LSTMState]):
    """An LSTM cell: `LSTMEquation` with its own weights. It can replace torch.nn.LSTMCell.

        i, f, g, o = split(W_ih x + b_ih + W_hh h + b_hh)
        c' = σ(f)*c + σ(i)*tanh(g);   h' = σ(o)*tanh(c')

    `peepholes`, `relevance_gate`, `coupled_gates`, `output_activation` and `layer_norm` are described in
    LSTMEquation. `forget_bias` is the initial bias of the forget gate; with None it is drawn like the others.
    Gate order i, f, g, o. `hx` is any pair (hidden, cell); the result is an LSTMState.
    Source: Hochreiter & Schmidhuber 1997; forget gate, Gers et al. 2000.
    Shapes: input (B, I) or (I,); hidden and cell (B, H) or (H,).
    Raises: ConfigError for negative sizes and invalid options; ShapeError where the input or the state does
    not fit.
    """

    forget_bias: float | None = None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        peepholes: bool | str = False,
        relevance_gate: bool = False,
        coupled_gates: bool = False,
        output_activation: str = "tanh",
        forget_bias: float | None = None,
        layer_norm: bool = False,
    ) -> None:
        equation = LSTMEquation(peepholes, relevance_gate, coupled_gates, output_activation, layer_norm)
        if faults := forget_bias_faults(forget_bias, bias):
            raise ConfigError("\n".join(faults))
        super().__init__(equation, input_size, hidden_size, bias, device, dtype)
        self.forget_bias = forget_bias
        self._fill_forget_bias()

    def reset_parameters(self) -> None:
        """Redraw all weights from U(-1/√H, 1/√H); set gains to 1, the shift to 0 and the forget bias."""
        super().reset_parameters()
        self._fill_forget_bias()

    def _fill_forget_bias(self) -> None:
        if self.forget_bias is not None:
            assert isinstance(self.equation, LSTMEquation)
            weights = self.weights
            assert weights.bias_ih is not None
            assert weights.bias_hh is not None
            self.equation.set_forget_bias(weights.bias_ih, weights.bias_hh, self.forget_bias)

    def extra_repr(self) -> str:
        """Return the options in torch.nn's format."""
        text = super().extra_repr()
        return text if self.forget_bias is None else f"{text}, forget_bias={self.forget_bias}"
