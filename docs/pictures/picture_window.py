"""Bengio's network: a window of words, their vectors side by side, one hidden layer."""

from drawing import (
    AMBER,
    BLUE,
    GREEN,
    INK,
    PALE_AMBER,
    PALE_BLUE,
    PALE_GREEN,
    SOFT,
    Point,
    box,
    canvas,
    label,
)
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

WORDS = ("the", "cat", "sat", "on")


def draw() -> Figure:
    """Draw the network over four words, with the direct connections dashed."""
    figure, axes = canvas(9.2, 3.6, (13.8, 5.4))
    for place, word in enumerate(WORDS):
        x = 1.6 + 2.3 * place
        label(axes, (x, 0.45), word, fontsize=13)
        box(axes, (x, 1.6), (1.9, 0.75), "$E_{\\mathrm{" + word + "}}$", face=PALE_BLUE, edge=BLUE)
        _arrow(axes, (x, 0.75), (x, 1.2))
        _arrow(axes, (x, 2.0), (4.2 + 0.35 * place, 2.65))
    box(axes, (5.05, 3.05), (6.2, 0.75), r"$\tanh(H x_t + d)$", face=PALE_GREEN, edge=GREEN)
    box(axes, (5.05, 4.6), (6.2, 0.8), r"softmax$(U \cdot + b\ \ (+ M x_t))$", face=PALE_AMBER, edge=AMBER)
    _arrow(axes, (5.05, 3.45), (5.05, 4.18))
    axes.add_patch(
        FancyArrowPatch(
            (9.5, 1.75),
            (8.25, 4.55),
            arrowstyle="-|>",
            mutation_scale=11,
            color=SOFT,
            linestyle="--",
            connectionstyle="arc3,rad=0.35",
        )
    )
    label(axes, (10.2, 3.3), "direct", fontsize=10.5, colour=SOFT)
    label(axes, (11.9, 4.6), "P(the | the cat sat on)", fontsize=11, colour=INK)
    label(axes, (11.9, 1.6), "one matrix $E$\nfor all positions", fontsize=10.5, colour=SOFT)
    return figure


def _arrow(axes: Axes, start: Point, end: Point) -> None:
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=10, color=INK, lw=1.1))
