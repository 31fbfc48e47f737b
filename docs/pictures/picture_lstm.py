"""One step of the LSTM, without peepholes (`lstm`) or with them (`lstm_peepholes`)."""

from drawing import (
    AMBER,
    BLUE,
    GREEN,
    LINE,
    PALE,
    PALE_AMBER,
    RED,
    SOFT,
    arrow,
    box,
    canvas,
    dot,
    label,
    node,
    path,
)
from matplotlib.axes import Axes
from matplotlib.figure import Figure

TOP, LOW = 4.6, 1.2  # the memory's line; the line of the input and the hidden state
BUS = 3.1  # the line that carries the old memory to its peepholes


def draw() -> Figure:
    """Draw the step without peepholes."""
    return draw_step(peepholes=False)


def draw_step(peepholes: bool) -> Figure:
    """Draw the memory on top, the gates below it, the hidden state at the bottom."""
    figure, axes = canvas(9.0, 5.0, (11.2, 6.22))
    box(axes, (5.6, 2.98), (8.5, 5.1), face=PALE, edge=LINE, zorder=1, rounding=0.3)
    # the memory
    arrow(axes, (0.45, TOP), (2.78, TOP), colour=BLUE, width=2.4)
    arrow(axes, (3.22, TOP), (5.08, TOP), colour=BLUE, width=2.4)
    arrow(axes, (5.52, TOP), (10.75, TOP), colour=BLUE, width=2.4)
    node(axes, (3.0, TOP), r"$\ast$")
    node(axes, (5.3, TOP), "$+$")
    label(axes, (0.4, TOP + 0.3), "$c_{t-1}$", fontsize=15, colour=BLUE, align="left")
    label(axes, (10.75, TOP + 0.3), "$c_t$", fontsize=15, colour=BLUE, align="right")
    # the gates
    path(axes, [(0.45, LOW), (7.2, LOW), (7.2, 1.75)], width=1.6)
    for x, name, gate in ((3.0, r"$\sigma$", "f"), (4.3, r"$\sigma$", "i"), (5.3, r"$\tanh$", "g")):
        arrow(axes, (x, LOW), (x, 1.75))
        dot(axes, (x, LOW))
        _gate(axes, x, name, gate)
    _gate(axes, 7.2, r"$\sigma$", "o")
    if peepholes:
        _peepholes(axes)
    arrow(axes, (3.0, BUS + 0.14 if peepholes else 2.35), (3.0, TOP - 0.22), colour=AMBER)
    arrow(axes, (5.3, 2.35), (5.3, 3.28), colour=AMBER)
    node(axes, (5.3, 3.5), r"$\ast$")
    path(axes, [(4.3, 2.35), (4.3, 3.5), (5.08, 3.5)], colour=AMBER)
    arrow(axes, (5.3, 3.72), (5.3, TOP - 0.22))
    # the hidden state
    dot(axes, (8.6, TOP), BLUE)
    arrow(axes, (8.6, TOP), (8.6, 4.12), colour=BLUE)
    box(axes, (8.6, 3.82), (0.95, 0.56), r"$\tanh$", face="white", edge=SOFT, fontsize=12)
    arrow(axes, (8.6, 3.54), (8.6, 3.02))
    node(axes, (8.6, 2.8), r"$\ast$")
    path(axes, [(7.2, 2.35), (7.2, 2.8), (8.38, 2.8)], colour=AMBER)
    path(axes, [(8.6, 2.58), (8.6, LOW), (10.75, LOW)], width=2.0)
    dot(axes, (9.3, LOW))
    arrow(axes, (9.3, LOW), (9.3, TOP - 0.14), head=False)
    arrow(axes, (9.3, TOP + 0.14), (9.3, 6.0))
    label(axes, (9.42, 5.85), "$h_t$", fontsize=15, align="left")
    label(axes, (10.75, LOW + 0.3), "$h_t$", fontsize=15, align="right")
    label(axes, (0.4, LOW + 0.3), "$h_{t-1}$", fontsize=15, align="left")
    arrow(axes, (2.0, 0.12), (2.0, LOW), colour=GREEN, head=False)
    dot(axes, (2.0, LOW))
    label(axes, (2.12, 0.2), "$x_t$", fontsize=15, colour=GREEN, align="left")
    return figure


def _peepholes(axes: Axes) -> None:
    """The old memory into f and i, the new one into o."""
    arrow(axes, (3.0, 2.35), (3.0, BUS - 0.14), colour=AMBER, head=False)
    dot(axes, (1.75, TOP), RED)
    path(axes, [(1.75, TOP), (1.75, BUS), (2.76, BUS), (2.76, 2.35)], colour=RED)
    path(axes, [(2.76, BUS), (4.06, BUS), (4.06, 2.35)], colour=RED)
    dot(axes, (2.76, BUS), RED)
    dot(axes, (6.95, TOP), RED)
    arrow(axes, (6.95, TOP), (6.95, 2.35), colour=RED)
    for x, y, gate in ((2.5, 2.72, "f"), (3.82, 2.72, "i"), (6.68, 3.2, "o")):
        label(axes, (x, y), f"$p_{gate}$", fontsize=13, colour=RED)


def _gate(axes: Axes, x: float, function: str, gate: str) -> None:
    box(axes, (x, 2.05), (0.82, 0.6), function, face=PALE_AMBER, edge=AMBER, fontsize=13)
    label(axes, (x + 0.2, 2.6), f"${gate}$", fontsize=14, colour=AMBER)
