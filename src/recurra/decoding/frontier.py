"""The frontier of a beam search: the active hypotheses at each step.

The model computes in torch; the frontier has only a few hundred values, for which numpy has less overhead.
"""

from functools import partial
from typing import Any, Generic

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recurra.decoding.constraints import Candidate, choose_with_phrases, has_phrases
from recurra.decoding.search_terms import BeamOptions, Hypothesis, OutputConstraints, SearchedModel, StateT
from recurra.errors import ConfigError, RunError
from recurra.kernels.best_symbols import best_symbols
from recurra.layers.output import OutputScores

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Chosen = tuple[Floats, Indices, Indices]  # scores, the rows that they extend, symbols: each (S, W)


class Frontier(Generic[StateT]):
    """The state of a search after t steps: the active hypotheses of the unfinished sentences.

    Shapes: scores (S, W), minus infinity for empty slots; symbols (S, W, t).
    """

    def __init__(
        self,
        model: SearchedModel[StateT],
        options: BeamOptions,
        asked: OutputConstraints,
        device: torch.device | None,
    ) -> None:
        if options.coverage_penalty and model.unattended is None:
            raise ConfigError("coverage_penalty: needs a model with attention; remove it.")
        sentences = len(asked.longest)
        self._model, self._options, self._asked = model, options, asked
        self._device = device or torch.device("cpu")
        self._finished: list[list[Hypothesis]] = [[] for _ in range(sentences)]
        self._going: list[int] = list(range(sentences))
        self._scores: Floats = np.zeros((sentences, 1))
        self._symbols: Indices = np.zeros((sentences, 1, 0), dtype=np.int64)

    @property
    def going_on(self) -> bool:
        """Whether any sentence is unfinished."""
        return bool(self._going)

    def best(self, sentence: int) -> list[Hypothesis]:
        """Return the best finished hypotheses of a sentence."""
        return self._finished[sentence]

    def step(self, state: StateT) -> StateT:
        """Extend each hypothesis by one symbol; return the state of the active ones."""
        S, W, t = self._symbols.shape
        last = self._symbols[..., -1] if t else np.full((S, W), self._model.begin)
        given, state = self._model.step(self._on_device(last).flatten(), state)
        scores, parents, symbols = self._chosen(given)
        self._keep_what_cannot_go_on(scores)
        kept = np.take_along_axis(self._symbols, parents[..., None], axis=1)
        self._symbols = np.concatenate([kept, symbols[..., None]], axis=2)
        self._scores = scores
        bonus = None
        if self._options.coverage_penalty and self._model.unattended is not None:
            unattended = _on_host(self._model.unattended(state).double()).reshape(S, W)
            bonus = self._options.coverage_penalty * np.take_along_axis(unattended, parents, axis=1)
        self._finish((symbols == self._model.end) & (scores > -np.inf), bonus, ended=True)
        cut = np.array([self._asked.longest[sentence] <= t + 1 for sentence in self._going])
        if cut.any():
            self._finish((self._scores > -np.inf) & cut[:, None], bonus, ended=False)
        return self._drop_done(np.arange(S)[:, None] * W + parents, state)

    def _on_device(self, array: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(array).to(self._device)

    def _keep_what_cannot_go_on(self, scores: Floats) -> None:
        """Cut the hypotheses of sentences without any continuation or result. Shapes: scores (S, W)."""
        for place in (scores == -np.inf).all(1).nonzero()[0].tolist():
            if not self._finished[self._going[place]]:
                which = np.zeros(self._scores.shape, dtype=bool)
                which[place] = self._scores[place] > -np.inf
                self._finish(which, None, ended=False)

    def settled(self) -> tuple[int, ...]:
        """Return the symbols that all possible best hypotheses of the first sentence share."""
        lines = [found.symbols for found in self._finished[0]]
        if self._going:
            lines += [tuple(line) for line in self._symbols[0][self._scores[0] > -np.inf].tolist()]
        length = 0
        while lines and all(len(line) > length and line[length] == lines[0][length] for line in lines):
            length += 1
        return lines[0][:length] if lines else ()

    def _chosen(self, given: Tensor | OutputScores) -> Chosen:
        """Return the continuations to keep, and the rows that they extend.

        Shapes: given (S*W, V); results (S, W').
        """
        S, W = self._scores.shape
        if self._is_free:
            return self._best(*self._likeliest(given))
        every = given if isinstance(given, Tensor) else given.all()
        log_probs = self._allowed(every.log_softmax(1).view(S, W, -1))
        if self._options.groups > 1:
            return self._diverse(log_probs)
        best, following = log_probs.topk(min(self._options.width, log_probs.shape[2]), dim=2)
        found = self._best(_on_host(best.double()), _on_host(following))
        return found if self._asked.phrases is None else self._with_phrases(log_probs, found)

    @property
    def _is_free(self) -> bool:
        """Whether the step is unconstrained, so that the best symbols are taken."""
        asked, options, t = self._asked, self._options, self._symbols.shape[2]
        bound = options.block_ngrams or options.groups > 1 or t < options.min_length or options.banned
        return not (bound or asked.phrases is not None or asked.prefixes is not None)

    def _likeliest(self, given: Tensor | OutputScores) -> tuple[Floats, Indices]:
        """Return log P and ids of each row's best symbols. Shapes: given (S*W, V); results (S, W, k)."""
        S, W = self._scores.shape
        alive, width = self._scores > -np.inf, self._options.width
        if isinstance(given, Tensor) or alive.all():
            found = best_symbols(given, width) if isinstance(given, Tensor) else given.best(width)
            return _on_host(found[0].double()).reshape(S, W, -1), _on_host(found[1]).reshape(S, W, -1)
        found = given.best(width, self._on_device(alive.ravel().nonzero()[0]))
        best, following = np.zeros((S, W, found[0].shape[1])), np.zeros((S, W, found[0].shape[1]), np.int64)
        best[alive], following[alive] = _on_host(found[0].double()), _on_host(found[1])
        return best, following

    def _totals(self, best: Floats) -> Floats:
        """Return the log-probabilities of the extended hypotheses. Shapes: best and result (S, W, k)."""
        totals: Floats = self._scores[..., None] + best
        if np.isnan(totals).any():
            raise RunError("the model's scores are NaN: its weights are damaged; train it again.")
        return totals

    def _best(self, best: Floats, following: Indices) -> Chosen:
        """Return the best continuations of each sentence. Shapes: best, following (S, W, k)."""
        S, _, k = best.shape
        totals = self._totals(best).reshape(S, -1)
        chosen = _largest(totals, self._options.width)
        symbols = np.take_along_axis(following.reshape(S, -1), chosen, axis=1)
        return np.take_along_axis(totals, chosen, axis=1), chosen // k, symbols

    def _diverse(self, log_probs: Tensor) -> Chosen:
        """Return the best continuations of each sentence, group by group. Shapes: log_probs (S, W, V)."""
        S, W, V = log_probs.shape
        groups, width = self._options.groups, self._options.width // self._options.groups
        # Enough candidates to skip those that earlier groups took.
        best, likeliest = log_probs.topk(min(2 * self._options.width, V), dim=2)
        totals, following = self._totals(_on_host(best.double())), _on_host(likeliest)
        taken = np.zeros((S, V))
        every = []
        for group in range(groups):
            own = slice(0, W) if groups * width > W else slice(group * width, (group + 1) * width)
            candidates, symbols = totals[:, own].reshape(S, -1), following[:, own].reshape(S, -1)
            ranked = candidates - self._options.diversity * np.take_along_axis(taken, symbols, axis=1)
            chosen = _largest(ranked, width)
            of_group = np.take_along_axis(symbols, chosen, axis=1)
            gained = np.take_along_axis(candidates, chosen, axis=1)
            np.add.at(taken, (np.arange(S)[:, None], of_group), gained > -np.inf)
            every.append((gained, own.start + chosen // best.shape[2], of_group))
        scores, parents, symbols = (np.concatenate(parts, axis=1) for parts in zip(*every, strict=True))
        return scores, parents, symbols

    def _with_phrases(self, log_probs: Tensor, found: Chosen) -> Chosen:
        """Replace the continuations of sentences with phrases by those of `choose_with_phrases`."""
        assert self._asked.phrases is not None, "called only with phrases"
        scores, parents, symbols = found
        for place, sentence in enumerate(self._going):
            phrases = self._asked.phrases[sentence]
            if not phrases:
                continue
            before = [
                Candidate(score, row, tuple(self._symbols[place, row].tolist()))
                for row, score in enumerate(self._scores[place].tolist())
                if score > -np.inf
            ]
            kept = choose_with_phrases(
                log_probs[place], before, phrases, self._options.width, self._model.end
            )
            scores[place] = -np.inf
            for rank, one in enumerate(kept):
                scores[place, rank] = one.score
                parents[place, rank] = one.row
                symbols[place, rank] = one.symbols[-1]
        return scores, parents, symbols

    def _allowed(self, log_probs: Tensor) -> Tensor:
        """Set disallowed symbols to minus infinity in log-probabilities. Shapes: (S, W, V) in and out."""
        t = self._symbols.shape[2]
        options = self._options
        if t < options.min_length or self._asked.prefixes is not None or options.banned:
            log_probs = log_probs.clone()
        if t < options.min_length:
            log_probs[..., self._model.end] = -torch.inf
        log_probs[..., list(options.banned)] = -torch.inf
        if options.block_ngrams:
            blocked = repeating(self._on_device(self._symbols), log_probs.shape[2], options.block_ngrams)
            log_probs = log_probs.masked_fill(blocked, -torch.inf)
        if self._asked.prefixes is not None:
            for place, sentence in enumerate(self._going):
                prefix = self._asked.prefixes[sentence]
                if t < len(prefix):
                    only = log_probs[place, :, prefix[t]].clone()
                    log_probs[place] = -torch.inf
                    log_probs[place, :, prefix[t]] = only
        return log_probs

    def _finish(self, which: NDArray[np.bool_], bonus: Floats | None, *, ended: bool) -> None:
        """Move hypotheses from the active to the finished ones. Shapes: which (S, W) bool; bonus (S, W)."""
        places = which.nonzero()[0].tolist()
        if not places:
            return
        divisor = self._options.length_penalty.divisor(self._symbols.shape[2])
        lines, log_probs = self._symbols[which].tolist(), self._scores[which].tolist()
        bonuses = [0.0] * len(lines) if bonus is None else bonus[which].tolist()
        for place, symbols, log_prob, more in zip(places, lines, log_probs, bonuses, strict=True):
            score = log_prob / divisor + more
            found = Hypothesis(tuple(symbols[:-1] if ended else symbols), log_prob, score, ended)
            finished = self._finished[self._going[place]]
            # Groups of a diverse beam may find the same hypothesis.
            if not any(one[::3] == found[::3] for one in finished):
                finished.append(found)
                # The others cannot be among the best any more; keeping them would cost time at every step.
                finished.sort(key=partial(self._rank, self._going[place]))
                del finished[self._options.n_best :]
        self._scores = np.where(which, -np.inf, self._scores)

    def _drop_done(self, rows: Indices, state: StateT) -> StateT:
        """Remove hypotheses that can no longer be among the best, and sentences without any left; return the
        state of the others. Shapes: rows (S, W)."""
        hopeful = self._hopeful()
        counts = hopeful.sum(1)
        self._going = [self._going[place] for place in counts.nonzero()[0]]
        if not self._going:
            return state
        W = int(counts.max())
        if counts.all() and rows.shape[1] == W:
            self._scores = np.where(hopeful, self._scores, -np.inf)
            return self._model.rows(state, self._on_device(rows))
        # A sentence with fewer hypotheses is padded with copies of its first, with probability 0.
        own = hopeful[counts > 0]
        columns = np.argsort(~own, axis=1, kind="stable")[:, :W]
        real = np.take_along_axis(own, columns, axis=1)
        columns = np.where(real, columns, columns[:, :1])
        places = counts.nonzero()[0][:, None]
        self._scores = np.where(real, self._scores[places, columns], -np.inf)
        self._symbols = self._symbols[places, columns]
        return self._model.rows(state, self._on_device(rows[places, columns]))

    def _hopeful(self) -> NDArray[np.bool_]:
        """Return which active hypotheses can still be among the best, judging by their log-probabilities.

        A hopeless hypothesis has less probable continuations than any other, so it takes no other's place in
        the beam and can be removed. With groups or phrases, which divide the beam, it is kept.

        Shapes: result (S, W).
        """
        longest = [self._asked.longest[sentence] for sentence in self._going]
        bounds = self._options.length_penalty.best(self._scores, self._symbols.shape[2], longest)
        least = np.array([self._least(sentence) for sentence in self._going])
        kept: NDArray[np.bool_] = (self._scores > -np.inf) & (bounds > least[:, None])
        if self._options.groups > 1 or self._asked.phrases is not None:
            return np.broadcast_to(kept.any(1, keepdims=True), kept.shape)
        return kept

    def _least(self, sentence: int) -> float:
        """Return the score that a hypothesis must beat to be among the best."""
        found = self._finished[sentence]
        if self._asked.phrases is not None:  # a cut hypothesis may lack some phrases
            phrases = self._asked.phrases[sentence]
            found = [one for one in found if has_phrases(one.symbols, phrases)]
        n = self._options.n_best
        return -np.inf if len(found) < n else sorted((one.score for one in found), reverse=True)[n - 1]

    def _rank(self, sentence: int, found: Hypothesis) -> tuple[bool, float]:
        """Return the sort key of a finished hypothesis: those with all phrases first, then by score."""
        phrases = self._asked.phrases
        return phrases is not None and not has_phrases(found.symbols, phrases[sentence]), -found.score


def repeating(symbols: Tensor, vocabulary_size: int, n: int) -> Tensor:
    """Return which symbols would repeat an n-gram. Shapes: symbols (S, W, t); result (S, W, V) bool."""
    t = symbols.shape[2]
    blocked = symbols.new_zeros(*symbols.shape[:2], vocabulary_size)
    if t >= n:
        # Block the symbols that followed earlier occurrences of the last n - 1 symbols.
        windows = symbols.unfold(2, n, 1)
        stood = (windows[..., :-1] == symbols[..., None, t - n + 1 :]).all(3)
        blocked.scatter_add_(2, windows[..., -1], stood.long())
    return blocked > 0


def _on_host(tensor: Tensor) -> NDArray[Any]:
    array: NDArray[Any] = tensor.cpu().numpy()
    return array


def _largest(numbers: Floats, count: int) -> Indices:
    """Return the indices of the largest values of each row; ties in order. Shapes: (S, N) to (S, count)."""
    return np.argsort(-numbers, axis=1, kind="stable")[:, :count]
