"""Operations on the state of a layer or network between calls; the state is any nest of tensors."""

from typing import TypeVar

from torch import Tensor

from recurra.cells import LSTMState, State, map_state
from recurra.nests import map_nest

__all__ = ["LSTMState", "State", "detach_state", "map_state", "rows_of_state"]

S = TypeVar("S")


def detach_state(state: S) -> S:
    """Return the state detached from its history, as truncated backpropagation through time needs it.

    Shapes: unchanged.
    """
    return map_nest(Tensor.detach, state)


def rows_of_state(state: S, rows: Tensor) -> S:
    """Return the state of the given rows of a batch, in this order; rows may repeat.

    Shapes: each part (L*D, B, H); rows (R,), indices; each part of the result (L*D, R, H).
    """
    return map_nest(lambda part: part.index_select(1, rows), state)
