"""The gated recurrent unit (GRU), with the reset gate after the product, before it, or absent."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from recurra.cells.cell import Cell
from recurra.cells.checks import check_options
from recurra.cells.equation import Equation, product, product_of_blocks

RESETS = ("after", "before", "none")


class GRUWeights(NamedTuple):
    """The weights of a GRU cell; row blocks in the order r, z, n, or z, n without a reset gate.

    Only the sum of the two biases matters, except for n with reset="after", where r multiplies bias_hh's
    block.
    Shapes: with G = 3, or 2 without a reset gate: weight_ih (G*H, I); weight_hh (G*H, H); bias_ih, bias_hh
    (G*H,) or None; gain_ih, gain_hh (G*H,), only with layer_norm.
    """

    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Tensor | None = None
    bias_hh: Tensor | None = None
    gain_ih: Tensor | None = None
    gain_hh: Tensor | None = None


@dataclass(frozen=True)
class GRUEquation(Equation[GRUWeights, Tensor]):
    """One GRU step.

        r  = σ(W_ir x + b_ir + W_hr h + b_hr)
        z  = σ(W_iz x + b_iz + W_hz h + b_hz)
        n  = tanh(W_in x + b_in + r*(W_hn h + b_hn))      reset="after", as in torch.nn and cuDNN
        n  = tanh(W_in x + b_in + W_hn (r*h) + b_hn)      reset="before"
        n  = tanh(W_in x + b_in + W_hn h + b_hn)          reset="none": the simplified GRU, without r
        h' = (1 - z)*n + z*h

    Gate order r, z, n; without a reset gate z, n. A z near 1 keeps the past. This is the opposite of the
    update gate in c<t> = Γu*c̃ + (1 - Γu)*c<t-1>: Γu = 1 - z, so the weights and biases of Γu are those of z
    with the sign changed.
    With layer_norm each product W v becomes LN(W v)*gain, and the biases are added after it. A product is
    normalised over all its rows together; with reset="before", W_hn (r*h) is normalised alone, and W_hr h
    together with W_hz h.
    Source: Cho et al. 2014, arXiv 1406.1078: version 1 has "after", version 3 "before"; layer_norm, Ba et
    al. 2016.
    Shapes: x (B, I); state (B, H).
    Raises: ConfigError if `reset` is unknown or layer_norm is not a bool.
    """

    reset: str = "after"
    layer_norm: bool = False

    weights_type = GRUWeights

    def __post_init__(self) -> None:
        check_options({"layer_norm": self.layer_norm}, {"reset": (self.reset, RESETS)})

    @property
    def gates(self) -> tuple[str, ...]:
        """The row blocks: r, z, n; without a reset gate z, n."""
        return ("z", "n") if self.reset == "none" else ("r", "z", "n")

    def step(self, x: Tensor, state: Tensor, weights: GRUWeights) -> Tensor:
        """Return h'.

        Shapes: x (B, I); state and result (B, H).
        """
        gates = self.gates_of(x, state, weights)
        z, n = gates["update_gate"], gates["candidate"]
        return (1 - z) * n + z * state

    def gates_of(self, x: Tensor, state: Tensor, weights: GRUWeights) -> dict[str, Tensor]:
        """Return reset_gate r (unless reset="none"), update_gate z and candidate n.

        Shapes: x (B, I); state and each result (B, H).
        """
        assert (weights.gain_ih is not None) == self.layer_norm
        count = len(self.gates)
        from_x = product(x, weights.weight_ih, weights.bias_ih, weights.gain_ih).chunk(count, dim=-1)
        of_h = (weights.weight_hh, weights.bias_hh, weights.gain_hh)
        z_x, n_x = from_x[-2:]
        gates: dict[str, Tensor] = {}
        if self.reset == "none":
            z_h, n_h = product(state, *of_h).chunk(2, dim=-1)
        elif self.reset == "after":
            r_h, z_h, n_h = product(state, *of_h).chunk(3, dim=-1)
            gates["reset_gate"] = torch.sigmoid(from_x[0] + r_h)
            n_h = gates["reset_gate"] * n_h
        else:
            r_h, z_h = product_of_blocks(state, *of_h, blocks=(0, 1), of=3)
            gates["reset_gate"] = torch.sigmoid(from_x[0] + r_h)
            (n_h,) = product_of_blocks(gates["reset_gate"] * state, *of_h, blocks=(2,), of=3)
        return gates | {"update_gate": torch.sigmoid(z_x + z_h), "candidate": torch.tanh(n_x + n_h)}

    def initial_state(self, batch_size: int, weights: GRUWeights) -> Tensor:
        """Return zeros with the weights' dtype and device.

        Shapes: (B, H).
        """
        return weights.weight_hh.new_zeros(batch_size, weights.weight_hh.shape[1])


class GRUCell(Cell[GRUWeights, Tensor]):
    """A GRU cell: `GRUEquation` with its own weights. It can replace torch.nn.GRUCell.

        r, z = σ(W_ih x + b_ih + W_hh h + b_hh);   n = tanh(W_in x + b_in + r*(W_hn h + b_hn))
        h' = (1 - z)*n + z*h

    `reset="before"` uses W_hn (r*h) in n, `reset="none"` has no r; `layer_norm` normalises the products.
    Gate order r, z, n (z, n without r); z near 1 keeps the past (see GRUEquation for the relation to Γu).
    Source: Cho et al. 2014; layer_norm, Ba et al. 2016.
    Shapes: input (B, I) or (I,); hx and the result (B, H) or (H,).
    Raises: ConfigError for negative sizes and unknown names; ShapeError where the input does not fit.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        reset: str = "after",
        layer_norm: bool = False,
    ) -> None:
        super().__init__(GRUEquation(reset, layer_norm), input_size, hidden_size, bias, device, dtype)
