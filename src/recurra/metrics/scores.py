"""Metrics of predicted scores: correlations and errors."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ScoreFigures:
    """Gold and predicted scores, and how they agree; a correlation is nan if either is constant.

    Scores of several parts are added to be measured together.
    """

    gold: tuple[float, ...]
    predicted: tuple[float, ...]

    def __add__(self, other: "ScoreFigures") -> "ScoreFigures":
        """The scores of both together."""
        return ScoreFigures(self.gold + other.gold, self.predicted + other.predicted)

    @property
    def pearson(self) -> float:
        """The linear correlation."""
        return _correlation(np.array(self.gold), np.array(self.predicted))

    @property
    def spearman(self) -> float:
        """The linear correlation of the ranks; equal scores share their mean rank."""
        return _correlation(_ranks(self.gold), _ranks(self.predicted))

    @property
    def squared_error(self) -> float:
        """The mean squared error; nan without scores."""
        return float(np.mean(np.square(self._errors()))) if self.gold else math.nan

    @property
    def absolute_error(self) -> float:
        """The mean absolute error; nan without scores."""
        return float(np.mean(np.abs(self._errors()))) if self.gold else math.nan

    @property
    def variance(self) -> float:
        """The variance of the gold scores, which is the squared error of always predicting their mean."""
        return float(np.var(self.gold)) if self.gold else math.nan

    def main(self) -> dict[str, float]:
        """Return the metrics by name, without correlations that are not defined."""
        found = {"pearson": self.pearson, "spearman": self.spearman, "squared_error": self.squared_error}
        return {name: value for name, value in found.items() if not math.isnan(value)}

    def to_dict(self) -> dict[str, float]:
        """Return plain values for JSON, without correlations that are not defined."""
        return self.main() | {"absolute_error": self.absolute_error, "score_variance": self.variance}

    def _errors(self) -> NDArray[np.float64]:
        errors: NDArray[np.float64] = np.array(self.predicted) - np.array(self.gold)
        return errors


def _ranks(values: Sequence[float]) -> NDArray[np.float64]:
    """Return the ranks from 1; equal values share their mean rank. Shapes: (n,)."""
    _, places, counts = np.unique(np.array(values), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    found: NDArray[np.float64] = (last - (counts - 1) / 2)[places]
    return found


def _correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return math.nan
    a, b = first - first.mean(), second - second.mean()
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))
