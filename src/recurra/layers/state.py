"""What a caller does to the state of a layer between calls, be it a tensor or an LSTMState."""

from typing import TypeVar

from torch import Tensor

from recurra.cells import LSTMState, State, map_state

__all__ = ["LSTMState", "State", "detach_state", "map_state"]

S = TypeVar("S", bound=State)


def detach_state(state: S) -> S:
    """Return the state without its history: where truncated back-propagation through time cuts.

    Shapes: (L*D, B, H), a pair of them for the LSTM, unchanged.
    """
    return map_state(Tensor.detach, state)
