"""The likeliest ways to go on: a beam over endings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from recurra.decoding.sampling import Step

# Which symbols may come after some while something typed is still to be spelt out, (V,); then None.
Allowed = Callable[[tuple[int, ...]], Tensor | None]


@dataclass(frozen=True)
class Completion:
    """One ending: its symbols, and its probability given what stands before."""

    ids: tuple[int, ...]
    probability: float


@torch.no_grad()
def complete(
    step: Step,
    prime: Sequence[int],
    *,
    k: int,
    max_length: int,
    ends: Tensor,
    select: Callable[[Any, Tensor], Any],
    forbidden: Tensor | None = None,
    allowed: Allowed | None = None,
    width: int | None = None,
    state: Any = None,
) -> list[Completion]:
    """The k likeliest endings after `prime`, likeliest first, each of at least one symbol.

    An ending s_1 … s_n is closed by any symbol of `ends`, or by reaching `max_length`:

        P = Π_i P(s_i | prime, s_<i) · Σ_{e in ends} P(e | prime, s)      (the sum is 1 at max_length)

    The `width` (default max(3k, 16)) likeliest open endings are kept at each step: the probability of
    an ending that is given is exact, a likelier ending may have been missed. `select(state, rows)`
    picks rows of a batched state. `allowed(symbols so far)` tells which symbols may come next while
    something that was typed is still to be spelt out, and None from there on; probabilities are then
    shares among the ways to spell it that the search kept. `state` is the one before `prime` is read.

    Shapes: prime (T,) ids; ends and forbidden (never drawn, probability kept) (V,) bool; `step` gives
    logits (B, T, V).
    """
    width = width or max(3 * k, 16)
    never = torch.zeros_like(ends) if forbidden is None else forbidden
    ending_ids = ends.nonzero().squeeze(1)
    logits, state = step(torch.tensor([list(prime)]), state)
    next_log_probs = _next_log_probs(logits)
    open_ = _Open([()], torch.zeros(1, dtype=torch.float64), [None if allowed is None else allowed(())])
    spelt = 1.0 if open_.masks[0] is None else 0.0  # probability of what was typed
    closed: list[Completion] = []
    for length in range(1, max_length + 1):
        # An ending is never likelier than what it begins with. What was typed must be found in all its
        # spellings first, as their sum is what probabilities are shares of.
        hopeless = closed[-1].probability if len(closed) == k and allowed is None else 0.0
        barred = _barred(open_.masks, never, ends)
        scores = (open_.log_probs[:, None] + next_log_probs).masked_fill_(barred, -torch.inf)
        chosen = _likeliest(scores, width, hopeless)
        if not len(chosen.rows):
            break
        open_, newly_spelt = open_.extended(chosen, allowed)
        spelt += newly_spelt
        if length == max_length:
            closed += open_.closed(open_.log_probs)
            break
        logits, state = step(chosen.symbols[:, None], select(state, chosen.rows))
        next_log_probs = _next_log_probs(logits)
        if len(ending_ids):
            closing = next_log_probs.index_select(1, ending_ids).logsumexp(dim=-1)
            closed += open_.closed(open_.log_probs + closing)
        closed = sorted(closed, key=lambda one: -one.probability)[:k]
        if len(closed) == k and float(open_.log_probs[0].exp()) <= closed[-1].probability:
            break  # whatever is still open is less likely
    best = sorted(closed, key=lambda one: (-one.probability, one.ids))[:k]
    return [Completion(one.ids, one.probability / spelt) for one in best]


class _Chosen(NamedTuple):
    """The endings to go on with: which one each goes on from, by what symbol, and log P; (count,) each."""

    rows: Tensor
    symbols: Tensor
    log_probs: Tensor


class _Open(NamedTuple):
    """Endings that may go on: their symbols, log P (rows,), and the symbols that may come next."""

    ids: Sequence[tuple[int, ...]]
    log_probs: Tensor
    masks: Sequence[Tensor | None]

    def extended(self, chosen: _Chosen, allowed: Allowed | None) -> tuple["_Open", float]:
        """The endings that go on, and the probability of those that have just spelt out what was typed."""
        rows, symbols = chosen.rows.tolist(), chosen.symbols.tolist()
        ids = [(*self.ids[row], symbol) for row, symbol in zip(rows, symbols, strict=True)]
        if allowed is None:
            return _Open(ids, chosen.log_probs, [None] * len(ids)), 0.0
        masks = [allowed(each) for each in ids]
        just_spelt = [
            mask is None and self.masks[row] is not None for mask, row in zip(masks, rows, strict=True)
        ]
        probability = float(chosen.log_probs[torch.tensor(just_spelt)].exp().sum())
        return _Open(ids, chosen.log_probs, masks), probability

    def closed(self, log_probs: Tensor) -> list[Completion]:
        """Those that have spelt out what was typed, ended here with these log P."""
        rows = zip(self.ids, log_probs.exp().tolist(), self.masks, strict=True)
        return [Completion(ids, p) for ids, p, mask in rows if mask is None and p > 0]


def _likeliest(scores: Tensor, width: int, hopeless: float) -> _Chosen:
    """The `width` likeliest ways to go on that are likelier than `hopeless`. Shapes: scores (rows, V)."""
    log_probs, chosen = scores.flatten().topk(min(width, scores.numel()))
    count = int((log_probs.exp() > hopeless).sum())  # the likeliest come first
    log_probs, chosen = log_probs[:count], chosen[:count]
    return _Chosen(chosen // scores.shape[1], chosen % scores.shape[1], log_probs)


def _next_log_probs(logits: Tensor) -> Tensor:
    """log P of the next symbol; -inf throughout where the model finds none possible. Shapes: (rows, V)."""
    last = logits[:, -1].double()
    return last.log_softmax(dim=-1).masked_fill_((last == -torch.inf).all(dim=-1, keepdim=True), -torch.inf)


def _barred(masks: Sequence[Tensor | None], never: Tensor, ends: Tensor) -> Tensor:
    """Which symbols may not come next, for each ending; Shapes: (rows or 1, V)."""
    if all(mask is None for mask in masks):
        return (never | ends).unsqueeze(0)
    return torch.stack([never | ends if mask is None else never | ~mask for mask in masks])
