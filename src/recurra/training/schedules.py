"""Learning rate schedules: functions of the training position only, so a resumed run has the same rates."""

import math
from dataclasses import dataclass

from recurra.config import SchedulePart


@dataclass(frozen=True)
class Schedule:
    """The rate at each step: a linear rise over `warmup_steps`, times the schedule that `config` names.

    cosine    m + (peak - m)·(1 + cos(π p))/2,   p = step/total, m = min_learning_rate
    linear    m + (peak - m)·(1 - p)
    decay     peak · decay^max(0, epoch + 1 - decay_after), epoch from 0
    plateau   peak · decay^(validations without improvement so far)
    constant  peak
    """

    config: SchedulePart
    peak: float
    total_steps: int

    def rate(self, step: int, epoch: int, plateaus: int) -> float:
        """Return the learning rate of update `step`, counted from 0."""
        rise = min(1.0, (step + 1) / self.config.warmup_steps) if self.config.warmup_steps else 1.0
        return rise * self._shape(step, epoch, plateaus)

    def _shape(self, step: int, epoch: int, plateaus: int) -> float:
        low, peak, config = self.config.min_learning_rate, self.peak, self.config
        share = min(1.0, step / max(1, self.total_steps))
        match config.schedule:
            case "cosine":
                return low + (peak - low) * (1 + math.cos(math.pi * share)) / 2
            case "linear":
                return low + (peak - low) * (1 - share)
            case "decay":
                return max(low, peak * config.decay ** max(0, epoch + 1 - config.decay_after))
            case "plateau":
                return max(low, peak * config.decay**plateaus)
            case "constant":
                return peak
