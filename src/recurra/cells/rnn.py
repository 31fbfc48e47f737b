"""The vanilla (Elman) recurrent cell."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from recurra.cells.cell import Cell
from recurra.cells.checks import check_options
from recurra.cells.equation import Equation, product

LEAKY_SLOPE = 0.01

# g by name. Derivatives at the kinks: relu 0 at 0, leaky_relu LEAKY_SLOPE at 0, hardtanh 0 at -1 and 1.
NONLINEARITIES: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leaky_relu": lambda a: F.leaky_relu(a, LEAKY_SLOPE),  # max(c·a, a)
    "sigmoid": torch.sigmoid,
    "hardtanh": F.hardtanh,
}


class RNNWeights(NamedTuple):
    """The weights of an Elman cell; only the sum of the two biases matters, as in torch.nn.

    Shapes: weight_ih (H, I); weight_hh (H, H); bias_ih, bias_hh (H,) or None; gain_ih, gain_hh (H,), only
    with layer_norm.
    """

    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Tensor | None = None
    bias_hh: Tensor | None = None
    gain_ih: Tensor | None = None
    gain_hh: Tensor | None = None


@dataclass(frozen=True)
class RNNEquation(Equation[RNNWeights, Tensor]):
    """One Elman step.

        h' = g(W_ih x + b_ih + W_hh h + b_hh)

    g: tanh, relu (derivative 0 at 0), leaky_relu (max(0.01·a, a)), sigmoid, hardtanh. In the notation
    a<t> = g(Waa a<t-1> + Wax x<t> + ba), weight_hh is Waa, weight_ih is Wax, and ba is the sum of the biases.
    With layer_norm: h' = g(LN(W_ih x)*gain_ih + b_ih + LN(W_hh h)*gain_hh + b_hh).
    Source: Elman 1990, Finding structure in time; layer_norm, Ba et al. 2016.
    Shapes: x (B, I); state (B, H).
    Raises: ConfigError if g is unknown or layer_norm is not a bool.
    """

    nonlinearity: str = "tanh"
    layer_norm: bool = False

    weights_type = RNNWeights

    def __post_init__(self) -> None:
        check_options({"layer_norm": self.layer_norm}, {"nonlinearity": (self.nonlinearity, NONLINEARITIES)})

    @property
    def gates(self) -> tuple[str, ...]:
        """The single row block, h."""
        return ("h",)

    def step(self, x: Tensor, state: Tensor, weights: RNNWeights) -> Tensor:
        """Return h'.

        Shapes: x (B, I); state and result (B, H).
        """
        assert (weights.gain_ih is not None) == self.layer_norm
        g = NONLINEARITIES[self.nonlinearity]
        from_x = product(x, weights.weight_ih, weights.bias_ih, weights.gain_ih)
        from_h = product(state, weights.weight_hh, weights.bias_hh, weights.gain_hh)
        return g(from_x + from_h)

    def gates_of(self, x: Tensor, state: Tensor, weights: RNNWeights) -> dict[str, Tensor]:
        """Return only the candidate, which is h': the cell has no gates.

        Shapes: x (B, I); state and result (B, H).
        """
        return {"candidate": self.step(x, state, weights)}

    def initial_state(self, batch_size: int, weights: RNNWeights) -> Tensor:
        """Return zeros with the weights' dtype and device.

        Shapes: (B, H).
        """
        return weights.weight_hh.new_zeros(batch_size, weights.weight_hh.shape[1])


class SetsNonlinearity:
    """Mixin with the attribute `nonlinearity`; setting it changes the equation of the cell or layer."""

    equation: Any

    @property
    def nonlinearity(self) -> str:
        """The name of g; it can be set, as in torch.nn.RNNCell."""
        return str(self.equation.nonlinearity)

    @nonlinearity.setter
    def nonlinearity(self, name: str) -> None:
        self.equation = replace(self.equation, nonlinearity=name)


class RNNCell(SetsNonlinearity, Cell[RNNWeights, Tensor]):
    """An Elman cell: `RNNEquation` with its own weights. It can replace torch.nn.RNNCell.

        h' = g(W_ih x + b_ih + W_hh h + b_hh)

    `nonlinearity` is tanh or relu, as in torch.nn, or leaky_relu, sigmoid or hardtanh. `layer_norm`
    normalises both products.
    Source: Elman 1990; layer_norm, Ba et al. 2016.
    Shapes: input (B, I) or (I,); hx and the result (B, H) or (H,).
    Raises: ConfigError for negative sizes and unknown names; ShapeError where the input does not fit.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        layer_norm: bool = False,
    ) -> None:
        equation = RNNEquation(nonlinearity, layer_norm)
        super().__init__(equation, input_size, hidden_size, bias, device, dtype)
