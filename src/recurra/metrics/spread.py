"""Mean and standard deviation of a metric over several runs."""

import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """Values of a metric in several runs; the standard deviation divides by n - 1 (0 for one run)."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean."""
        return statistics.fmean(self.values)

    @property
    def deviation(self) -> float:
        """The standard deviation."""
        return statistics.stdev(self.values) if len(self.values) > 1 else 0.0
