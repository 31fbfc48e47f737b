"""The long short-term memory cell."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from recurra.cells.cell import Cell
from recurra.cells.equation import Equation
from recurra.cells.state import LSTMState


class LSTMWeights(NamedTuple):
    """The weights of an LSTM cell, their row blocks in the order i, f, g, o.

    Shapes: weight_ih (4*H, I); weight_hh (4*H, H), or (4*H, P) with a projection; bias_ih, bias_hh (4*H,)
    or None; weight_hr (P, H) or None.
    """

    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Tensor | None = None
    bias_hh: Tensor | None = None
    weight_hr: Tensor | None = None


@dataclass(frozen=True)
class LSTMEquation(Equation[LSTMWeights, LSTMState]):
    """One LSTM step.

        i, f, g, o = split(W_ih x + b_ih + W_hh h + b_hh)
        c' = σ(f)*c + σ(i)*tanh(g);   h' = σ(o)*tanh(c');   with a projection h' = W_hr (σ(o)*tanh(c'))

    Gate order i, f, g, o, as torch.nn.LSTM packs them. In the notation of Γ: i is Γu, f is Γf, o is Γo and
    g is c̃ before its tanh.
    Source: Hochreiter & Schmidhuber 1997; forget gate, Gers et al. 2000; projection, Sak et al. 2014.
    Shapes: x (B, I); hidden (B, H), or (B, P) with a projection; cell (B, H).
    """

    gates = ("i", "f", "g", "o")
    weights_type = LSTMWeights

    def step(self, x: Tensor, state: LSTMState, weights: LSTMWeights) -> LSTMState:
        """Return h' and c'.

        Shapes: x (B, I); hidden (B, H), or (B, P) with a projection; cell (B, H).
        """
        from_x = F.linear(x, weights.weight_ih, weights.bias_ih)
        from_h = F.linear(state.hidden, weights.weight_hh, weights.bias_hh)
        i, f, g, o = (from_x + from_h).chunk(4, dim=-1)
        cell = f.sigmoid() * state.cell + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * cell.tanh()
        if weights.weight_hr is not None:
            hidden = F.linear(hidden, weights.weight_hr)
        return LSTMState(hidden=hidden, cell=cell)

    def initial_state(self, batch_size: int, weights: LSTMWeights) -> LSTMState:
        """Return zeros in the weights' type, on their device.

        Shapes: hidden (B, H), or (B, P) with a projection; cell (B, H).
        """
        rows, width = weights.weight_hh.shape
        zeros = weights.weight_hh.new_zeros
        return LSTMState(hidden=zeros(batch_size, width), cell=zeros(batch_size, rows // 4))

    def state_widths(self, hidden_size: int, proj_size: int = 0) -> tuple[int, ...]:
        """Return the last axes of hidden and cell: (H, H), or (P, H) with a projection."""
        return (proj_size or hidden_size, hidden_size)


class LSTMCell(Cell[LSTMWeights, LSTMState]):
    """An LSTM cell: `LSTMEquation` with weights of its own, in the place of torch.nn.LSTMCell.

        i, f, g, o = split(W_ih x + b_ih + W_hh h + b_hh)
        c' = σ(f)*c + σ(i)*tanh(g);   h' = σ(o)*tanh(c')

    Gate order i, f, g, o. `hx` is any pair (hidden, cell); the result is an LSTMState.
    Source: Hochreiter & Schmidhuber 1997; forget gate, Gers et al. 2000.
    Shapes: input (B, I) or (I,); hidden and cell (B, H) or (H,).
    Raises: ConfigError for sizes below 1; ShapeError where the input or the state does not fit.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(LSTMEquation(), input_size, hidden_size, bias, device, dtype)
