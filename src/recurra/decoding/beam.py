"""Beam search, batched over sentences, for any model that generates one symbol after another.

Each step keeps the `width` best continuations of a sentence's hypotheses. Those that end move to the finished
ones and narrow that step; so a width of one is greedy, and the result for a sentence hangs neither on what is
searched beside it nor on how many hypotheses are asked for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, NamedTuple, TypeVar

import torch
from torch import Tensor

from recurra.errors import ConfigError

StateT = TypeVar("StateT")


@dataclass(frozen=True)
class LengthPenalty:
    """What a log-probability is divided by, so that long hypotheses may win:

        power:  T^α          google:  ((5 + T) / 6)^α

    T counts the symbols, the end among them. α = 0 leaves the log-probability.

    Source: Y. Wu et al., Google's neural machine translation system (2016); for the power, A. Ng's lectures.
    """

    alpha: float = 0.0
    form: Literal["power", "google"] = "power"

    def divisor(self, length: int) -> float:
        """The divisor of a hypothesis of so many symbols."""
        base = float(max(1, length)) if self.form == "power" else (5.0 + length) / 6.0
        return float(base**self.alpha)

    def best(self, log_prob: float, length: int, longest: int) -> float:
        """What a hypothesis that has so many symbols can score at most, if it goes on up to `longest`.

        Its log-probability can only fall, and it is no positive number; so the largest divisor is the best.
        """
        return log_prob / max(self.divisor(length + 1), self.divisor(max(length + 1, longest)))


@dataclass(frozen=True)
class BeamOptions:
    """How a beam search goes.

    `max_length` counts symbols, the end among them; what reaches it without the end is cut there.
    `min_length`: symbols before the end.
    `block_ngrams`: no n symbols stand twice in a hypothesis; 0 allows all.

    Raises: ConfigError for numbers that cannot be.
    """

    width: int = 5
    n_best: int = 1
    max_length: int = 100
    min_length: int = 0
    length_penalty: LengthPenalty = LengthPenalty()
    block_ngrams: int = 0

    def __post_init__(self) -> None:
        for name, least in (
            ("width", 1),
            ("n_best", 1),
            ("max_length", 1),
            ("min_length", 0),
            ("block_ngrams", 0),
        ):
            if getattr(self, name) < least:
                raise ConfigError(f"{name}: got {getattr(self, name)}, expected >= {least}.")
        if self.min_length > self.max_length:
            raise ConfigError(f"min_length: got {self.min_length}, more than max_length, {self.max_length}.")


class Hypothesis(NamedTuple):
    """A sequence of symbols, without the end; whether it ended or was cut; what it is worth."""

    symbols: tuple[int, ...]
    log_prob: float
    score: float
    ended: bool


@dataclass(frozen=True)
class SearchedModel(Generic[StateT]):
    """What a search needs of a model.

    `step` takes the last symbol of each row (R,) and the state, and gives log-probabilities (R, V) and the
    state after it. Rows of a sentence stand together, of each sentence as many. `rows` takes rows (S', W') of
    a state, those of S' sentences, one as often as it is named.
    """

    step: Callable[[Tensor, StateT], tuple[Tensor, StateT]]
    rows: Callable[[StateT, Tensor], StateT]
    begin: int
    end: int


@torch.no_grad()
def beam_search(
    model: SearchedModel[StateT],
    state: StateT,
    sentences: int,
    options: BeamOptions | None = None,
    *,
    prefixes: Sequence[Sequence[int]] | None = None,
    max_lengths: Sequence[int] | None = None,
    device: torch.device | None = None,
) -> list[list[Hypothesis]]:
    """The best hypotheses of each sentence, best first; `state` has a row for each sentence.

    A sentence is done when as many hypotheses as are asked for have ended, and none that goes on could still
    beat the last of them. With `prefixes` each hypothesis of a sentence begins with its symbols; with
    `max_lengths` each sentence has its own.

    Raises: ConfigError where prefixes or lengths do not fit.
    """
    options = options or BeamOptions()
    for name, given in (("prefixes", prefixes), ("max_lengths", max_lengths)):
        if given is not None and len(given) != sentences:
            raise ConfigError(f"{name}: got {len(given)}, expected one for each of {sentences} sentences.")
    longest = [options.max_length] * sentences if max_lengths is None else list(max_lengths)
    search = _Search(model, options, longest, prefixes, device)
    while search.going_on:
        state = search.step(state)
    return [search.best(sentence) for sentence in range(sentences)]


class _Search(Generic[StateT]):
    """A search at some step: the hypotheses that go on, of the sentences that are not done.

    Shapes: scores (S, W), minus infinity where there is none; symbols (S, W, t).
    """

    def __init__(
        self,
        model: SearchedModel[StateT],
        options: BeamOptions,
        longest: Sequence[int],
        prefixes: Sequence[Sequence[int]] | None,
        device: torch.device | None,
    ) -> None:
        sentences = len(longest)
        self._model, self._options, self._prefixes = model, options, prefixes
        self._longest = longest
        self._finished: list[list[Hypothesis]] = [[] for _ in range(sentences)]
        self._going: list[int] = list(range(sentences))
        self._scores = torch.zeros(sentences, 1, dtype=torch.float64, device=device)
        self._symbols = torch.empty(sentences, 1, 0, dtype=torch.int64, device=device)

    @property
    def going_on(self) -> bool:
        """Whether any sentence is not done."""
        return bool(self._going)

    def best(self, sentence: int) -> list[Hypothesis]:
        """What was found for a sentence."""
        return self._finished[sentence][: self._options.n_best]

    def step(self, state: StateT) -> StateT:
        """One symbol more for each hypothesis; the state after it, of those that go on."""
        S, W, t = self._symbols.shape
        last = self._symbols[..., -1] if t else self._scores.new_full((S, W), self._model.begin).long()
        log_probs, state = self._model.step(last.reshape(-1), state)
        V = log_probs.shape[-1]
        width = self._options.width
        # The best of all are among the best of each.
        best, following = self._allowed(log_probs.view(S, W, V)).topk(min(width, V), dim=2)
        totals = (self._scores.unsqueeze(2) + best.double()).flatten(1)
        scores, chosen = totals.topk(min(width, totals.shape[1]), dim=1)
        parents, symbols = chosen // best.shape[2], following.flatten(1).gather(1, chosen)
        kept = self._symbols.gather(1, parents.unsqueeze(2).expand(-1, -1, t))
        self._symbols = torch.cat([kept, symbols.unsqueeze(2)], dim=2)
        self._scores = scores
        ended = (symbols == self._model.end) & (scores > -torch.inf)
        self._finish(ended, ended=True)
        cut = torch.tensor(
            [self._longest[sentence] <= t + 1 for sentence in self._going], device=scores.device
        )
        if cut.any():
            self._finish((self._scores > -torch.inf) & cut.unsqueeze(1), ended=False)
        rows = torch.arange(S, device=chosen.device).unsqueeze(1) * W + parents
        return self._drop_done(rows, state)

    def _allowed(self, log_probs: Tensor) -> Tensor:
        """Log-probabilities with minus infinity for what may not follow. Shapes: (S, W, V) in and out."""
        t = self._symbols.shape[2]
        options = self._options
        if t < options.min_length or self._prefixes is not None:
            log_probs = log_probs.clone()
        if t < options.min_length:
            log_probs[..., self._model.end] = -torch.inf
        n = options.block_ngrams
        if n and t >= n:
            # Where the last n - 1 symbols stood before, what followed them there.
            windows = self._symbols.unfold(2, n, 1)
            stood = (windows[..., :-1] == self._symbols[..., None, t - n + 1 :]).all(3)
            followed = windows[..., -1]
            blocked = torch.zeros_like(log_probs, dtype=torch.int64).scatter_add_(2, followed, stood.long())
            log_probs = log_probs.masked_fill(blocked > 0, -torch.inf)
        if self._prefixes is not None:
            for place, sentence in enumerate(self._going):
                prefix = self._prefixes[sentence]
                if t < len(prefix):
                    only = log_probs[place, :, prefix[t]].clone()
                    log_probs[place] = -torch.inf
                    log_probs[place, :, prefix[t]] = only
        return log_probs

    def _finish(self, which: Tensor, *, ended: bool) -> None:
        """Take hypotheses out of those that go on. Shapes: which (S, W) bool."""
        penalty = self._options.length_penalty
        length = self._symbols.shape[2]
        for place, row in which.nonzero().tolist():
            symbols = self._symbols[place, row].tolist()
            log_prob = float(self._scores[place, row])
            score = log_prob / penalty.divisor(length)
            found = Hypothesis(tuple(symbols[:-1] if ended else symbols), log_prob, score, ended)
            self._finished[self._going[place]].append(found)
        self._scores = self._scores.masked_fill(which, -torch.inf)

    def _drop_done(self, rows: Tensor, state: StateT) -> StateT:
        """Leave out the sentences that are done, and give the state of the others. Shapes: rows (S, W)."""
        bests = self._scores.amax(1).tolist()
        going = [place for place, best in enumerate(bests) if not self._is_done(self._going[place], best)]
        for place, sentence in enumerate(self._going):
            if place not in going:
                self._finished[sentence].sort(key=lambda found: -found.score)
        self._going = [self._going[place] for place in going]
        if not going:
            return state
        places = torch.tensor(going, device=rows.device)
        self._scores, self._symbols = self._scores[places], self._symbols[places]
        return self._model.rows(state, rows[places])

    def _is_done(self, sentence: int, best: float) -> bool:
        """Whether none that goes on, the best of which has this log-probability, can be among the best."""
        if best == -torch.inf:
            return True
        options, found = self._options, self._finished[sentence]
        if len(found) < options.n_best:
            return False
        least = sorted((one.score for one in found), reverse=True)[options.n_best - 1]
        length = self._symbols.shape[2]
        return least >= options.length_penalty.best(best, length, self._longest[sentence])
