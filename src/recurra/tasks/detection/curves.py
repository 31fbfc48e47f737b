"""Misses against false alarms an hour, over all thresholds, as a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recurra.data.readers.recordings import Recording
from recurra.metrics.detection import CurvePoint, Scored, rate_bound
from recurra.models.detector import DetectorNetwork
from recurra.models.evaluating import evaluating
from recurra.reports.drawing import write_png
from recurra.tasks.detection.config import DetectConfig
from recurra.tasks.detection.figures import curve_of
from recurra.tasks.detection.scoring import prepare, probabilities, smoothed
from recurra.tasks.detection.symbols import DetectorSymbols, pause_of, smoothing_steps

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def curves_of(
    network: DetectorNetwork, symbols: DetectorSymbols, config: DetectConfig, rows: Sequence[Recording]
) -> dict[str, list[CurvePoint]]:
    """Return misses and false alarms of each word over all thresholds, on recordings as one stream."""
    prepared = prepare(rows, symbols, pause_of(config))
    with evaluating(network):
        scores = smoothed(probabilities(network, prepared.inputs), smoothing_steps(config, symbols))
    streams = [Scored(scores, prepared.spoken, prepared.seconds / 3600)]
    return {word: curve_of(streams, k, config, symbols) for k, word in enumerate(symbols.words)}


def draw_curve(
    network: DetectorNetwork,
    symbols: DetectorSymbols,
    config: DetectConfig,
    rows: Sequence[Recording],
    path: Path,
) -> None:
    """Draw the curve of each word, with a mark at the threshold of the network."""
    curves = curves_of(network, symbols, config, rows)
    write_png(path, plot_curves, curves, network.thresholds.tolist())


def plot_curves(curves: dict[str, list[CurvePoint]], thresholds: Sequence[float]) -> "Figure":
    """Plot the share of missed words over the false alarms an hour, one line per word."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.add_subplot()
    hours = 0.0
    for (word, curve), threshold in zip(curves.items(), thresholds, strict=True):
        hours = curve[0].counts.hours
        rates = [point.counts.alarms_per_hour for point in curve]
        misses = [100 * point.counts.misses / max(1, point.counts.words) for point in curve]
        (line,) = axes.step(rates, misses, where="post", label=f"{word} ({curve[0].counts.words} words)")
        at = min(range(len(curve)), key=lambda i: abs(curve[i].threshold - threshold))
        axes.plot([rates[at]], [misses[at]], "o", color=line.get_color())
    bound = rate_bound(0, hours)
    axes.axvline(bound, color="#9aa5b1", linestyle=":", label=f"95% bound of no alarm in {hours:.2f} hours")
    axes.set_xscale("symlog", linthresh=max(1.0, bound / 3))
    axes.set_xlim(left=0)
    axes.set_ylim(-2, 102)
    axes.set_xlabel("false alarms per hour")
    axes.set_ylabel("missed words (%)")
    axes.legend(frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure
