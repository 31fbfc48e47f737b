"""Learning curves and reliability diagrams as SVG."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from recurra.errors import RunError
from recurra.reports.drawing import as_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Record = Mapping[str, Any]
Points = Sequence[tuple[float, float]]


def learning_curve(records: Sequence[Record], *, unit: str, loss_unit: str = "nats") -> str:
    """Plot loss, gradient norm and learning rate over steps, as SVG text for a page.

    `records` are those of metrics.jsonl. Raises: RunError if none of them is of training.
    """
    training = [record for record in records if record["kind"] == "training"]
    validation = [record for record in records if record["kind"] == "validation"]
    if not training and not validation:
        raise RunError("the run has no metrics to draw yet; train it for more steps.")
    return as_svg(_draw_learning, training, validation, f"{loss_unit} per {unit}")


def curves_together(runs: Mapping[str, Sequence[Record]], *, figure: str, axis: str) -> str:
    """Plot a validation metric of several runs over training time, as SVG text.

    `runs` maps names to the records of metrics.jsonl, `figure` is the key of the metric, `axis` its label.
    Empty if no validation has the metric.
    """
    points = {
        name: [
            (record["elapsed_s"] / 60, record[figure])
            for record in records
            if record["kind"] == "validation" and figure in record
        ]
        for name, records in runs.items()
    }
    return as_svg(_draw_together, points, axis) if any(points.values()) else ""


def reliability_diagram(bins: Sequence[Sequence[float]], after: Sequence[Sequence[float]] = ()) -> str:
    """Plot accuracy over predicted probability, one point per bin (count, said, right), as SVG text.

    `after` are the bins after calibration, drawn as a second line. Empty if all bins are empty.
    """
    lines = [[(count, said, right) for count, said, right in each if count] for each in (bins, after)]
    return as_svg(_draw_reliability, *lines) if lines[0] else ""


def _draw_learning(training: Sequence[Record], validation: Sequence[Record], unit: str) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5.2), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    steps, losses = _series(training, "loss")
    if losses:
        top.plot(steps, losses, color="#7a9cc6", lw=1, marker=_marker(steps), label="training")
    top.plot(*_series(validation, "loss"), color="#c0392b", marker="o", ms=4, label="validation")
    top.set_ylabel(f"loss ({unit})")
    top.legend(frameon=False)
    top.grid(alpha=0.25)
    bottom.set_xlabel("step")
    bottom.grid(alpha=0.25)
    steps, norms = _series(training, "gradient_norm")
    if norms:
        bottom.plot(steps, norms, color="#555", lw=0.8, marker=_marker(steps))
        if any(norm > 0 for norm in norms):
            bottom.set_yscale("log")
        bottom.set_ylabel("gradient norm")
    steps, rates = _series(training, "learning_rate")
    if rates:
        rate = bottom.twinx()
        rate.plot(steps, rates, color="#2a9d5c", lw=0.8, marker=_marker(steps))
        rate.set_ylabel("learning rate", color="#2a9d5c")
    return figure


def _series(records: Sequence[Record], name: str) -> tuple[list[int], list[float]]:
    """Return the steps and values of the records that have a metric."""
    found = [(record["step"], record[name]) for record in records if name in record]
    return [step for step, _ in found], [value for _, value in found]


def _marker(steps: Sequence[int]) -> str:
    """Return the marker of a line: a single point is invisible without one."""
    return "." if len(steps) == 1 else ""


def _draw_together(runs: Mapping[str, Points], axis: str) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.2), layout="constrained")
    axes = figure.subplots()
    for name, points in runs.items():
        if points:
            axes.plot(*zip(*points, strict=True), marker="o", ms=3, lw=1.2, label=name)
    axes.set_xlabel("minutes of training")
    axes.set_ylabel(axis)
    axes.legend(frameon=False)
    axes.grid(alpha=0.25)
    return figure


def _draw_reliability(
    bins: Sequence[tuple[float, float, float]], after: Sequence[tuple[float, float, float]]
) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="#9aa5b1", lw=1, ls="--")
    for points, colour, name in ((bins, "#2c6fbb", "before"), (after, "#c0392b", "after")):
        if points:
            counts, said, right = zip(*points, strict=True)
            axes.plot(said, right, color=colour, lw=1.2, label=name)
            axes.scatter(said, right, s=[10 + 90 * count / max(counts) for count in counts], color=colour)
    if after:
        axes.legend(frameon=False)
    axes.set_xlabel("predicted probability")
    axes.set_ylabel("accuracy (larger points: more predictions)")
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)
    axes.grid(alpha=0.25)
    return figure
