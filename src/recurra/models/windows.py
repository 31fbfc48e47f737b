"""Windows of the last few symbols, which are the whole state of n-gram and window models."""

from typing import Any

import torch
from torch import Tensor

from recurra.cells import checked_state

NONE = -1  # no symbol: before the start of the text, or before a reset


def no_symbols(batch_size: int, size: int, device: torch.device) -> Tensor:
    """Return the state before the first symbol.

    Shapes: result (1, batch_size, size).
    """
    return torch.full((1, batch_size, size), NONE, device=device)


def state_before(state: Any, inputs: Tensor, size: int) -> Tensor:
    """Return a given state after checking it, or the state before the first symbol.

    Shapes: inputs (B, T); state (1, B, size). Raises: ShapeError where the state does not fit.
    """
    if state is None:
        return no_symbols(len(inputs), size, inputs.device)
    shapes, axes = [(1, len(inputs), size)], "(1, batch, symbols)"
    given = checked_state(state, shapes, axes, inputs.device, torch.int64)
    assert isinstance(given, Tensor), "a state of one tensor"
    return given


def windows(
    inputs: Tensor, state: Tensor, resets: Tensor | None = None, start_id: int | None = None
) -> Tensor:
    """Return the last W symbols at each step, including the step's own input; -1 where there is none.

    A window never extends across a reset, or across `start_id`, which marks the start of a text.

    Shapes: inputs (B, T) ids; state (1, B, W); resets (B, T) bool, True where a new text starts with that
    input; result (B, T, W).
    """
    size = state.shape[-1]
    if size == 0:
        return inputs.new_empty((*inputs.shape, 0))
    symbols = torch.cat([state[0], inputs], dim=1)
    begins = torch.zeros_like(symbols, dtype=torch.bool)
    if start_id is not None:
        begins |= symbols == start_id
    if resets is not None:
        begins[:, size:] |= resets
    places = torch.arange(symbols.shape[1], device=inputs.device)
    begun = torch.where(begins, places, 0).cummax(dim=1).values[:, size:]
    found = symbols.unfold(1, size, 1)[:, 1:]
    return found.masked_fill(places.unfold(0, size, 1)[1:] < begun.unsqueeze(-1), NONE)


def last_windows(found: Tensor, state: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Return the state after each row's last real step; for a row without steps, the state before it.

    Shapes: found (B, T, W); state (1, B, W); lengths (B,); result (1, B, W).
    """
    if lengths is None:
        return found[:, -1].unsqueeze(0) if found.shape[1] else state
    ends = lengths.to(found.device)
    at = (ends - 1).clamp(min=0)
    last = found[torch.arange(len(ends), device=found.device), at]
    return torch.where((ends > 0).unsqueeze(-1), last, state[0]).unsqueeze(0)
