"""The reference backend: a loop over time that evaluates the cell's equation at each step.

The other backends are tested against it. Double backward and forward mode use it.
"""

from functools import partial
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from recurra.cells import Equation, LSTMState, State, hidden_of, map_state

S = TypeVar("S", bound=State)


class Zoneout(NamedTuple):
    """The fraction of the old state that each value keeps at each step; None for no zoneout.

        h_t = z*h_{t-1} + (1 - z)*h̃_t, where h̃_t is the state without zoneout; likewise for the cell state

    In training each z is drawn as 0 or 1; in evaluation it is the expectation.
    Shapes: hidden like the output of a scan, (T, B, H) or packed (N, H), with P instead of H with a
    projection; cell (T, B, H) or (N, H), for the LSTM only.
    """

    hidden: Tensor | None = None
    cell: Tensor | None = None


def scan(
    equation: Equation[Any, S],
    x: Tensor,
    state: S,
    weights: Any,
    lengths: Tensor | None = None,
    reverse: bool = False,
    zoneout: Zoneout | None = None,
    every_cell: bool = False,
) -> tuple[Any, ...]:
    """Run one direction of one layer; return the hidden state at each step and the final state.

    With `every_cell` also return the cell state after each step, if the equation has one.
    Row b takes lengths[b] steps; its output is zero after them, and its final state is that of its last step.
    With `reverse` a row starts at its own last real step and ends at its first. The values in the padding of
    x, including NaN, affect neither outputs nor gradients.
    Shapes: x (T, B, I); state (B, H); lengths (B,) int64 or None, each in 0..T; output (T, B, H), or
    (T, B, P) with a projection; every cell (T, B, H).
    """
    T, B = x.shape[:2]
    parts = (state,) if isinstance(state, Tensor) else tuple(state)
    kept = parts if every_cell else parts[:1]
    if T == 0:
        empty = [x.new_zeros(0, B, part.shape[-1]) for part in kept]
        return (empty[0], state, *empty[1:])
    real = None
    if lengths is not None:
        real = (
            (torch.arange(T, device="cpu").unsqueeze(1) < lengths.cpu()).to(x.device).unsqueeze(-1)
        )  # (T, B, 1)
        x = torch.where(real, x, 0.0)
    histories: list[list[Tensor]] = [[x] * T for _ in kept]
    for t in reversed(range(T)) if reverse else range(T):
        stepped = equation.step(x[t], state, weights)
        if zoneout is not None:
            stepped = _zoned(zoneout, t, stepped, state)
        seen = (hidden_of(stepped),) if isinstance(stepped, Tensor) else tuple(stepped)
        for history, part in zip(histories, seen, strict=False):
            history[t] = part if real is None else torch.where(real[t], part, 0.0)
        state = stepped if real is None else map_state(partial(_step_or_stay, real[t]), stepped, state)
    output, *cells = (torch.stack(history) for history in histories)
    return (output, state, *cells)


def scan_batch(
    equation: Equation[Any, Any],
    x: Tensor,
    state: State,
    weights: Any,
    batch_sizes: Tensor | None = None,
    reverse: bool = False,
    zoneout: Zoneout | None = None,
    every_cell: bool = False,
) -> tuple[Any, ...]:
    """Run `scan` on a batch that may be packed: a packed batch is padded, and the results are packed again.

    With `batch_sizes` x is the data of a PackedSequence, rows sorted by length, the longest first.
    Shapes: x (T, B, I), or packed (N, I); state (B, H); batch_sizes (T,) int64 on the CPU, descending; output
    (T, B, H), or (T, B, P) with a projection, or packed (N, H); every cell (T, B, H) or (N, H).
    """
    if batch_sizes is None:
        return scan(equation, x, state, weights, None, reverse, zoneout, every_cell)
    real = torch.arange(hidden_of(state).shape[0], device="cpu") < batch_sizes.unsqueeze(1)  # (T, B)
    places = real.flatten().nonzero().squeeze(1).to(x.device)

    def padded(data: Tensor) -> Tensor:
        full = data.new_zeros(real.numel(), data.shape[-1]).index_copy(0, places, data)
        return full.view(*real.shape, -1)

    def packed(full: Tensor) -> Tensor:
        return full.flatten(0, 1).index_select(0, places)

    if zoneout is not None:
        zoneout = Zoneout(*(None if shares is None else padded(shares) for shares in zoneout))
    lengths = real.sum(dim=0)
    output, final, *cells = scan(equation, padded(x), state, weights, lengths, reverse, zoneout, every_cell)
    return (packed(output), final, *map(packed, cells))


def _step_or_stay(is_real: Tensor, stepped: Tensor, before: Tensor) -> Tensor:
    return torch.where(is_real, stepped, before)


def _zoned(zoneout: Zoneout, t: int, stepped: S, before: S) -> S:
    if isinstance(stepped, Tensor):
        return _mixed(zoneout.hidden, t, stepped, before)  # type: ignore[return-value, arg-type]
    return LSTMState(  # type: ignore[return-value]
        hidden=_mixed(zoneout.hidden, t, stepped.hidden, before.hidden),  # type: ignore[union-attr]
        cell=_mixed(zoneout.cell, t, stepped.cell, before.cell),  # type: ignore[union-attr]
    )


def _mixed(shares: Tensor | None, t: int, stepped: Tensor, before: Tensor) -> Tensor:
    return stepped if shares is None else shares[t] * before + (1 - shares[t]) * stepped
