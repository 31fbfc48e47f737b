"""The aligned network of pairs: both texts encoded, aligned, compared, composed and pooled."""

from drawing import AMBER, BLUE, GREEN, INK, PALE_AMBER, PALE_BLUE, PALE_GREEN, SOFT, box, canvas, label, path
from matplotlib.axes import Axes
from matplotlib.figure import Figure

LEFT, RIGHT, MIDDLE = 2.9, 13.1, 8.0
SIZE = (4.6, 0.8)


def draw() -> Figure:
    """Draw the flow of both texts from the words below to the outputs above."""
    figure, axes = canvas(9.6, 6.0, (16.0, 10.0))
    sides = ((LEFT, "x", "a_i", "a'_i", "c_i"), (RIGHT, "y", "b_j", "b'_j", "d_j"))
    for x, text, steps, aligned, compared in sides:
        label(axes, (x, 0.45), f"words of text ${text}$", fontsize=12)
        box(axes, (x, 1.7), SIZE, "encoder")
        box(axes, (x, 4.9), SIZE, f"compare ${steps}$ with ${aligned}$", face=PALE_AMBER, edge=AMBER)
        box(axes, (x, 6.5), SIZE, "composer")
        box(axes, (x, 8.1), SIZE, "mean and maximum", face=PALE_GREEN, edge=GREEN)
        path(axes, [(x, 0.75), (x, 1.28)])
        path(axes, [(x, 2.12), (x, 4.46)])
        path(axes, [(x, 5.32), (x, 6.08)])
        path(axes, [(x, 6.92), (x, 7.68)])
        outer = -0.35 if x == LEFT else 0.35
        label(axes, (x + outer, 2.9), f"${steps}$", fontsize=14)
        label(axes, (x + outer, 5.72), f"${compared}$", fontsize=14)
        _meet(axes, x, f"${aligned}$")
    box(axes, (MIDDLE, 3.2), (4.9, 1.5), face=PALE_BLUE, edge=BLUE)
    label(axes, (MIDDLE, 3.5), r"$e_{ij} = a_i\cdot b_j\,/\,\sqrt{D} + t\,\cos(x_i, y_j)$", fontsize=11)
    label(axes, (MIDDLE, 2.85), "softmax over $j$, and over $i$", fontsize=11, colour=SOFT)
    box(axes, (MIDDLE, 8.1), (3.3, 0.8), "$[v;\\ f]$, output", face=PALE_GREEN, edge=GREEN)
    for x, end in ((LEFT + 2.32, MIDDLE - 1.67), (RIGHT - 2.32, MIDDLE + 1.67)):
        path(axes, [(x, 8.1), (end, 8.1)])
    label(axes, (MIDDLE, 6.35), "features $f$ of the texts", fontsize=11, colour=SOFT)
    path(axes, [(MIDDLE, 6.65), (MIDDLE, 7.68)], colour=SOFT)
    path(axes, [(MIDDLE, 8.52), (MIDDLE, 9.2)])
    label(axes, (MIDDLE, 9.55), "label or score", fontsize=12)
    return figure


def _meet(axes: Axes, x: float, aligned: str) -> None:
    """Draw the lines from the steps of a text to the alignment, and of the aligned steps back."""
    inwards = 1.0 if x < MIDDLE else -1.0
    edge = MIDDLE - 2.47 * inwards
    axes.plot([x], [2.9], marker="o", ms=4, color=INK, zorder=4)
    path(axes, [(x, 2.9), (edge, 2.9)])
    path(axes, [(MIDDLE - inwards, 3.97), (MIDDLE - inwards, 4.9), (x + 2.32 * inwards, 4.9)])
    label(axes, (MIDDLE - 1.7 * inwards, 5.25), aligned, fontsize=14)
