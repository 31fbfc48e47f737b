"""The vanilla cell, folded and unrolled."""

from drawing import AMBER, BLUE, GREEN, PALE_AMBER, PALE_GREEN, SOFT, arrow, box, canvas, label, path
from matplotlib.axes import Axes
from matplotlib.figure import Figure

MIDDLE = 3.0


def draw() -> Figure:
    """Draw one cell with its loop, and the same cell at four steps."""
    figure, axes = canvas(9.4, 3.9, (13.4, 5.56))
    _cell(axes, 1.7, "h", "x", r"\hat{y}")
    top = MIDDLE + 0.9
    path(
        axes,
        [(2.4, MIDDLE), (3.1, MIDDLE), (3.1, top), (0.3, top), (0.3, MIDDLE), (1.0, MIDDLE)],
        colour=BLUE,
    )
    label(axes, (3.12, top + 0.24), "$W_{hh}$", colour=BLUE, align="right")
    label(axes, (1.82, MIDDLE - 0.88), "$W_{ih}$", colour=GREEN, align="left")
    label(axes, (4.1, MIDDLE), "=", fontsize=20, colour=SOFT)
    for number, x in enumerate((6.1, 8.2, 10.3, 12.4), start=1):
        _cell(axes, x, f"h_{number}", f"x_{number}", rf"\hat{{y}}_{number}")
        label(axes, (x - 1.05, MIDDLE + 0.28), "$W_{hh}$", fontsize=10, colour=BLUE)
        arrow(axes, (x - 1.4, MIDDLE), (x - 0.7, MIDDLE), colour=BLUE)
    label(axes, (4.7, MIDDLE - 0.34), "$h_0=0$", colour=SOFT, align="left")
    arrow(axes, (5.65, 0.42), (12.85, 0.42), colour=SOFT, width=1.0)
    label(axes, (9.25, 0.18), "time", colour=SOFT, fontsize=9.5)
    return figure


def _cell(axes: Axes, x: float, h: str, source: str, target: str) -> None:
    box(axes, (x, MIDDLE), (1.4, 1.1), f"${h}$", fontsize=16)
    box(axes, (x, MIDDLE - 1.78), (0.9, 0.8), f"${source}$", face=PALE_GREEN, edge=GREEN, fontsize=15)
    box(axes, (x, MIDDLE + 1.8), (0.9, 0.8), f"${target}$", face=PALE_AMBER, edge=AMBER, fontsize=15)
    arrow(axes, (x, MIDDLE - 1.38), (x, MIDDLE - 0.55), colour=GREEN)
    arrow(axes, (x, MIDDLE + 0.55), (x, MIDDLE + 1.4), colour=AMBER)
