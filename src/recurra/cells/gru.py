"""The gated recurrent unit, with the reset gate after the product."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from recurra.cells.cell import Cell
from recurra.cells.equation import Equation


class GRUWeights(NamedTuple):
    """The weights of a GRU cell, their row blocks in the order r, z, n.

    The blocks for r and z of the two biases do the same; those for n do not: bias_hh's stands inside the
    reset product.
    Shapes: weight_ih (3*H, I); weight_hh (3*H, H); bias_ih, bias_hh (3*H,) or None.
    """

    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Tensor | None = None
    bias_hh: Tensor | None = None


@dataclass(frozen=True)
class GRUEquation(Equation[GRUWeights, Tensor]):
    """One GRU step, reset after the product, as torch.nn and cuDNN have it.

        r  = σ(W_ir x + b_ir + W_hr h + b_hr)
        z  = σ(W_iz x + b_iz + W_hz h + b_hz)
        n  = tanh(W_in x + b_in + r*(W_hn h + b_hn))
        h' = (1 - z)*n + z*h

    Gate order r, z, n. The convention of z: z near 1 keeps the past. It is the opposite of the update gate
    in c<t> = Γu*c̃ + (1 - Γu)*c<t-1>: Γu = 1 - z, so Γu's weights and biases are z's with the sign changed.
    Source: Cho et al. 2014 (arXiv 1406.1078, version 1, for the place of r).
    Shapes: x (B, I); state (B, H).
    """

    gates = ("r", "z", "n")
    weights_type = GRUWeights

    def step(self, x: Tensor, state: Tensor, weights: GRUWeights) -> Tensor:
        """Return h'.

        Shapes: x (B, I); state and result (B, H).
        """
        r_x, z_x, n_x = F.linear(x, weights.weight_ih, weights.bias_ih).chunk(3, dim=-1)
        r_h, z_h, n_h = F.linear(state, weights.weight_hh, weights.bias_hh).chunk(3, dim=-1)
        r = torch.sigmoid(r_x + r_h)
        z = torch.sigmoid(z_x + z_h)
        n = torch.tanh(n_x + r * n_h)
        return (1 - z) * n + z * state

    def initial_state(self, batch_size: int, weights: GRUWeights) -> Tensor:
        """Return zeros in the weights' type, on their device.

        Shapes: (B, H).
        """
        return weights.weight_hh.new_zeros(batch_size, weights.weight_hh.shape[1])


class GRUCell(Cell[GRUWeights, Tensor]):
    """A GRU cell: `GRUEquation` with weights of its own, in the place of torch.nn.GRUCell.

        r, z = σ(W_ih x + b_ih + W_hh h + b_hh);   n = tanh(W_in x + b_in + r*(W_hn h + b_hn))
        h' = (1 - z)*n + z*h

    Gate order r, z, n; z near 1 keeps the past (GRUEquation says how Γu relates to it).
    Source: Cho et al. 2014.
    Shapes: input (B, I) or (I,); hx and the result (B, H) or (H,).
    Raises: ConfigError for sizes below 1; ShapeError where the input does not fit.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(GRUEquation(), input_size, hidden_size, bias, device, dtype)
