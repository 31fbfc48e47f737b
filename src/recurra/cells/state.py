"""What a cell carries from one step to the next: a hidden tensor, or the LSTM's pair."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar, cast

import torch
from torch import Tensor
from torch.utils import _pytree


class LSTMState(NamedTuple):
    """What an LSTM carries: `hidden` is its output h, `cell` its memory c.

    It is the pair (h, c) that torch.nn gives, and like a tuple it is also made of one iterable:
    `type(state)(part.detach() for part in state)`.
    Shapes: of one step, hidden (B, H), or (B, P) with a projection; cell (B, H). Of a whole layer both
    have a first axis more, num_layers * directions.
    Raises: TypeError for an iterable of more or fewer than two.
    """

    hidden: Tensor
    cell: Tensor


_MISSING: Any = object()


def _new_state(cls: type[LSTMState], hidden: Tensor | Iterable[Tensor], cell: Tensor = _MISSING) -> LSTMState:
    """Take (hidden, cell), or one iterable of both as `tuple` does."""
    if cell is not _MISSING:
        return tuple.__new__(cls, (hidden, cell))
    # A tensor is iterable too, but a hidden state alone is a forgotten cell.
    parts = () if isinstance(hidden, Tensor) else tuple(hidden)
    if len(parts) != 2:
        got = "one tensor" if isinstance(hidden, Tensor) else f"an iterable of {len(parts)}"
        raise TypeError(f"{cls.__name__}: got {got}, expected hidden and cell; pass both")
    return tuple.__new__(cls, parts)


# Not in the class: a named tuple may not define it there, and a subclass that does is none to torch.compile.
_new_state.__name__, _new_state.__qualname__ = "__new__", "LSTMState.__new__"
LSTMState.__new__ = _new_state  # type: ignore[assignment,method-assign]
# What a person saved by torch.save torch reads back, by its safe reader, as it reads torch.nn's pair.
torch.serialization.add_safe_globals([LSTMState])
# So does torch.export, which names the type in its file.
_pytree._register_namedtuple(LSTMState, serialized_type_name="recurra.cells.LSTMState")


State = Tensor | LSTMState
S = TypeVar("S", bound=State)


def map_state(function: Callable[..., Tensor], state: S, *others: S) -> S:
    """Apply `function` to each tensor of a state; of several states, to those that belong together.

    Shapes: as `function` maps them; a plain pair of tensors counts as an LSTMState.
    """
    if isinstance(state, Tensor):
        return cast(S, function(state, *others))
    return cast(S, LSTMState(*(function(*parts) for parts in zip(state, *others, strict=True))))


def hidden_of(state: State) -> Tensor:
    """What the outside sees of a state: the hidden tensor.

    Shapes: of one step (B, H), or (B, P) with a projection.
    """
    return state if isinstance(state, Tensor) else state.hidden


def state_from(parts: Sequence[Tensor]) -> State:
    """Return the state that one tensor, or the LSTM's two, make up.

    Shapes: as they come.
    """
    return parts[0] if len(parts) == 1 else LSTMState(*parts)
