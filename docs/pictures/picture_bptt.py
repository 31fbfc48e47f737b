"""Truncated back-propagation through time: the state goes on, the gradient stops."""

from drawing import (
    AMBER,
    BLUE,
    GREEN,
    LINE,
    PALE_AMBER,
    PALE_GREEN,
    RED,
    SOFT,
    arrow,
    box,
    canvas,
    label,
)
from matplotlib.axes import Axes
from matplotlib.figure import Figure

MIDDLE, STEPS = 2.6, 4


def draw() -> Figure:
    """Draw two segments of four steps."""
    figure, axes = canvas(9.6, 3.7, (16.6, 6.4))
    arrow(axes, (0.2, MIDDLE + 0.16), (0.95, MIDDLE + 0.16), colour=BLUE)
    for segment in range(2):
        left = 0.95 + segment * 8.0
        for step in range(STEPS):
            _step(axes, left + 0.5 + step * 1.85, segment * STEPS + step + 1)
            if step:
                x = left + step * 1.85
                arrow(axes, (x - 0.85, MIDDLE + 0.16), (x, MIDDLE + 0.16), colour=BLUE)
                arrow(axes, (x, MIDDLE - 0.2), (x - 0.85, MIDDLE - 0.2), colour=RED, dashed=True)
        centre = left + 3.28
        label(axes, (centre, 5.85), f"segment {segment + 1}: one update", fontsize=11.5)
        axes.plot([left - 0.15, left + 6.7], [5.5, 5.5], color=LINE, linewidth=1.2)
    border = 8.26
    axes.plot([border, border], [0.75, 6.15], color=SOFT, linewidth=1.3, linestyle=(0, (5, 3)))
    arrow(axes, (7.5, MIDDLE + 0.16), (8.95, MIDDLE + 0.16), colour=BLUE)
    arrow(axes, (8.95, MIDDLE - 0.2), (8.42, MIDDLE - 0.2), colour=RED, dashed=True, head=False)
    for slope in (-1, 1):
        axes.plot(
            [border - 0.15, border + 0.15],
            [MIDDLE - 0.2 - 0.15 * slope, MIDDLE - 0.2 + 0.15 * slope],
            color=RED,
            linewidth=2,
        )
    arrow(axes, (15.5, MIDDLE + 0.16), (16.4, MIDDLE + 0.16), colour=BLUE)
    _legend(axes)
    return figure


def _step(axes: Axes, x: float, number: int) -> None:
    box(axes, (x, MIDDLE), (1.0, 0.9), f"$h_{number}$", fontsize=14)
    box(axes, (x, MIDDLE - 1.45), (0.8, 0.7), f"$x_{number}$", face=PALE_GREEN, edge=GREEN, fontsize=12)
    box(axes, (x, MIDDLE + 1.9), (0.8, 0.7), f"$L_{number}$", face=PALE_AMBER, edge=AMBER, fontsize=12)
    arrow(axes, (x, MIDDLE - 1.1), (x, MIDDLE - 0.45), colour=GREEN)
    arrow(axes, (x - 0.14, MIDDLE + 0.45), (x - 0.14, MIDDLE + 1.55), colour=AMBER)
    arrow(axes, (x + 0.14, MIDDLE + 1.55), (x + 0.14, MIDDLE + 0.45), colour=RED, dashed=True)


def _legend(axes: Axes) -> None:
    arrow(axes, (1.2, 0.3), (2.1, 0.3), colour=BLUE)
    label(axes, (2.25, 0.3), "state, carried across the boundary", fontsize=10, align="left")
    arrow(axes, (7.75, 0.3), (6.85, 0.3), colour=RED, dashed=True)
    label(axes, (7.9, 0.3), r"gradient $\delta_t$, cut at the boundary", fontsize=10, align="left")
