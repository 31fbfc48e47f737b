"""The likeliest ways to go on: a beam over endings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from recurra.decoding.sampling import Step


@dataclass(frozen=True)
class Completion:
    """One ending: its symbols, and its probability given what stands before."""

    ids: tuple[int, ...]
    probability: float


def complete(
    step: Step,
    prime: Sequence[int],
    *,
    k: int,
    max_length: int,
    ends: Tensor,
    select: Callable[[Any, Tensor], Any],
    forbidden: Tensor | None = None,
    allowed: Callable[[tuple[int, ...]], Tensor | None] | None = None,
    width: int | None = None,
    state: Any = None,
) -> list[Completion]:
    """The k likeliest endings after `prime`, likeliest first, each of at least one symbol.

    An ending s_1 … s_n is closed by any symbol of `ends`, or by reaching `max_length`:

        P = Π_i P(s_i | prime, s_<i) · Σ_{e in ends} P(e | prime, s)      (the sum is 1 at max_length)

    The `width` (default max(4k, 32)) likeliest open endings are kept at each step: the probability of
    an ending that is given is exact, a likelier ending may have been missed. `select(state, rows)`
    picks rows of a batched state. `allowed(symbols so far)` tells which symbols may come next while
    something that was typed is still to be spelt out, and None from there on; probabilities are then
    shares among the ways to spell it that the search kept. `state` is the one before `prime` is read.

    Shapes: prime (T,) ids; ends and forbidden (never drawn, probability kept) (V,) bool; `step` gives
    logits (B, T, V).
    """
    width = width or max(4 * k, 32)
    never = torch.zeros_like(ends) if forbidden is None else forbidden
    with torch.no_grad():
        logits, state = step(torch.tensor([list(prime)]), state)
        next_log_probs = logits[:, -1].double().log_softmax(dim=-1)
        endings: list[tuple[int, ...]] = [()]
        log_probs = torch.zeros(1, dtype=torch.float64)
        masks = [allowed(()) if allowed is not None else None]
        spelt = 0.0 if masks[0] is not None else 1.0  # probability of what was typed
        closed: list[Completion] = []
        for length in range(1, max_length + 1):
            barred = _barred(masks, never, ends)
            scores = (log_probs[:, None] + next_log_probs).masked_fill(barred, -torch.inf)
            log_probs, chosen = scores.flatten().topk(min(width, scores.numel()))
            # An ending is never likelier than what it begins with. What was typed must be found in all its
            # spellings first, as their sum is what probabilities are shares of.
            hopeless = closed[-1].probability if len(closed) == k and allowed is None else 0.0
            alive = log_probs.exp() > hopeless
            log_probs, chosen = log_probs[alive], chosen[alive]
            if not len(chosen):
                break
            rows, symbols = chosen // scores.shape[1], chosen % scores.shape[1]
            before = [masks[row] for row in rows.tolist()]
            endings = [(*endings[r], s) for r, s in zip(rows.tolist(), symbols.tolist(), strict=True)]
            masks = [allowed(ids) if allowed is not None else None for ids in endings]
            free = torch.tensor([mask is None for mask in masks])
            just_spelt = free & torch.tensor([mask is not None for mask in before])
            spelt += float(log_probs[just_spelt].exp().sum())
            if length == max_length:
                closed += _close(endings, log_probs, free)
                break
            logits, state = step(symbols[:, None], select(state, rows))
            next_log_probs = logits[:, -1].double().log_softmax(dim=-1)
            if ends.any():
                closed += _close(endings, log_probs + next_log_probs[:, ends].logsumexp(dim=-1), free)
            closed = sorted(closed, key=lambda one: -one.probability)[:k]
            if len(closed) == k and float(log_probs[0].exp()) <= closed[-1].probability:
                break  # whatever is still open is less likely
    best = sorted(closed, key=lambda one: (-one.probability, one.ids))[:k]
    return [Completion(one.ids, one.probability / spelt) for one in best]


def _barred(masks: Sequence[Tensor | None], never: Tensor, ends: Tensor) -> Tensor:
    """Which symbols may not come next, for each ending; Shapes: (rows or 1, V)."""
    if all(mask is None for mask in masks):
        return (never | ends).unsqueeze(0)
    return torch.stack([never | ends if mask is None else never | ~mask for mask in masks])


def _close(endings: Sequence[tuple[int, ...]], log_probs: Tensor, free: Tensor) -> list[Completion]:
    rows = zip(endings, log_probs.exp().tolist(), free.tolist(), strict=True)
    return [Completion(ids, probability) for ids, probability, is_free in rows if is_free]
