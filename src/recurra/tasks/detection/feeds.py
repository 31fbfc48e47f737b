"""Training scenes as batches of streams: labels, normalised frames, and how often a label is 1."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from recurra.audio.features import features_of
from recurra.audio.normalisation import Statistics, statistics_of
from recurra.data.sound_scenes import Placed, Scene, SceneMaker
from recurra.models.detector import FrameBatch
from recurra.tasks.detection.symbols import DetectorSymbols

Floats = NDArray[np.float32]
Labels = NDArray[np.int8]
_COUNTED = 400  # scenes whose labels are counted


class LabelSpan(NamedTuple):
    """The label 1 from the end of a word on, in seconds, and the margins around it that do not count."""

    seconds: float
    margin_s: float


class SceneFeed:
    """Scenes for the training loop: each of `batch_size` streams continues from update to update.

    Scene `index` of an epoch is drawn from a generator of its own (seed, epoch, index, stream), so a run can
    resume at any update.
    """

    def __init__(
        self,
        maker: SceneMaker,
        symbols: DetectorSymbols,
        label: LabelSpan,
        *,
        batch_size: int,
        updates: int,
        seed: int,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        self._maker, self._symbols, self._label = maker, symbols, label
        self._updates, self._seed = updates, seed
        self._streams = range(rank, batch_size, processes)
        self._batch_size = batch_size
        self.batch_rows = batch_size // processes
        seconds = maker.settings.seconds
        self._steps = max(1, round(seconds / symbols.step_s))
        self._samples = symbols.samples_of(self._steps)

    def __len__(self) -> int:
        """Number of updates per epoch."""
        return self._updates

    def window(self, first: int, last: int, epoch: int) -> tuple[FrameBatch, int]:
        """Return scene `last` of each stream; scenes are never joined."""
        rows = [self._example(epoch, last, stream) for stream in self._streams]
        labels = torch.from_numpy(np.stack([row[1] for row in rows])).long()
        frames = torch.from_numpy(np.stack([row[0] for row in rows]))
        every = self._batch_size * self._steps * len(self._symbols.words)
        return FrameBatch(frames, labels, every), 0

    def positive_share(self) -> float:
        """Return the share of labels of 1 in the scenes, from those of the first ones."""
        draws = (self._draw(0, index, stream) for index in range(self._updates) for stream in self._streams)
        counts = np.zeros(2)
        for _, draw in zip(range(_COUNTED), draws, strict=False):
            labels = labels_of(self._maker.plan(draw, self._samples), self._steps, self._symbols, self._label)
            counts += (labels == 1).sum(), (labels == 0).sum()
        return float(counts[0] / max(1.0, counts.sum()))

    def _draw(self, epoch: int, index: int, stream: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, epoch, index, stream])

    def _example(self, epoch: int, index: int, stream: int) -> tuple[Floats, Labels]:
        draw = self._draw(epoch, index, stream)
        scene = self._maker.make(draw, self._samples)
        return inputs_of(scene, self._symbols, draw), labels_of(
            scene.words, self._steps, self._symbols, self._label
        )


def inputs_of(scene: Scene, symbols: DetectorSymbols, draw: np.random.Generator) -> Floats:
    """Return the normalised inputs of a scene's steps.

    Running statistics start between those of the training data, as at the beginning of a stream, and those of
    the scene, as later in it. Shapes: result (T, I).
    """
    frames = features_of(scene.samples, symbols.settings)
    own, given = statistics_of([frames]), symbols.statistics
    share = draw.random()
    start = Statistics(
        share * given.mean + (1 - share) * own.mean,
        np.sqrt(share * given.deviation**2 + (1 - share) * own.deviation**2),
    )
    normalised = symbols.normaliser(start).push(frames)
    whole = len(normalised) // symbols.frames_per_step * symbols.frames_per_step
    return normalised[:whole].reshape(-1, symbols.input_size)


def labels_of(words: Sequence[Placed], steps: int, symbols: DetectorSymbols, label: LabelSpan) -> Labels:
    """Return the labels of a scene: 1 after the end of a word, 0 elsewhere, -1 next to the ones.

    Shapes: result (T, K).
    """
    times = symbols.first_s + np.arange(steps) * symbols.step_s
    labels = np.zeros((steps, len(symbols.words)), np.int8)
    for word, end in words:
        near = (times >= end - label.margin_s) & (times < end + label.seconds + label.margin_s)
        inside = (times >= end) & (times < end + label.seconds)
        labels[near & (labels[:, word] == 0), word] = -1
        labels[inside, word] = 1
    return labels
