"""The Jordan network: its output is fed back as its state."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from recurra.cells.cell import Cell
from recurra.cells.checks import check_options, check_sizes
from recurra.cells.equation import Equation
from recurra.cells.rnn import NONLINEARITIES, SetsNonlinearity
from recurra.errors import ConfigError

# g2 by name.
OUTPUT_FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda a: a,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softmax": partial(torch.softmax, dim=-1),
}


class JordanWeights(NamedTuple):
    """The weights of a Jordan cell with O outputs; only the sum of bias_ih and bias_hh matters.

    Shapes: weight_ih (H, I); weight_hh (H, O); bias_ih, bias_hh (H,) or None; weight_ho (O, H); bias_ho (O,)
    or None. weight_ho is never None; it has a default only because it follows optional fields.
    """

    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Tensor | None = None
    bias_hh: Tensor | None = None
    weight_ho: Tensor | None = None
    bias_ho: Tensor | None = None


@dataclass(frozen=True)
class JordanEquation(Equation[JordanWeights, Tensor]):
    """One Jordan step: the state is the output of the previous step.

        h  = g(W_ih x + b_ih + W_hh y + b_hh)
        y' = g2(W_ho h + b_ho)

    g: tanh, relu, leaky_relu, sigmoid, hardtanh; g2: identity, tanh, sigmoid, softmax. Pass the network's own
    output y to `step` at inference, or the previous true output for teacher forcing.
    There is one row block, h. `proj_size` is O, the number of outputs, in `weight_shapes` and `state_widths`.
    Source: Jordan 1986, Serial order: a parallel distributed processing approach.
    Shapes: x (B, I); state (B, O).
    Raises: ConfigError if g or g2 is unknown, or the number of outputs is missing.
    """

    nonlinearity: str = "tanh"
    output_activation: str = "identity"

    weights_type = JordanWeights

    def __post_init__(self) -> None:
        nonlinearity = (self.nonlinearity, NONLINEARITIES)
        check_options(
            {},
            {
                "nonlinearity": nonlinearity,
                "output_activation": (self.output_activation, OUTPUT_FUNCTIONS),
            },
        )

    @property
    def gates(self) -> tuple[str, ...]:
        """The single row block, h."""
        return ("h",)

    def step(self, x: Tensor, state: Tensor, weights: JordanWeights) -> Tensor:
        """Return y'.

        Shapes: x (B, I); state and result (B, O).
        """
        assert weights.weight_ho is not None
        hidden = self.gates_of(x, state, weights)["candidate"]
        return OUTPUT_FUNCTIONS[self.output_activation](F.linear(hidden, weights.weight_ho, weights.bias_ho))

    def gates_of(self, x: Tensor, state: Tensor, weights: JordanWeights) -> dict[str, Tensor]:
        """Return only the candidate, which is h: the cell has no gates.

        Shapes: x (B, I); state (B, O); result (B, H).
        """
        from_x = F.linear(x, weights.weight_ih, weights.bias_ih)
        from_y = F.linear(state, weights.weight_hh, weights.bias_hh)
        return {"candidate": NONLINEARITIES[self.nonlinearity](from_x + from_y)}

    def initial_state(self, batch_size: int, weights: JordanWeights) -> Tensor:
        """Return zeros with the weights' dtype and device.

        Shapes: (B, O).
        """
        return weights.weight_hh.new_zeros(batch_size, weights.weight_hh.shape[1])

    def state_widths(self, hidden_size: int, proj_size: int = 0) -> tuple[int, ...]:
        """Return the last axis of the state: (O,), which is proj_size."""
        return (_output_size(proj_size),)

    def weight_shapes(
        self, input_size: int, hidden_size: int, bias: bool = True, proj_size: int = 0
    ) -> dict[str, tuple[int, ...]]:
        """Return the shape of each weight by name; proj_size is O, the number of outputs.

        Shapes: those of JordanWeights.
        Raises: ConfigError without a proj_size.
        """
        outputs = _output_size(proj_size)
        shapes: dict[str, tuple[int, ...]] = {
            "weight_ih": (hidden_size, input_size),
            "weight_hh": (hidden_size, outputs),
        }
        if bias:
            shapes |= {"bias_ih": (hidden_size,), "bias_hh": (hidden_size,)}
        shapes["weight_ho"] = (outputs, hidden_size)
        if bias:
            shapes["bias_ho"] = (outputs,)
        return shapes


def _output_size(proj_size: int) -> int:
    if proj_size < 1:
        raise ConfigError(
            f"proj_size: got {proj_size!r}, expected the number of outputs of a Jordan cell, >= 1"
        )
    return proj_size


class JordanCell(SetsNonlinearity, Cell[JordanWeights, Tensor]):
    """A Jordan cell: `JordanEquation` with its own weights.

        h = g(W_ih x + b_ih + W_hh y + b_hh);   y' = g2(W_ho h + b_ho)

    `cell(input, y)` returns y'. Pass the previous output y of the cell (inference), or the true output
    (teacher forcing).
    Source: Jordan 1986.
    Shapes: input (B, I) or (I,); hx and the result (B, O) or (O,).
    Raises: ConfigError for negative sizes, an output_size below 1 and unknown names; ShapeError where the
    input does not fit.
    """

    _state_axis = "output_size"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        output_activation: str = "identity",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_sizes({"output_size": output_size}, {})
        equation = JordanEquation(nonlinearity, output_activation)
        super().__init__(equation, input_size, hidden_size, bias, device, dtype, proj_size=output_size)
        self.output_size = output_size

    def extra_repr(self) -> str:
        """Return the options in torch.nn's format."""
        sizes = f"{self.input_size}, {self.hidden_size}"
        return f"{sizes}, {self.output_size}{super().extra_repr().removeprefix(sizes)}"
