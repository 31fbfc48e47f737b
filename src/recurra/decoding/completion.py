"""The most probable completions of a prefix: a beam search over endings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from recurra.decoding.sampling import Step

# Maps the symbols so far to the allowed next symbols, (V,), until the typed text is complete; then None.
Allowed = Callable[[tuple[int, ...]], Tensor | None]


class Following(NamedTuple):
    """The symbols that close an ending, and those that never follow it (probability kept); (V,) bool each."""

    ends: Tensor
    never: Tensor


@dataclass(frozen=True)
class Completion:
    """One ending: its symbols, and its probability given the text before it."""

    ids: tuple[int, ...]
    probability: float


@torch.no_grad()
def complete(
    step: Step,
    prime: Sequence[int],
    *,
    n_best: int,
    max_length: int,
    ends: Tensor,
    select: Callable[[Any, Tensor], Any],
    forbidden: Tensor | None = None,
    first: Tensor | None = None,
    allowed: Allowed | None = None,
    within: Callable[[tuple[int, ...]], Following | None] | None = None,
    width: int | None = None,
    state: Any = None,
) -> list[Completion]:
    """Return the `n_best` most probable endings after `prime`, best first, each of at least one symbol.

    An ending s_1 … s_n is closed by any symbol of `ends`, or by reaching `max_length`:

        P = Π_i P(s_i | prime, s_<i) · Σ_{e in ends} P(e | prime, s)      (the sum is 1 at max_length)

    Each step keeps the `width` (default max(3 * n_best, 16)) most probable open endings: the probability of a
    returned ending is exact, but a more probable ending may have been missed. `select(state, rows)` selects
    rows of a batched state. Endings begin with a symbol of `first`, over which probabilities are normalised.
    `allowed(symbols so far)` returns which symbols may come next until the ending contains the typed text,
    and None from there on; probabilities are normalised over the ways to spell it that the search kept.
    `within(symbols so far)` returns the `Following` of an ending, if it differs from `ends` and `forbidden`,
    or None. `state` is the state before `prime` is read.

    Shapes: prime (T,) ids; ends, first, forbidden (never drawn, probability kept) (V,); logits (B, T, V).
    """
    width = width or max(3 * n_best, 16)
    usual = Following(ends, torch.zeros_like(ends) if forbidden is None else forbidden)
    following = (lambda ids: usual) if within is None else (lambda ids: within(ids) or usual)
    logits, state = step(torch.tensor([list(prime)]), state)
    next_log_probs = _among(_next_log_probs(logits), first)
    open_ = _Open([()], torch.zeros(1).double(), [None if allowed is None else allowed(())], [following(())])
    spelt = 1.0 if open_.masks[0] is None else 0.0  # probability of the typed text
    closed: list[Completion] = []
    for length in range(1, max_length + 1):
        # An ending is never more probable than its beginning, so less probable ones can be pruned. With
        # `allowed` nothing is pruned: the sum over all spellings of the typed text normalises the result.
        hopeless = closed[-1].probability if len(closed) == n_best and allowed is None else 0.0
        scores = (open_.log_probs[:, None] + next_log_probs).masked_fill_(open_.barred(), -torch.inf)
        chosen = _likeliest(scores, width, hopeless)
        if not len(chosen.rows):
            break
        open_, newly_spelt = open_.extended(chosen, allowed, following)
        spelt += newly_spelt
        if length == max_length:
            closed += open_.closed(open_.log_probs)
            break
        logits, state = step(chosen.symbols[:, None], select(state, chosen.rows))
        next_log_probs = _next_log_probs(logits)
        closed += open_.closed(open_.log_probs + open_.closing(next_log_probs))
        closed = sorted(closed, key=lambda one: -one.probability)[:n_best]
        if len(closed) == n_best and float(open_.log_probs[0].exp()) <= closed[-1].probability:
            break  # all open endings are less probable
    best = sorted(closed, key=lambda one: (-one.probability, one.ids))[:n_best]
    return [Completion(one.ids, one.probability / spelt) for one in best]


class _Chosen(NamedTuple):
    """The kept continuations: the row that each one extends, its new symbol and log P; (count,) each."""

    rows: Tensor
    symbols: Tensor
    log_probs: Tensor


class _Open(NamedTuple):
    """Open endings: their symbols, log P (rows,), and the symbols that may come next or close them."""

    ids: Sequence[tuple[int, ...]]
    log_probs: Tensor
    masks: Sequence[Tensor | None]
    following: Sequence[Following]

    def extended(
        self, chosen: _Chosen, allowed: Allowed | None, following: Callable[[tuple[int, ...]], Following]
    ) -> tuple["_Open", float]:
        """Return the extended endings, and the probability of those that just completed the typed text."""
        rows, symbols = chosen.rows.tolist(), chosen.symbols.tolist()
        ids = [(*self.ids[row], symbol) for row, symbol in zip(rows, symbols, strict=True)]
        followed = [following(each) for each in ids]
        if allowed is None:
            return _Open(ids, chosen.log_probs, [None] * len(ids), followed), 0.0
        masks = [allowed(each) for each in ids]
        just_spelt = [
            mask is None and self.masks[row] is not None for mask, row in zip(masks, rows, strict=True)
        ]
        probability = float(chosen.log_probs[torch.tensor(just_spelt)].exp().sum())
        return _Open(ids, chosen.log_probs, masks, followed), probability

    def barred(self) -> Tensor:
        """Return which symbols may not come next, for each ending. Shapes: (rows, V)."""
        rows = [
            never | ends if mask is None else never | ~mask
            for mask, (ends, never) in zip(self.masks, self.following, strict=True)
        ]
        return torch.stack(rows)

    def closing(self, next_log_probs: Tensor) -> Tensor:
        """Return log P that the next symbol closes each ending. Shapes: next_log_probs (rows, V); (rows,)."""
        ends = torch.stack([one.ends for one in self.following])
        return next_log_probs.masked_fill(~ends, -torch.inf).logsumexp(dim=-1)

    def closed(self, log_probs: Tensor) -> list[Completion]:
        """Return the endings that contain the typed text as completions with these log P."""
        rows = zip(self.ids, log_probs.exp().tolist(), self.masks, strict=True)
        return [Completion(ids, p) for ids, p, mask in rows if mask is None and p > 0]


def _likeliest(scores: Tensor, width: int, hopeless: float) -> _Chosen:
    """Return the `width` best continuations more probable than `hopeless`. Shapes: scores (rows, V)."""
    log_probs, chosen = scores.flatten().topk(min(width, scores.numel()))
    count = int((log_probs.exp() > hopeless).sum())  # in descending order
    log_probs, chosen = log_probs[:count], chosen[:count]
    return _Chosen(chosen // scores.shape[1], chosen % scores.shape[1], log_probs)


def _among(log_probs: Tensor, chosen: Tensor | None) -> Tensor:
    """Normalise log P over some symbols; all -inf if they are impossible. Shapes: (rows, V); chosen (V,)."""
    if chosen is None:
        return log_probs
    kept = log_probs.masked_fill(~chosen, -torch.inf)
    return (kept - kept.logsumexp(dim=-1, keepdim=True)).nan_to_num_(nan=-torch.inf, neginf=-torch.inf)


def _next_log_probs(logits: Tensor) -> Tensor:
    """Return log P of the next symbol; all -inf if the model allows no symbol. Shapes: (rows, V)."""
    last = logits[:, -1].double()
    return last.log_softmax(dim=-1).masked_fill_((last == -torch.inf).all(dim=-1, keepdim=True), -torch.inf)
