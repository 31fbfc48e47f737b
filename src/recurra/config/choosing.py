"""The configuration part that selects the best checkpoint by a metric of labels."""

from typing import ClassVar, Self

from pydantic import model_validator

from recurra.config.part import Part, option
from recurra.plain import quoted

OF_LABEL = "f1:"
"""Beginning of the name of one label's F1, as an option and as a figure: `f1:LABEL`."""


class KeepBestPart(Part):
    """The metric that selects the best checkpoint; the data decide which of the metrics are possible."""

    title: ClassVar[str] = "Training"
    # Names of the metrics, in addition to f1:LABEL; `of_one` is the noun in place of LABEL.
    best_metrics: ClassVar[tuple[str, ...]] = ("score", "loss")
    of_one: ClassVar[str] = "LABEL"

    keep_best: str = option("score", "Metric of the best checkpoint")

    @model_validator(mode="after")
    def _check_keep_best(self) -> Self:
        names = self.best_metrics
        if self.keep_best not in names and not self.keep_best.startswith(OF_LABEL):
            raise ValueError(
                f"keep_best: got {quoted(self.keep_best)}, expected {', '.join(names)} or "
                f"{OF_LABEL}{self.of_one}"
            )
        return self
