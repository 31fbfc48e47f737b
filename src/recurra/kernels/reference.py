"""The reference: a loop over time in which one step is the cell's equation.

Every other way of computing is held to this one. Automatic differentiation, double backward and forward
mode go through it.
"""

from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor

from recurra.cells import Equation, State, hidden_of, map_state

S = TypeVar("S", bound=State)


def scan(
    equation: Equation[Any, S],
    x: Tensor,
    state: S,
    weights: Any,
    lengths: Tensor | None = None,
    reverse: bool = False,
) -> tuple[Tensor, S]:
    """Run one layer in one direction; return the hidden state at each step and the final state.

    Row b takes lengths[b] steps; its output is zero afterwards and its final state is that of its last step.
    Backwards (`reverse`) a row begins at its own last real step and ends at the first. What the padding of x
    holds, NaN included, reaches neither outputs nor gradients.
    Shapes: x (T, B, I); state (B, H); lengths (B,) int64 or None, each in 0..T; output (T, B, H), or
    (T, B, P) with a projection.
    """
    T, B = x.shape[:2]
    if T == 0:
        return x.new_zeros(0, B, hidden_of(state).shape[-1]), state
    real = None
    if lengths is not None:
        real = (torch.arange(T).unsqueeze(1) < lengths.cpu()).to(x.device).unsqueeze(-1)  # (T, B, 1)
        x = torch.where(real, x, 0.0)
    outputs: list[Tensor] = [x] * T
    for t in reversed(range(T)) if reverse else range(T):
        stepped = equation.step(x[t], state, weights)
        outputs[t] = hidden_of(stepped)
        if real is None:
            state = stepped
        else:
            outputs[t] = torch.where(real[t], outputs[t], 0.0)
            state = map_state(partial(_step_or_stay, real[t]), stepped, state)
    return torch.stack(outputs), state


def _step_or_stay(is_real: Tensor, stepped: Tensor, before: Tensor) -> Tensor:
    return torch.where(is_real, stepped, before)
