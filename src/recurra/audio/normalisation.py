"""Normalisation of features: by the statistics of training, of one recording, or of the recent past.

    global      z_t = (x_t - μ) / σ,      μ and σ of the training data
    utterance   z_t = (x_t - m) / s,      m and s of all frames of the recording
    running     z_t = (x_t - m_t) / s_t,  m_t and s_t of the frames up to t, the recent ones weighted most

Each column of the features is normalised by itself. Source of the running form: Viikki & Laurila 1998, there
with a window of equal weights.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from recurra.errors import ConfigError, DataError, ShapeError

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
How = Literal["global", "utterance", "running"]
LEAST_SHARE = 0.1
"""The least deviation of an utterance or of the recent past, as a share of that of the training data.

In digital silence all frames are equal. Without a floor, the first sound after it would become huge.
"""
_LEAST = 1e-3
"""The least deviation of the training data; features are natural logarithms, so this is 0.1 %."""


@dataclass(frozen=True, eq=False)
class Statistics:
    """Mean and standard deviation of each column of features, over the frames of the training data.

    Shapes: mean (F,); deviation (F,), >= 0.
    Raises: ShapeError if their shapes differ; DataError if a value is not finite, or a deviation negative.
    """

    mean: Doubles
    deviation: Doubles

    def __post_init__(self) -> None:
        for name in ("mean", "deviation"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64))
        if self.mean.ndim != 1 or self.mean.shape != self.deviation.shape:
            raise ShapeError(
                f"mean and deviation: got shapes {self.mean.shape} and {self.deviation.shape}, "
                "expected (F,) for both; use the result of statistics_of."
            )
        if not (np.isfinite(self.mean).all() and np.isfinite(self.deviation).all()):
            raise DataError("mean and deviation: a value is NaN or infinite; compute the statistics again.")
        if (self.deviation < 0).any():
            raise DataError("deviation: a value is negative; compute the statistics again.")

    @property
    def scale(self) -> Doubles:
        """The deviation (F,), at least 0.001: the divisor of normalised features."""
        return np.maximum(self.deviation, _LEAST)


def statistics_of(blocks: Iterable[NDArray[np.floating[Any]]]) -> Statistics:
    """Return the mean and the standard deviation of the frames of all blocks, in one pass.

        n = n_a + n_b,  δ = m_b - m_a,  m = m_a + δ n_b / n,  S = S_a + S_b + δ² n_a n_b / n,  σ² = S / n

    merges two blocks, where S is the sum of squared differences from the mean. Memory is that of one block.

    Source: Chan, Golub & LeVeque 1979. Shapes: each block (t, F).
    Raises: DataError if there are no frames; ShapeError if the blocks have different widths.
    """
    count, mean, squares = 0, np.zeros(0), np.zeros(0)
    for block in blocks:
        frames = _two_dimensional(block, len(mean) if count else None)
        if not len(frames):
            continue
        block_mean = frames.mean(axis=0)
        block_squares = np.square(frames - block_mean).sum(axis=0)
        if not count:
            count, mean, squares = len(frames), block_mean, block_squares
            continue
        total = count + len(frames)
        difference = block_mean - mean
        mean = mean + difference * (len(frames) / total)
        squares = squares + block_squares + np.square(difference) * (count * len(frames) / total)
        count = total
    if not count:
        raise DataError(
            "no frames to compute statistics of: every recording is shorter than one window; "
            "use longer recordings or a smaller window_ms."
        )
    return Statistics(mean, np.sqrt(squares / count))


class RunningNormalizer:
    """Normalise the frames of a stream by their exponentially weighted mean and deviation.

        z_t = (x_t - μ) / σ                                    μ, σ of the training data
        m_t = (1-α) m_{t-1} + α z_t,    m_{-1} = 0             α = 1 - exp(-1 / (seconds * frames_per_s))
        q_t = (1-α) q_{t-1} + α z_t²,   q_{-1} = 1
        result: (z_t - m_t) / max(sqrt(q_t - m_t²), 0.1)

    The first frames are thus normalised as with the statistics of training; after `seconds`, these weigh 1/e.
    The recursions run in double precision with carried state, so the cutting of the frames changes no bit.
    Memory is 2 F numbers.

    Raises: ConfigError if `seconds` or `frames_per_s` is not positive and finite.
    """

    def __init__(self, statistics: Statistics, seconds: float, frames_per_s: float) -> None:
        for name, value in (("seconds", seconds), ("frames_per_s", frames_per_s)):
            if not (np.isfinite(value) and value > 0):
                raise ConfigError(f"{name}: got {value}, expected a finite number > 0.")
        self.statistics = statistics
        self.keep = float(np.exp(-1.0 / (seconds * frames_per_s)))
        self.reset()

    def __repr__(self) -> str:
        return f"RunningNormalizer({len(self.statistics.mean)} numbers a frame, keep={self.keep:.6f})"

    def reset(self) -> None:
        """Start again from the statistics of training."""
        size = len(self.statistics.mean)
        self._state = np.concatenate([np.zeros(size), np.ones(size)])

    def push(self, frames: NDArray[np.floating[Any]]) -> Floats:
        """Return the normalised frames. Shapes: frames (t, F); result (t, F).

        Raises: ShapeError if the frames have another width than the statistics.
        """
        from scipy.signal import lfilter

        size = len(self.statistics.mean)
        scaled = (_two_dimensional(frames, size) - self.statistics.mean) / self.statistics.scale
        if not len(scaled):
            return np.zeros((0, size), np.float32)
        both = np.concatenate([scaled, np.square(scaled)], axis=1)
        # lfilter's state of y_t = α x_t + (1-α) y_{t-1} is (1-α) y_{t-1}.
        carried = self.keep * self._state[None]
        weighted, _ = lfilter([1.0 - self.keep], [1.0, -self.keep], both, axis=0, zi=carried)
        self._state = weighted[-1].copy()
        mean, mean_square = weighted[:, :size], weighted[:, size:]
        deviation = np.sqrt(np.maximum(mean_square - np.square(mean), LEAST_SHARE**2))
        return np.asarray((scaled - mean) / deviation, np.float32)


def normalised(
    frames: NDArray[np.floating[Any]],
    statistics: Statistics,
    how: How,
    *,
    seconds: float = 10.0,
    frames_per_s: float = 100.0,
) -> Floats:
    """Return the frames of a whole recording, normalised by one of three kinds of statistics.

    Args:
        frames: Features (T, F).
        statistics: Those of the training data.
        how: "global": `statistics`; "utterance": the mean and the deviation of these frames, the latter at
            least 0.1 of that of `statistics`; "running": a `RunningNormalizer`.
        seconds: Time constant, for "running" only.
        frames_per_s: Frames per second, for "running" only.

    Shapes: result (T, F).
    Raises: ConfigError if `how` is unknown; ShapeError if the frames have another width than the statistics.
    """
    values = _two_dimensional(frames, len(statistics.mean))
    if how == "running":
        return RunningNormalizer(statistics, seconds, frames_per_s).push(values)
    if how == "global":
        return np.asarray((values - statistics.mean) / statistics.scale, np.float32)
    if how != "utterance":
        raise ConfigError(f"how: got {how!r}, expected 'global', 'utterance' or 'running'.")
    if not len(values):
        return values.astype(np.float32)
    deviation = np.maximum(values.std(axis=0), LEAST_SHARE * statistics.scale)
    return np.asarray((values - values.mean(axis=0)) / deviation, np.float32)


def _two_dimensional(frames: NDArray[np.floating[Any]], size: int | None) -> Doubles:
    """Return frames (t, F) in double precision, or raise if F is not `size`."""
    array = np.asarray(frames, dtype=np.float64)
    if array.ndim != 2 or size not in (None, array.shape[1]):
        width = "F" if size is None else size
        raise ShapeError(
            f"frames: got shape {array.shape}, expected (t, {width}); "
            "use the feature settings that the statistics were computed with."
        )
    return array
