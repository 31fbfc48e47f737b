"""The Jordan network, folded and unrolled: what it puts out comes back in."""

from drawing import AMBER, BLUE, GREEN, PALE_AMBER, PALE_GREEN, SOFT, arrow, box, canvas, label, path
from matplotlib.axes import Axes
from matplotlib.figure import Figure

MIDDLE = 3.0
TOP = MIDDLE + 1.8


def draw() -> Figure:
    """Draw one cell whose output comes back, and the same cell at four steps."""
    figure, axes = canvas(9.4, 3.9, (13.4, 5.56))
    _cell(axes, 1.7, "h", "x", "y")
    path(axes, [(2.15, TOP), (3.1, TOP), (3.1, MIDDLE), (2.4, MIDDLE)], colour=BLUE)
    label(axes, (3.2, MIDDLE + 0.9), "$W_{hh}$", colour=BLUE, align="left")
    label(axes, (1.82, MIDDLE - 0.88), "$W_{ih}$", colour=GREEN, align="left")
    label(axes, (1.58, MIDDLE + 0.95), "$W_{ho}$", colour=AMBER, align="right")
    label(axes, (4.3, MIDDLE), "=", fontsize=20, colour=SOFT)
    for number, x in enumerate((6.1, 8.2, 10.3, 12.4), start=1):
        _cell(axes, x, f"h_{number}", f"x_{number}", f"y_{number}")
        if number > 1:
            before = x - 2.1
            path(
                axes,
                [(before + 0.45, TOP), (x - 1.05, TOP), (x - 1.05, MIDDLE), (x - 0.7, MIDDLE)],
                colour=BLUE,
            )
    arrow(axes, (4.75, MIDDLE), (5.4, MIDDLE), colour=BLUE)
    label(axes, (4.7, MIDDLE - 0.34), "$y_0=0$", colour=SOFT, align="left")
    arrow(axes, (5.65, 0.42), (12.85, 0.42), colour=SOFT, width=1.0)
    label(axes, (9.25, 0.18), "time", colour=SOFT, fontsize=9.5)
    return figure


def _cell(axes: Axes, x: float, h: str, source: str, target: str) -> None:
    box(axes, (x, MIDDLE), (1.4, 1.1), f"${h}$", fontsize=16)
    box(axes, (x, MIDDLE - 1.78), (0.9, 0.8), f"${source}$", face=PALE_GREEN, edge=GREEN, fontsize=15)
    box(axes, (x, TOP), (0.9, 0.8), f"${target}$", face=PALE_AMBER, edge=AMBER, fontsize=15)
    arrow(axes, (x, MIDDLE - 1.38), (x, MIDDLE - 0.55), colour=GREEN)
    arrow(axes, (x, MIDDLE + 0.55), (x, TOP - 0.4), colour=AMBER)
