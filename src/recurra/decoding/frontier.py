"""The frontier of a beam search: the hypotheses that go on, step by step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, Literal, NamedTuple, TypeVar

import torch
from torch import Tensor

from recurra.decoding.constraints import Candidate, choose_with_phrases, has_phrases
from recurra.errors import ConfigError, RunError
from recurra.kernels.best_symbols import best_symbols
from recurra.layers.output import OutputScores

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
    `coverage_penalty`, β: a hypothesis that ends has β Σ_s log min(κ_s, 1) added to its score, κ_s what its
    symbols together attended to source step s (Wu et al. 2016).
    `groups`: the beam is cut into so many, one after the other at each step; a later one sees `diversity`
    less log-probability for each time that an earlier one took a symbol (Vijayakumar et al. 2018).

    Raises: ConfigError for numbers that cannot be.
    """

    width: int = 5
    n_best: int = 1
    max_length: int = 100
    min_length: int = 0
    length_penalty: LengthPenalty = LengthPenalty()
    block_ngrams: int = 0
    coverage_penalty: float = 0.0
    groups: int = 1
    diversity: float = 0.5

    def __post_init__(self) -> None:
        for name, least in (
            ("width", 1),
            ("n_best", 1),
            ("max_length", 1),
            ("min_length", 0),
            ("block_ngrams", 0),
            ("coverage_penalty", 0),
            ("groups", 1),
            ("diversity", 0),
        ):
            if getattr(self, name) < least:
                raise ConfigError(f"{name}: got {getattr(self, name)}, expected >= {least}.")
        if self.width % self.groups:
            raise ConfigError(f"groups: got {self.groups}, expected a divisor of the width, {self.width}.")
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

    `step` takes the last symbol of each row (R,) and the state, and gives scores (R, V), or what computes
    them, whose log-softmax are the log-probabilities, and the state after it. Rows of a sentence stand
    together, of each sentence as many. `rows` takes rows (S', W') of a state, those of S' sentences, one as
    often as it is named. `unattended` gives Σ_s log min(κ_s, 1) of each row (R,), for the coverage penalty.
    """

    step: Callable[[Tensor, StateT], tuple[Tensor | OutputScores, StateT]]
    rows: Callable[[StateT, Tensor], StateT]
    begin: int
    end: int
    unattended: Callable[[StateT], Tensor] | None = None


@dataclass(frozen=True)
class Asked:
    """What is asked of each sentence: how long it may be, how it begins, what it must have in it."""

    longest: Sequence[int]
    prefixes: Sequence[Sequence[int]] | None = None
    phrases: Sequence[Sequence[Sequence[int]]] | None = None


class Frontier(Generic[StateT]):
    """A search at some step: the hypotheses that go on, of the sentences that are not done.

    Shapes: scores (S, W), minus infinity where there is none; symbols (S, W, t).
    """

    def __init__(
        self,
        model: SearchedModel[StateT],
        options: BeamOptions,
        asked: Asked,
        device: torch.device | None,
    ) -> None:
        if options.coverage_penalty and model.unattended is None:
            raise ConfigError("coverage_penalty: needs a model with attention; leave it out.")
        sentences = len(asked.longest)
        self._model, self._options, self._asked = model, options, asked
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
        given, state = self._model.step(last.reshape(-1), state)
        scores, parents, symbols = self._chosen(given)
        if bool(scores.isnan().any()):
            raise RunError("the model gives NaN in place of scores: its weights are damaged; train it again.")
        self._keep_what_cannot_go_on(scores)
        kept = self._symbols.gather(1, parents.unsqueeze(2).expand(-1, -1, t))
        self._symbols = torch.cat([kept, symbols.unsqueeze(2)], dim=2)
        self._scores = scores
        bonus = None
        if self._options.coverage_penalty and self._model.unattended is not None:
            unattended = self._model.unattended(state).double().view(S, W).gather(1, parents)
            bonus = self._options.coverage_penalty * unattended
        ended = (symbols == self._model.end) & (scores > -torch.inf)
        self._finish(ended, bonus, ended=True)
        longest = self._asked.longest
        cut = torch.tensor([longest[sentence] <= t + 1 for sentence in self._going], device=scores.device)
        if cut.any():
            self._finish((self._scores > -torch.inf) & cut.unsqueeze(1), bonus, ended=False)
        rows = torch.arange(S, device=parents.device).unsqueeze(1) * W + parents
        return self._drop_done(rows, state)

    def _keep_what_cannot_go_on(self, scores: Tensor) -> None:
        """Where nothing may follow and nothing has ended, the hypotheses are cut. Shapes: scores (S, W)."""
        for place in (scores == -torch.inf).all(1).nonzero().flatten().tolist():
            if not self._finished[self._going[place]]:
                which = torch.zeros_like(self._scores, dtype=torch.bool)
                which[place] = self._scores[place] > -torch.inf
                self._finish(which, None, ended=False)

    def settled(self) -> tuple[int, ...]:
        """Of one sentence the symbols that all have which may still be the best."""
        lines = [found.symbols for found in self._finished[0][:]]
        if self._going:
            alive = (self._scores[0] > -torch.inf).nonzero().flatten().tolist()
            lines += [tuple(self._symbols[0, row].tolist()) for row in alive]
        length = 0
        while lines and all(len(line) > length and line[length] == lines[0][length] for line in lines):
            length += 1
        return lines[0][:length] if lines else ()

    def _chosen(self, given: Tensor | OutputScores) -> tuple[Tensor, Tensor, Tensor]:
        """The continuations that are kept: scores, the rows that they go on from, symbols.

        Shapes: given (S*W, V); results (S, W').
        """
        S, W = self._scores.shape
        width = self._options.width
        if self._is_free:
            best, following = best_symbols(given, width) if isinstance(given, Tensor) else given.best(width)
            return self._best(best.view(S, W, -1), following.view(S, W, -1))
        every = given if isinstance(given, Tensor) else given.all()
        log_probs = self._allowed(every.log_softmax(1).view(S, W, -1))
        if self._options.groups > 1:
            return self._diverse(log_probs)
        found = self._best(*log_probs.topk(min(width, log_probs.shape[2]), dim=2))
        return found if self._asked.phrases is None else self._with_phrases(log_probs, found)

    @property
    def _is_free(self) -> bool:
        """Whether any symbol may follow, and the best are taken."""
        asked, options, t = self._asked, self._options, self._symbols.shape[2]
        bound = options.block_ngrams or options.groups > 1 or t < options.min_length
        return not (bound or asked.phrases is not None or asked.prefixes is not None)

    def _best(self, best: Tensor, following: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of the best of each hypothesis those of all. Shapes: best, following (S, W, k)."""
        totals = (self._scores.unsqueeze(2) + best.double()).flatten(1)
        scores, chosen = totals.topk(min(self._options.width, totals.shape[1]), dim=1)
        return scores, chosen // best.shape[2], following.flatten(1).gather(1, chosen)

    def _diverse(self, log_probs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same, group by group. Shapes: log_probs (S, W, V)."""
        S, W, V = log_probs.shape
        groups, width = self._options.groups, self._options.width // self._options.groups
        # So many, that what earlier groups took can be passed over.
        best, following = log_probs.topk(min(2 * self._options.width, V), dim=2)
        totals = self._scores.unsqueeze(2) + best.double()
        taken = torch.zeros(S, V, dtype=totals.dtype, device=totals.device)
        every = []
        for group in range(groups):
            own = slice(0, W) if groups * width > W else slice(group * width, (group + 1) * width)
            first = own.start or 0
            candidates, symbols = totals[:, own].flatten(1), following[:, own].flatten(1)
            ranked = candidates - self._options.diversity * taken.gather(1, symbols)
            chosen = ranked.topk(width, dim=1).indices if ranked.shape[1] > width else _all_of(ranked)
            of_group = symbols.gather(1, chosen)
            gained = candidates.gather(1, chosen)
            taken.scatter_add_(1, of_group, (gained > -torch.inf).to(taken.dtype))
            every.append((gained, first + chosen // best.shape[2], of_group))
        scores, parents, symbols = (torch.cat(parts, dim=1) for parts in zip(*every, strict=True))
        return scores, parents, symbols

    def _with_phrases(
        self, log_probs: Tensor, found: tuple[Tensor, Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What was found, but for sentences with phrases, which choose so that they come in."""
        assert self._asked.phrases is not None, "asked for with phrases"
        scores, parents, symbols = found
        for place, sentence in enumerate(self._going):
            phrases = self._asked.phrases[sentence]
            if not phrases:
                continue
            before = [
                Candidate(float(score), row, tuple(self._symbols[place, row].tolist()))
                for row, score in enumerate(self._scores[place])
                if score > -torch.inf
            ]
            kept = choose_with_phrases(
                log_probs[place], before, phrases, self._options.width, self._model.end
            )
            scores[place] = -torch.inf
            for rank, one in enumerate(kept):
                scores[place, rank] = one.score
                parents[place, rank] = one.row
                symbols[place, rank] = one.symbols[-1]
        return scores, parents, symbols

    def _allowed(self, log_probs: Tensor) -> Tensor:
        """Log-probabilities with minus infinity for what may not follow. Shapes: (S, W, V) in and out."""
        t = self._symbols.shape[2]
        options = self._options
        if t < options.min_length or self._asked.prefixes is not None:
            log_probs = log_probs.clone()
        if t < options.min_length:
            log_probs[..., self._model.end] = -torch.inf
        if options.block_ngrams:
            blocked = repeating(self._symbols, log_probs.shape[2], options.block_ngrams)
            log_probs = log_probs.masked_fill(blocked, -torch.inf)
        if self._asked.prefixes is not None:
            for place, sentence in enumerate(self._going):
                prefix = self._asked.prefixes[sentence]
                if t < len(prefix):
                    only = log_probs[place, :, prefix[t]].clone()
                    log_probs[place] = -torch.inf
                    log_probs[place, :, prefix[t]] = only
        return log_probs

    def _finish(self, which: Tensor, bonus: Tensor | None, *, ended: bool) -> None:
        """Take hypotheses out of those that go on. Shapes: which (S, W) bool; bonus (S, W)."""
        penalty = self._options.length_penalty
        length = self._symbols.shape[2]
        places = which.nonzero()
        if not len(places):
            return
        lines, log_probs = self._symbols[which].tolist(), self._scores[which].tolist()
        bonuses = [0.0] * len(lines) if bonus is None else bonus[which].tolist()
        for place, symbols, log_prob, more in zip(
            places[:, 0].tolist(), lines, log_probs, bonuses, strict=True
        ):
            score = log_prob / penalty.divisor(length) + more
            found = Hypothesis(tuple(symbols[:-1] if ended else symbols), log_prob, score, ended)
            finished = self._finished[self._going[place]]
            # Groups of a diverse beam may come to the same.
            if not any(one[::3] == found[::3] for one in finished):
                finished.append(found)
        self._scores = self._scores.masked_fill(which, -torch.inf)

    def _drop_done(self, rows: Tensor, state: StateT) -> StateT:
        """Leave out what cannot be among the best any more, and sentences of which nothing is left; give the
        state of the others. Shapes: rows (S, W)."""
        hopeful = [self._hopeful(*each) for each in zip(self._going, self._scores.tolist(), strict=True)]
        going = [place for place, columns in enumerate(hopeful) if columns]
        for place, sentence in enumerate(self._going):
            if not hopeful[place]:
                self._finished[sentence].sort(key=partial(self._rank, sentence))
        self._going = [self._going[place] for place in going]
        if not going:
            return state
        W = max(map(len, hopeful))
        if len(going) == len(rows) and rows.shape[1] == W:
            return self._model.rows(state, rows)
        # Of a sentence with fewer the rest is filled up with its first, at no probability.
        columns = [hopeful[place] + [0] * (W - len(hopeful[place])) for place in going]
        places = torch.tensor(going, device=rows.device).unsqueeze(1)
        chosen = torch.tensor(columns, device=rows.device)
        real = torch.tensor([[w < len(hopeful[place]) for w in range(W)] for place in going])
        self._scores = self._scores[places, chosen].masked_fill(~real.to(rows.device), -torch.inf)
        self._symbols = self._symbols[places, chosen]
        return self._model.rows(state, rows[places, chosen])

    def _hopeful(self, sentence: int, scores: list[float]) -> list[int]:
        """Which hypotheses that go on, by their log-probabilities, can still be among the best.

        What a hopeless one could go on to is less likely than what any other could: it takes nobody's place.
        So it can be left out, but where places are shared out over groups or phrases.
        """
        alive = [row for row, score in enumerate(scores) if score > -torch.inf]
        least = self._least(sentence)
        length, longest = self._symbols.shape[2], self._asked.longest[sentence]
        best = self._options.length_penalty.best
        kept = [row for row in alive if best(scores[row], length, longest) > least]
        shared = self._options.groups > 1 or self._asked.phrases is not None
        return list(range(len(scores))) if kept and shared else kept

    def _least(self, sentence: int) -> float:
        """The score that a hypothesis must beat to be among the best."""
        found = self._finished[sentence]
        if self._asked.phrases is not None:  # one that was cut may lack them
            phrases = self._asked.phrases[sentence]
            found = [one for one in found if has_phrases(one.symbols, phrases)]
        n = self._options.n_best
        return -torch.inf if len(found) < n else sorted((one.score for one in found), reverse=True)[n - 1]

    def _rank(self, sentence: int, found: Hypothesis) -> tuple[bool, float]:
        """What the best has least of: first it has its phrases."""
        phrases = self._asked.phrases
        return phrases is not None and not has_phrases(found.symbols, phrases[sentence]), -found.score


def repeating(symbols: Tensor, vocabulary_size: int, n: int) -> Tensor:
    """Which symbols would make the last n stand twice. Shapes: symbols (S, W, t); result (S, W, V) bool."""
    t = symbols.shape[2]
    blocked = symbols.new_zeros(*symbols.shape[:2], vocabulary_size)
    if t >= n:
        # Where the last n - 1 symbols stood before, what followed them there.
        windows = symbols.unfold(2, n, 1)
        stood = (windows[..., :-1] == symbols[..., None, t - n + 1 :]).all(3)
        blocked.scatter_add_(2, windows[..., -1], stood.long())
    return blocked > 0


def _all_of(ranked: Tensor) -> Tensor:
    return torch.arange(ranked.shape[1], device=ranked.device).expand_as(ranked)
