"""How a figure varies over several runs."""

import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """A figure of several runs: their mean and standard deviation (over n - 1; 0 for one run)."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean."""
        return statistics.fmean(self.values)

    @property
    def deviation(self) -> float:
        """The standard deviation."""
        return statistics.stdev(self.values) if len(self.values) > 1 else 0.0
