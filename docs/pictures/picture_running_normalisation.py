"""Running normalisation: a change of gain is forgotten within the time constant."""

import numpy as np
from drawing import AMBER, BLUE, LINE, RED, SOFT
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from recurra.audio.normalisation import Statistics, normalised

SECONDS = 4.0
RATE = 25


def draw() -> Figure:
    """Draw one band before and after normalisation, with a gain that rises by 4 (in ln energy) at 10 s."""
    draw_numbers = np.random.default_rng(4)
    count = 40 * RATE
    times = np.arange(count) / RATE
    speech = np.convolve(draw_numbers.normal(size=count + 8), np.ones(9) / 3, mode="valid")
    band = (-12 + 1.6 * speech + 4 * (times >= 10)).astype(np.float32)[:, None]
    statistics = Statistics(np.array([-12.0]), np.array([1.6]))
    figure = Figure(figsize=(9.0, 4.6))
    above = figure.add_axes((0.08, 0.58, 0.9, 0.35))
    below = figure.add_axes((0.08, 0.11, 0.9, 0.35))
    _panel(above, "one band: the gain of the microphone changes at 10 s", "ln energy")
    above.plot(times, band[:, 0], color=BLUE, linewidth=0.9)
    above.axhline(-12, color=LINE, linewidth=1.0, zorder=1)
    above.text(39.8, -13.2, "mean of training", fontsize=9, color=SOFT, ha="right", va="top")
    _panel(
        below,
        f"normalised: global (amber), running with a time constant of {SECONDS:g} s (blue)",
        "deviations",
    )
    below.plot(times, normalised(band, statistics, "global")[:, 0], color=AMBER, linewidth=0.9)
    running = normalised(band, statistics, "running", seconds=SECONDS, frames_per_s=RATE)
    below.plot(times, running[:, 0], color=BLUE, linewidth=0.9)
    below.axhline(0, color=LINE, linewidth=1.0, zorder=1)
    below.set_xlabel("seconds", fontsize=9.5)
    for axes in (above, below):
        axes.axvline(10, color=RED, linewidth=1.0, linestyle=(0, (4, 3)))
    return figure


def _panel(axes: Axes, title: str, name: str) -> None:
    axes.set_title(title, fontsize=11.5, loc="left")
    axes.set_ylabel(name, fontsize=9.5)
    axes.set_xlim(0, 40)
    axes.tick_params(labelsize=8.5, length=2)
    axes.spines[["top", "right"]].set_visible(False)
