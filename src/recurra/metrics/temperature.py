"""Temperature scaling: the temperature that fits the probabilities of a model to held-out labels.

    P_T(k) = exp(z_k / T) / Σ_j exp(z_j / T)

With β = 1 / T, the negative log-likelihood Σ [log Σ_j exp(β z_j) - β z_gold] is convex in β, so its
derivative never decreases. Where all predictions are correct, the derivative is negative everywhere and tends
to 0, so that a derivative of 0 in floating point is not yet a minimum: the minimum is before a positive one.

Source: C. Guo et al., On calibration of modern neural networks (2017).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LIMIT = 20.0
"""Temperatures are searched for from 1 / LIMIT to LIMIT."""
_CLOSE = 1e-8  # of log β
_TRIES = 100


def fit_temperature(slope: Callable[[float], float]) -> float | None:
    """Return the temperature that minimises a negative log-likelihood, from its derivative by β = 1 / T.

    Returns LIMIT if the minimum is at a higher temperature. Returns None if it is below 1 / LIMIT, as for
    data with correct predictions only, where every lower temperature increases the likelihood.
    """
    limit = math.log(LIMIT)
    near = far = (0.0, slope(1.0))  # log β, derivative
    direction = -1.0 if far[1] > 0 else 1.0
    while direction * far[1] <= 0:
        if abs(far[0]) >= limit:
            return LIMIT if direction < 0 else None
        place = direction * min(limit, 2 * abs(far[0]) + 0.25)
        near, far = far, (place, slope(math.exp(place)))
    return math.exp(-_zero(slope, near, far))


def _zero(slope: Callable[[float], float], one: tuple[float, float], other: tuple[float, float]) -> float:
    """Return log β at the zero of the derivative between two places, by the Illinois method."""
    (a, fa), (b, fb) = one, other
    if fa == 0.0:
        return a
    for _ in range(_TRIES):
        if abs(b - a) < _CLOSE or fb == 0.0:
            return b
        c = (a * fb - b * fa) / (fb - fa)
        if not min(a, b) < c < max(a, b):
            c = (a + b) / 2
        fc = slope(math.exp(c))
        if fc * fb < 0:
            a, fa = b, fb
        else:
            fa /= 2
        if abs(c - b) < _CLOSE:
            return c
        b, fb = c, fc
    return b


@dataclass(frozen=True)
class SoftmaxScores:
    """Scores z of labels with the gold label of each; a gold label of -1 is unknown and does not count.

    Shapes: logits (N, K); targets (N,).
    """

    logits: NDArray[np.float64]
    targets: NDArray[np.int64]

    def losses(self, temperature: float) -> NDArray[np.float64]:
        """Return -log P of each gold label, 0 for an unknown one. Shapes: (N,)."""
        scaled = self.logits / temperature
        top = scaled.max(axis=1, keepdims=True)
        total = np.log(np.exp(scaled - top).sum(axis=1)) + top[:, 0]
        found: NDArray[np.float64] = np.where(self.targets < 0, 0.0, total - self._of_gold(scaled))
        return found

    def slope(self, beta: float) -> float:
        """Return the derivative of the summed loss by β: Σ Σ_j P(j) (z_j - z_gold).

        The difference of the mean score and the gold score would cancel to 0 where P(gold) is close to 1.
        """
        scaled = beta * self.logits
        weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        above = self.logits - self._of_gold(self.logits)[:, None]
        expected = (weights * above).sum(axis=1) / weights.sum(axis=1)
        return float(np.where(self.targets < 0, 0.0, expected).sum())

    def _of_gold(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = np.take_along_axis(scores, np.maximum(self.targets, 0)[:, None], axis=1)
        return found[:, 0]
