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
    allowed_first: Tensor | None = None,
    width: int | None = None,
) -> list[Completion]:
    """The k likeliest endings after `prime`, likeliest first, each of at least one symbol.

    An ending s_1 … s_n is closed by any symbol of `ends`, or by reaching `max_length`:

        P = Π_i P(s_i | prime, s_<i) · Σ_{e in ends} P(e | prime, s)      (the sum is 1 at max_length)

    The `width` (default max(4k, 32)) likeliest open endings are kept at each step: the probability of
    an ending that is given is exact, a likelier ending may have been missed. `select(state, rows)`
    picks rows of a batched state.

    Shapes: prime (T,) ids; ends, forbidden (never drawn, probability kept), allowed_first (the first
    symbol is one of these, probability shared among them) are (V,) bool; `step` gives logits (B, T, V).
    """
    width = width or max(4 * k, 32)
    with torch.no_grad():
        logits, state = step(torch.tensor([list(prime)]), None)
        next_log_probs = logits[:, -1].double().log_softmax(dim=-1)
        if allowed_first is not None:
            next_log_probs = next_log_probs.masked_fill(~allowed_first, -torch.inf).log_softmax(dim=-1)
        endings: list[tuple[int, ...]] = [()]
        log_probs = torch.zeros(1, dtype=torch.float64)
        closed: list[Completion] = []
        never = torch.zeros_like(ends) if forbidden is None else forbidden
        for length in range(1, max_length + 1):
            barred = never if length == 1 and allowed_first is not None else never | ends
            scores = (log_probs[:, None] + next_log_probs).masked_fill(barred, -torch.inf)
            log_probs, chosen = scores.flatten().topk(min(width, scores.numel()))
            log_probs, chosen = log_probs[log_probs.isfinite()], chosen[log_probs.isfinite()]
            if not len(chosen):
                break
            rows, symbols = chosen // scores.shape[1], chosen % scores.shape[1]
            endings = [(*endings[r], s) for r, s in zip(rows.tolist(), symbols.tolist(), strict=True)]
            if length == max_length:
                closed += _close(endings, log_probs)
                break
            logits, state = step(symbols[:, None], select(state, rows))
            next_log_probs = logits[:, -1].double().log_softmax(dim=-1)
            if ends.any():
                closed += _close(endings, log_probs + next_log_probs[:, ends].logsumexp(dim=-1))
            closed = sorted(closed, key=lambda one: -one.probability)[:k]
            if len(closed) == k and float(log_probs[0].exp()) <= closed[-1].probability:
                break  # whatever is still open is less likely
    return sorted(closed, key=lambda one: (-one.probability, one.ids))[:k]


def _close(endings: Sequence[tuple[int, ...]], log_probs: Tensor) -> list[Completion]:
    return [Completion(ids, p) for ids, p in zip(endings, log_probs.exp().tolist(), strict=True)]
