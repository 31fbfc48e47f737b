"""Two ways to clip a gradient of two weights."""

from drawing import BLUE, LINE, RED, SOFT, arrow, label
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle

GRADIENTS = ((3.2, 0.9), (-1.0, 2.4), (0.45, -0.6))


def draw() -> Figure:
    """Draw the same gradients clipped by norm and by value, threshold 1."""
    figure = Figure(figsize=(9.0, 3.9))
    left = figure.add_axes((0.02, 0.02, 0.47, 0.86))
    right = figure.add_axes((0.51, 0.02, 0.47, 0.86))
    _panel(left, "by norm: the direction is kept")
    left.add_patch(Circle((0, 0), 1, facecolor="#f2f6fb", edgecolor=BLUE, linewidth=1.3))
    _panel(right, "by value: each element is clipped")
    right.add_patch(Rectangle((-1, -1), 2, 2, facecolor="#f2f6fb", edgecolor=BLUE, linewidth=1.3))
    for x, y in GRADIENTS:
        norm = (x * x + y * y) ** 0.5
        factor = min(1.0, 1.0 / norm)
        _clipped(left, (x, y), (x * factor, y * factor))
        _clipped(right, (x, y), (max(-1.0, min(1.0, x)), max(-1.0, min(1.0, y))))
    label(left, (3.3, 0.55), "$g$", colour=SOFT, fontsize=14)
    label(right, (3.3, 0.55), "$g$", colour=SOFT, fontsize=14)
    label(left, (0.75, -1.3), r"$\|g\|=1$", colour=BLUE, fontsize=12)
    label(right, (0.75, -1.3), r"$|g_i|=1$", colour=BLUE, fontsize=12)
    return figure


def _panel(axes: Axes, title: str) -> None:
    axes.set_xlim(-2.0, 3.8)
    axes.set_ylim(-1.7, 2.75)
    axes.set_aspect("equal")
    axes.axis("off")
    axes.set_title(title, fontsize=12)
    axes.plot([-1.9, 3.7], [0, 0], color=LINE, linewidth=0.8, zorder=1)
    axes.plot([0, 0], [-1.6, 2.65], color=LINE, linewidth=0.8, zorder=1)


def _clipped(axes: Axes, before: tuple[float, float], after: tuple[float, float]) -> None:
    if before != after:
        arrow(axes, (0, 0), before, colour="#9aa5b1", width=1.3, dashed=True)
    arrow(axes, (0, 0), after, colour=RED, width=2.2)
