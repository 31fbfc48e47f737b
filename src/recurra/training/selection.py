"""The selection of the best checkpoint: the metric on the validation data that decides.

score      the task's own measure (`Objective.criterion`), by default the loss
loss       the loss
METRIC     (1 - METRIC / its largest value) + 1e-6 · loss, where the loss breaks ties (`with_ties`)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from recurra.errors import ConfigError
from recurra.metrics.names import metric_name, metric_value, metrics_told
from recurra.plain import listed, quoted

SCORE, LOSS = "score", "loss"
Criterion = Callable[[Mapping[str, float]], float]


def with_ties(criterion: float, figures: Mapping[str, float]) -> float:
    """Return a criterion in which the loss, if it is among the figures, breaks ties."""
    return criterion + 1e-6 * min(figures[LOSS], 1e3) if LOSS in figures else criterion


@dataclass(frozen=True)
class Metric:
    """A metric that can select the best checkpoint; the best value is the largest one.

    `figure` is its name among the figures of a validation.
    """

    figure: str
    largest: float = 1.0

    def criterion(self, figures: Mapping[str, float]) -> float:
        """Return 1 - the share of the largest value; a loss among the figures breaks ties."""
        return with_ties(1.0 - figures[self.figure] / self.largest, figures)


@dataclass(frozen=True)
class Choice:
    """The metrics that the data of a run can give.

    `metrics` maps their names as options to them; `score` has the figures that the score is computed from.
    """

    metrics: Mapping[str, Metric]
    score: tuple[str, ...] = ()


@dataclass(frozen=True)
class Selected:
    """The metric that selected the best checkpoint, and its value on the validation data.

    If the score selected it, `figures` are the metrics that the score is computed from.
    """

    by: str
    figures: Mapping[str, float]

    def __str__(self) -> str:
        if len(self.figures) != 1:
            return f"{self.by} ({metrics_told(self.figures)})"
        ((name, value),) = self.figures.items()
        return f"{metric_name(name)} ({metric_value(name, value)})"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for metrics.jsonl."""
        return {"by": self.by, "figures": dict(self.figures)}

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "Selected | None":
        """Return what the record of a final evaluation stores; None if it does not store it."""
        stored = record.get("selected")
        return None if stored is None else cls(stored["by"], stored["figures"])


@dataclass(frozen=True)
class Selection:
    """How the best checkpoint of a training is selected; see `selection_of`."""

    by: str
    metric: Metric | None = None
    score: tuple[str, ...] = ()

    def criterion(self, figures: Mapping[str, float], score: Criterion) -> float:
        """Return the value that the best checkpoint minimises; `score` computes that of the score."""
        if self.metric is None:
            return figures[LOSS] if self.by == LOSS else score(figures)
        if self.metric.figure not in figures:  # the loss is not finite
            return figures[LOSS]
        return self.metric.criterion(figures)

    def selected(self, figures: Mapping[str, float]) -> Selected:
        """Return what selected the best checkpoint, from the figures of its validation."""
        names = self.score if self.metric is None else (self.metric.figure,)
        found = {name: figures[name] for name in names if name in figures and self.by != LOSS}
        return Selected(self.by, found) if found else Selected(LOSS, {LOSS: figures[LOSS]})

    def sentence(self) -> str:
        """Describe the selection, before training starts."""
        lowest = self.metric is None
        name = LOSS if self.metric is None else metric_name(self.metric.figure)
        return (
            f"the best checkpoint is the one with the {'lowest' if lowest else 'highest'} validation {name}"
        )


def selection_of(by: str, choice: Choice) -> Selection:
    """Return the selection by a metric: "score", "loss", or the name of one in `choice`.

    Raises: ConfigError for a metric that the data cannot give, with a list of those that they can.
    """
    if by == SCORE:
        return Selection(SCORE, score=choice.score)
    if by == LOSS:
        return Selection(LOSS)
    if by not in choice.metrics:
        possible = listed([SCORE, LOSS, *choice.metrics], 400)
        raise ConfigError(
            f"keep_best: got {quoted(by)}, which the training and validation data cannot give; use one of "
            f"{possible}."
        )
    return Selection(by, choice.metrics[by])
