"""What a caller does to the state of a layer between calls, be it a tensor or an LSTMState."""

from typing import TypeVar

import torch
from torch import Tensor

from recurra.cells import LSTMState, State, map_state

__all__ = ["LSTMState", "State", "detach_state", "join_states", "map_state", "rows_of_state", "split_state"]

S = TypeVar("S", bound=State)


def detach_state(state: S) -> S:
    """Return the state without its history: where truncated back-propagation through time cuts.

    Shapes: (L*D, B, H), a pair of them for the LSTM, unchanged.
    """
    return map_state(Tensor.detach, state)


def rows_of_state(state: S, rows: Tensor) -> S:
    """Return the state of some rows of a batch, in this order, one as often as it is named.

    Shapes: state (L*D, B, H), a pair of them for the LSTM; rows (R,), indices; result (L*D, R, H).
    """
    return map_state(lambda part: part.index_select(1, rows), state)


def join_states(first: State, last: State) -> State:
    """One state of two stacks of different widths: all numbers of a row side by side.

    Shapes: (L, B, H) and (1, B, E) to (1, B, L*H + E); pairs of them for the LSTM.
    """

    def joined(a: Tensor, b: Tensor) -> Tensor:
        return torch.cat([a.transpose(0, 1).flatten(1), b[0]], dim=-1).unsqueeze(0)

    return map_state(joined, first, last)


def split_state(state: State, layers: int, width: int) -> tuple[State, State]:
    """The two states that `join_states` joined.

    Shapes: (1, B, L*H + E) to (L, B, H) and (1, B, E); pairs of them for the LSTM.
    """

    def first(part: Tensor) -> Tensor:
        rows = part[0, :, : layers * width].reshape(-1, layers, width)
        return rows.transpose(0, 1).contiguous()

    return map_state(first, state), map_state(lambda part: part[..., layers * width :].contiguous(), state)
