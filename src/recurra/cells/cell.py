"""A cell that owns its weights: one step of an equation as a module, like torch.nn's cells."""

from dataclasses import fields
from typing import Any, Generic, TypeVar, cast

import torch
from torch import Tensor, nn

from recurra.cells.checks import (
    autocasts,
    check_kind,
    check_sizes,
    check_tensor,
    checked_state,
    dtype_faults,
    shape_error,
    truth_of,
)
from recurra.cells.equation import Equation, init_uniform
from recurra.cells.state import State, map_state

W = TypeVar("W")
S = TypeVar("S", bound=State)


class Cell(nn.Module, Generic[W, S]):
    """A module that computes one step with its own weights: `cell(input, state)` returns the next state.

    Parameters, their names and their initial values are the same as in torch.nn where torch has the cell.
    Shapes: input (B, I) or (I,); state (B, H) or (H,), a pair of them for the LSTM; (B, O) for a Jordan cell,
    where `proj_size` is the output_size.
    """

    _state_axis = "hidden_size"

    def __init__(
        self,
        equation: Equation[W, S],
        input_size: int,
        hidden_size: int,
        bias: bool,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
        proj_size: int = 0,
    ) -> None:
        super().__init__()
        sizes = {"input_size": input_size, "hidden_size": hidden_size}
        check_sizes(sizes, {}, dtype_faults(dtype), least=0)
        bias = truth_of("bias", bias, stacklevel=4)
        self.equation = equation
        self.input_size = input_size = int(input_size)  # may be a numpy integer
        self.hidden_size = hidden_size = int(hidden_size)
        self.bias = bias
        shapes = equation.weight_shapes(input_size, hidden_size, bias, proj_size)
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
        if not bias:
            for name in (
                equation.weight_shapes(input_size, hidden_size, True, proj_size).keys() - shapes.keys()
            ):
                self.register_parameter(name, None)
        self._weight_names = tuple(shapes)
        self._state_widths = equation.state_widths(hidden_size, proj_size)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Redraw all weights from U(-1/√H, 1/√H); set gains to 1 and shifts to 0."""
        self.equation.initialise({name: getattr(self, name) for name in self._weight_names}, self.hidden_size)
        # Under weight normalisation, the parameters that a weight is computed from.
        init_uniform(
            [p for name, p in self.named_parameters() if name not in self._weight_names], self.hidden_size
        )

    @property
    def weights(self) -> W:
        """The weights, in the named tuple that the equation takes."""
        return self.equation.weights_type(**{name: getattr(self, name) for name in self._weight_names})

    def initial_state(self, batch_size: int) -> S:
        """Return the all-zero state at the start of a sequence.

        Shapes: (B, H), a pair of them for the LSTM.
        """
        return self.equation.initial_state(batch_size, self.weights)

    def forward(self, input: Tensor, hx: Any = None) -> S:
        """Return the state after `input`.

        Shapes: input (B, I), or (I,) for one row without a batch; hx and the result (B, H) or (H,), a pair
        of them for the LSTM.
        Raises: ShapeError where shapes, dtypes or devices do not fit.
        """
        self._check_input(input)
        batched = input.dim() == 2
        x = input if batched else input.unsqueeze(0)
        state = self.initial_state(x.shape[0]) if hx is None else self._checked_state(hx, input)
        state = self.equation.step(x, state, self.weights)
        return state if batched else map_state(lambda part: part.squeeze(0), state)

    def _checked_state(self, hx: Any, input: Tensor) -> S:
        shapes = [(*input.shape[:-1], width) for width in self._state_widths]
        axes = f"(batch, {self._state_axis})" if input.dim() == 2 else f"({self._state_axis},)"
        dtype = None if autocasts(input) else input.dtype
        state = checked_state(hx, shapes, axes, input.device, dtype)
        return cast(S, state if input.dim() == 2 else map_state(lambda part: part.unsqueeze(0), state))

    def _check_input(self, input: Tensor) -> None:
        check_tensor("input", input)
        if input.dim() not in (1, 2) or input.shape[-1] != self.input_size:
            wanted = f"(batch, {self.input_size}) or ({self.input_size},)"
            remedy = f"its last axis is input_size={self.input_size}"
            raise shape_error("input", f"shape {tuple(input.shape)}", wanted, remedy)
        check_kind(input, getattr(self, self._weight_names[0]))

    def extra_repr(self) -> str:
        """Return the options in torch.nn's format."""
        text = f"{self.input_size}, {self.hidden_size}"
        options = {} if self.bias else {"bias": False}
        for option in fields(cast(Any, self.equation)):
            value = getattr(self.equation, option.name)
            if value != option.default:
                options[option.name] = value
        return ", ".join([text, *(f"{name}={value}" for name, value in options.items())])
