"""What a caller does to the state of a layer or network between calls, whatever nest of tensors it is."""

from typing import TypeVar

from torch import Tensor

from recurra.cells import LSTMState, State, map_state
from recurra.nests import map_nest

__all__ = ["LSTMState", "State", "detach_state", "map_state", "rows_of_state"]

S = TypeVar("S")


def detach_state(state: S) -> S:
    """Return the state without its history: where truncated back-propagation through time cuts.

    Shapes: unchanged.
    """
    return map_nest(Tensor.detach, state)


def rows_of_state(state: S, rows: Tensor) -> S:
    """Return the state of some rows of a batch, in this order, one as often as it is named.

    Shapes: each part (L*D, B, H); rows (R,), indices; each part of the result (L*D, R, H).
    """
    return map_nest(lambda part: part.index_select(1, rows), state)
