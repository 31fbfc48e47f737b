"""What a cell carries from one step to the next: a hidden tensor, or the LSTM's pair."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar, cast

from torch import Tensor


class LSTMState(NamedTuple):
    """What an LSTM carries: `hidden` is its output h, `cell` its memory c.

    Shapes: of one step, hidden (B, H), or (B, P) with a projection; cell (B, H). Of a whole layer both
    have a first axis more, num_layers * directions.
    """

    hidden: Tensor
    cell: Tensor


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
