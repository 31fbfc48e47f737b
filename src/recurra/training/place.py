"""The position of a training, as plain numbers that can be written as JSON."""

from dataclasses import asdict, dataclass, field
from typing import Any

from recurra.training.learner import Update


@dataclass
class Place:
    """The next segment to read, the counts so far, and the figures since the last log record."""

    step: int = 0
    epoch: int = 0
    segment: int = 0
    tokens: int = 0
    elapsed_s: float = 0.0
    best: float | None = None  # lowest criterion of all validations
    best_step: int | None = None
    bad_validations: int = 0  # in a row
    plateaus: int = 0  # validations without improvement, in total
    validations: list[float] = field(default_factory=list)  # the criterion of each validation
    finished: bool = False
    metrics_size: int = 0
    window_loss: float = 0.0
    window_tokens: int = 0
    window_norm: float = 0.0
    window_steps: int = 0

    def count_step(self, done: Update, updates: int) -> None:
        """Count one update, and advance to the next one; an epoch has `updates` of them."""
        self.step += 1
        self.tokens += done.count
        if done.loss_sum is not None:
            self.window_loss += done.loss_sum
            self.window_tokens += done.count
        if done.gradient_norm is not None:
            self.window_norm += done.gradient_norm
            self.window_steps += 1
        self.segment += 1
        if self.segment == updates:
            self.segment = 0
            self.epoch += 1

    def close_window(self) -> dict[str, float]:
        """Return mean loss and gradient norm since the last call, if there are any."""
        figures = {}
        if self.window_tokens:
            figures["loss"] = self.window_loss / self.window_tokens
        if self.window_steps:
            figures["gradient_norm"] = self.window_norm / self.window_steps
        self.window_loss = self.window_norm = 0.0
        self.window_tokens = self.window_steps = 0
        return figures

    def count_validation(self, criterion: float) -> bool:
        """Count a validation; return True if its criterion is the lowest so far."""
        self.validations.append(criterion)
        if self.best is None or criterion < self.best:
            self.best, self.best_step, self.bad_validations = criterion, self.step, 0
            return True
        self.bad_validations += 1
        self.plateaus += 1
        return False

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self)
