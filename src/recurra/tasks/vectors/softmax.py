"""Training with the full softmax, p(t | c) = exp(θ_t·e_c) / Σ_j exp(θ_j·e_c), by gradients."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recurra.kernels.word_vectors import WordContexts, WordLoss
from recurra.layers import State
from recurra.tasks.vectors.config import VectorsConfig
from recurra.tasks.vectors.corpus import WordCorpus, WordText, shuffled
from recurra.tasks.vectors.networks import VectorNetwork, contexts_of
from recurra.training import Objective

_STEP, _MASK = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xFFFFFFFF)
_IGNORED = -100


def _mixed(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _drawn(seed: int, epoch: int, tokens: NDArray[np.int64], number: int) -> NDArray[np.uint64]:
    """Return random number `number` (from 1) of some tokens, as the kernels draw it. Shapes: tokens (n,)."""
    with np.errstate(over="ignore"):
        first = _mixed(np.uint64(seed) + _STEP * np.uint64(epoch + 1) + np.zeros(1, np.uint64))
        state = _mixed(first + _STEP * (tokens + 1).astype(np.uint64))
        return _mixed(state + _STEP * np.uint64(number))


@dataclass(frozen=True)
class ContextBatch:
    """Positions with their context words, -1 where there is none, and the words to predict.

    `count` is the number of predictions. Shapes: contexts (n, C) ids; targets (n,) ids.
    """

    contexts: Tensor
    targets: Tensor
    count: int

    def to(self, device: torch.device) -> "ContextBatch":
        """Return the batch on another device."""
        return replace(self, contexts=self.contexts.to(device), targets=self.targets.to(device))


class ContextFeed:
    """The positions of a text, `batch_size` words of it at a time, in another random order each epoch."""

    def __init__(
        self,
        text: WordText,
        contexts: WordContexts,
        keep: NDArray[np.float32] | None,
        *,
        batch_size: int,
        seed: int,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        self._words, self._contexts, self._keep, self._seed = text.words, contexts, keep, seed
        self._size, self._rank, self._processes = batch_size, rank, processes
        self.batch_rows = batch_size // processes

    def __len__(self) -> int:
        """Number of batches per epoch."""
        return -(-len(self._words) // self._size)

    def window(self, first: int, last: int, epoch: int) -> tuple[ContextBatch, int]:
        """Return batch `last` of an epoch; batches are never joined."""
        part = int(shuffled(len(self), self._seed, epoch)[last])
        begin, end = part * self._size, min((part + 1) * self._size, len(self._words))
        found = self.positions(begin, end, epoch)
        count = int((found.targets != _IGNORED).sum())
        if self._processes > 1:
            own = slice(self._rank, None, self._processes)
            found = replace(found, contexts=found.contexts[own], targets=found.targets[own])
        if not len(found.targets):  # nothing to predict: a row that is ignored
            columns = found.contexts.shape[1]
            found = ContextBatch(torch.zeros(1, columns, dtype=torch.int64), torch.full((1,), _IGNORED), 0)
        return replace(found, count=max(1, count)), 0

    def positions(self, begin: int, end: int, epoch: int) -> ContextBatch:
        """Return the positions of tokens `begin` … `end` - 1 that are kept and have a context."""
        starts, how = self._words.starts, self._contexts
        low = int(np.searchsorted(starts, begin, side="right")) - 1
        high = int(np.searchsorted(starts, end, side="left"))
        places = np.arange(starts[low], starts[high])
        words = np.asarray(self._words.tokens[places[0] : places[-1] + 1], np.int64)
        sentences = np.repeat(np.arange(low, high), np.diff(starts[low : high + 1]))
        if self._keep is not None:
            bits = _drawn(self._seed, epoch, places, 1)
            kept = ((bits & _MASK) >> np.uint64(8)).astype(np.float32) * np.float32(2**-24) < self._keep[
                words
            ]
            places, words, sentences = places[kept], words[kept], sentences[kept]
        reach = np.full(len(words), how.window)
        number = 2
        if how.shrink:
            drawn = _drawn(self._seed, epoch, places, number) >> np.uint64(32)
            reach = 1 + ((drawn * np.uint64(how.window)) >> np.uint64(32)).astype(np.int64)
            number += 1
        offsets = [*range(-how.window, 0), *([] if how.reach == "previous" else range(1, how.window + 1))]
        at = np.arange(len(words))[:, None] + np.array(offsets)
        inside = (at >= 0) & (at < len(words)) & (np.abs(offsets) <= reach[:, None])
        at = np.clip(at, 0, max(0, len(words) - 1))
        inside &= sentences[at] == sentences[:, None]
        found = np.where(inside, words[at], -1)
        if how.reach == "nearby":
            found = self._one_of(found, places, epoch, number)
        usable = (places >= begin) & (places < end) & (found >= 0).any(1)
        if how.hidden == "concatenated":
            usable &= (found >= 0).all(1)
        contexts, targets = found[usable], words[usable]
        if how.hidden == "each":  # each context word is a prediction of its own
            rows, columns = np.nonzero(contexts >= 0)
            contexts, targets = contexts[rows, columns][:, None], targets[rows]
        return ContextBatch(torch.from_numpy(contexts), torch.from_numpy(targets), len(targets))

    def _one_of(
        self, found: NDArray[np.int64], places: NDArray[np.int64], epoch: int, number: int
    ) -> NDArray[np.int64]:
        """Return one context word of each position, drawn uniformly. Shapes: found (n, C); result (n, 1)."""
        counts = (found >= 0).sum(1)
        drawn = _drawn(self._seed, epoch, places, number) >> np.uint64(32)
        chosen = ((drawn * counts.astype(np.uint64)) >> np.uint64(32)).astype(np.int64)
        column = (np.cumsum(found >= 0, 1) == (chosen + 1)[:, None]).argmax(1)
        return np.asarray(np.where(counts > 0, found[np.arange(len(found)), column], -1)[:, None])


def text_loss(network: VectorNetwork, text: WordText, contexts: WordContexts, seed: int) -> WordLoss:
    """Return the summed loss of all predictions of a text."""
    feed = ContextFeed(text, contexts, None, batch_size=4096, seed=seed)
    total, predictions, device = 0.0, 0, network.input.device
    with torch.no_grad():
        for number in range(len(feed)):
            batch = feed.window(number, number, 0)[0].to(device)
            total += float(network.total_loss(batch.contexts, batch.targets))
            predictions += int((batch.targets != _IGNORED).sum())
    return WordLoss(total, predictions)


class SoftmaxObjective(Objective):
    """-log p(word | context), summed over the predictions of a batch."""

    def __init__(self, network: VectorNetwork, corpus: WordCorpus, config: VectorsConfig) -> None:
        super().__init__(network)
        self._vectors, self._valid, self._seed = network, corpus.valid, config.seed
        self._contexts = contexts_of(config)

    def loss(
        self, network: nn.Module, segment: ContextBatch, state: State | None, context: int
    ) -> tuple[Tensor, State | None, Tensor | None]:
        """Return the summed loss of a batch, without state and penalty."""
        vectors = cast(VectorNetwork, network)  # perhaps in a wrapper of several processes
        return vectors.total_loss(segment.contexts, segment.targets), None, None

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Return the mean loss per prediction on the held-out text."""
        found = text_loss(self._vectors, self._valid, self._contexts, self._seed)
        return {"loss": found.total / found.predictions}

    def criterion(self, figures: Mapping[str, float]) -> float:
        """Return the loss."""
        return figures["loss"]
