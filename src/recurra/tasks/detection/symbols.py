"""What a detector needs to read sound and to name events: words, features and statistics."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.audio.features import FeatureSettings, FeatureStream
from recurra.audio.normalisation import RunningNormalizer, Statistics
from recurra.errors import VocabularyError
from recurra.files import write_text
from recurra.metrics.detection import Matching
from recurra.tasks.detection.config import DetectConfig

Floats = NDArray[np.float32]
_FILE = "detector.json"


@dataclass(frozen=True)
class DetectorSymbols:
    """The words, the features of a frame, their statistics in the training data, and the normalisation.

    `running_s` is the time constant of running statistics; None if those of the training data are used.
    `longest_s` is the longest duration of each word in a recording that does not tell it.
    """

    words: tuple[str, ...]
    settings: FeatureSettings
    statistics: Statistics
    running_s: float | None
    frames_per_step: int
    longest_s: tuple[float, ...]

    @property
    def step_s(self) -> float:
        """The time between two decisions in seconds."""
        return self.frames_per_step * self.settings.hop / self.settings.rate

    @property
    def first_s(self) -> float:
        """The time of the first decision: the end of its last frame."""
        own = self.settings
        held_back = self.settings.delay * own.hop
        return ((self.frames_per_step - 1) * own.hop + own.window + held_back) / own.rate

    @property
    def input_size(self) -> int:
        """The number of inputs of a step."""
        return self.settings.size * self.frames_per_step

    def samples_of(self, steps: int) -> int:
        """Return how many samples give a number of steps, without deltas."""
        own = self.settings
        return (steps * self.frames_per_step - 1) * own.hop + own.window

    def normaliser(self, start: Statistics | None = None) -> "Normaliser":
        """Return a new normaliser, whose running statistics start from `start` or those of training."""
        return Normaliser(self, start or self.statistics)

    def save(self, folder: Path) -> None:
        """Write the symbols."""
        told = {
            "words": list(self.words),
            "features": self.settings.to_dict(),
            "mean": self.statistics.mean.tolist(),
            "deviation": self.statistics.deviation.tolist(),
            "running_s": self.running_s,
            "frames_per_step": self.frames_per_step,
            "longest_s": list(self.longest_s),
        }
        write_text(folder / _FILE, json.dumps(told))

    @classmethod
    def load(cls, folder: Path) -> "DetectorSymbols":
        """Read symbols. Raises: VocabularyError if they are missing or damaged."""
        path = folder / _FILE
        try:
            told: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            statistics = Statistics(np.array(told["mean"]), np.array(told["deviation"]))
            return cls(
                tuple(told["words"]),
                FeatureSettings.from_dict(told["features"]),
                statistics,
                told["running_s"],
                int(told["frames_per_step"]),
                tuple(told["longest_s"]),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise VocabularyError(f"{path}: is missing or damaged ({error}); restore it.") from error


class Normaliser:
    """Normalises the frames of a stream, which may arrive in pieces, with running or fixed statistics."""

    def __init__(self, symbols: DetectorSymbols, start: Statistics) -> None:
        self._fixed = symbols.statistics
        frames_per_s = symbols.settings.rate / symbols.settings.hop
        self._running = (
            None
            if symbols.running_s is None
            else RunningNormalizer(start, symbols.running_s, frames_per_s=frames_per_s)
        )

    def push(self, frames: Floats) -> Floats:
        """Return the frames normalised. Shapes: (T, F)."""
        if self._running is not None:
            return self._running.push(frames)
        found: Floats = ((frames - self._fixed.mean) / self._fixed.deviation).astype(np.float32)
        return found


class StepStream:
    """Turns samples, in pieces of any size, into the inputs of a network's steps."""

    def __init__(self, symbols: DetectorSymbols) -> None:
        self._symbols = symbols
        self._features = FeatureStream(symbols.settings)
        self._normaliser = symbols.normaliser()
        self._left = np.zeros((0, symbols.settings.size), np.float32)

    def push(self, samples: Floats) -> Floats:
        """Return the inputs of the steps that are complete now. Shapes: samples (N,), result (T, I)."""
        frames = np.concatenate([self._left, self._normaliser.push(self._features.push(samples))])
        return self._steps(frames)

    def _steps(self, frames: Floats) -> Floats:
        each = self._symbols.frames_per_step
        whole = len(frames) // each * each
        self._left = frames[whole:].copy()
        return frames[:whole].reshape(-1, self._symbols.input_size)


def settings_of(config: DetectConfig) -> FeatureSettings:
    """Return the features of a configuration."""
    return FeatureSettings(
        kind=config.features,
        window_ms=config.window_ms,
        hop_ms=config.hop_ms,
        bands=config.bands,
        coefficients=config.coefficients,
        lowest_hz=config.lowest_hz,
        highest_hz=config.highest_hz,
        deltas=config.deltas,
    )


def matching_of(config: DetectConfig) -> Matching:
    """Return what counts as a hit."""
    return Matching(config.tolerance_ms / 1000, config.late_ms / 1000)


def pause_of(config: DetectConfig) -> float:
    """Return the seconds after a word in which no other one is told apart."""
    return max(config.refractory_s, config.late_ms / 1000)


def refractory_steps(config: DetectConfig, symbols: DetectorSymbols) -> int:
    """Return the refractory time in steps."""
    return max(1, round(config.refractory_s / symbols.step_s))


def smoothing_steps(config: DetectConfig, symbols: DetectorSymbols) -> int:
    """Return the number of scores of a moving average."""
    return max(1, round(config.smoothing_ms / 1000 / symbols.step_s))


class Smoother:
    """The moving average of the last scores of a stream, which may arrive in pieces.

        s_t = mean of p_{t-n+1} … p_t, with fewer scores at the beginning

    Shapes: scores (T, K).
    """

    def __init__(self, steps: int, words: int) -> None:
        self._steps = steps
        self._before = np.zeros((0, words), np.float32)

    def push(self, scores: Floats) -> Floats:
        """Return the averages. Shapes: (T, K)."""
        if self._steps == 1 or not len(scores):
            return scores
        joined = np.concatenate([self._before, scores])
        # Each average is a sum of the same numbers in the same order, however the scores were cut.
        padded = np.concatenate([np.zeros((self._steps - 1, scores.shape[1]), np.float32), joined])
        total: Floats = np.zeros(scores.shape, np.float32)
        for back in range(self._steps - 1, -1, -1):
            end = len(padded) - back
            np.add(total, padded[end - len(scores) : end], out=total)
        there = np.minimum(self._steps, len(self._before) + 1 + np.arange(len(scores)))
        self._before = joined[-(self._steps - 1) :]
        return np.asarray(total / there[:, None], np.float32)
