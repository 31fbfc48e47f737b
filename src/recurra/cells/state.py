"""The state of a cell between two steps: a hidden tensor, or the LSTM's pair."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar, cast

import torch
from torch import Tensor
from torch.utils import _pytree


class LSTMState(NamedTuple):
    """The state of an LSTM: `hidden` is the hidden state h (its output), `cell` the cell state c.

    It is the pair (h, c) that torch.nn returns. Like a tuple it can also be built from one iterable:
    `type(state)(part.detach() for part in state)`.
    Shapes: for one step, hidden (B, H), or (B, P) with a projection; cell (B, H). For a whole layer both
    have an additional first axis, num_layers * directions.
    Raises: TypeError for an iterable that does not have two elements.
    """

    hidden: Tensor
    cell: Tensor


_MISSING: Any = object()


def _new_state(cls: type[LSTMState], hidden: Tensor | Iterable[Tensor], cell: Tensor = _MISSING) -> LSTMState:
    """Build a state from (hidden, cell), or from one iterable of both as `tuple` does."""
    if cell is not _MISSING:
        return tuple.__new__(cls, (hidden, cell))
    # A tensor is iterable, but a single tensor means that the caller forgot the cell state.
    parts = () if isinstance(hidden, Tensor) else tuple(hidden)
    if len(parts) != 2:
        got = "one tensor" if isinstance(hidden, Tensor) else f"an iterable of {len(parts)}"
        raise TypeError(f"{cls.__name__}: got {got}, expected hidden and cell; pass both")
    return tuple.__new__(cls, parts)


# Set outside the class: a NamedTuple class may not define __new__, and torch.compile does not treat a
# subclass that defines it as a named tuple.
_new_state.__name__, _new_state.__qualname__ = "__new__", "LSTMState.__new__"
LSTMState.__new__ = _new_state  # type: ignore[assignment,method-assign]
# Lets torch's safe loader (weights_only=True) read a saved state, as it reads torch.nn's pair.
torch.serialization.add_safe_globals([LSTMState])
# Lets torch.export store the state; it writes this type name into its file.
_pytree._register_namedtuple(LSTMState, serialized_type_name="recurra.cells.LSTMState")


State = Tensor | LSTMState
S = TypeVar("S", bound=State)


def map_state(function: Callable[..., Tensor], state: S, *others: S) -> S:
    """Apply `function` to each tensor of a state; with several states, to corresponding tensors.

    Shapes: as `function` maps them; a plain pair of tensors counts as an LSTMState.
    """
    if isinstance(state, Tensor):
        return cast(S, function(state, *others))
    return cast(S, LSTMState(*(function(*parts) for parts in zip(state, *others, strict=True))))


def hidden_of(state: State) -> Tensor:
    """Return the hidden tensor of a state.

    Shapes: for one step (B, H), or (B, P) with a projection.
    """
    return state if isinstance(state, Tensor) else state.hidden


def state_from(parts: Sequence[Tensor]) -> State:
    """Return a state built from one tensor, or from two for the LSTM.

    Shapes: as they come.
    """
    return parts[0] if len(parts) == 1 else LSTMState(*parts)
