"""One step of the GRU, with the reset gate after the product (`gru`) or before it (`gru_before`)."""

from drawing import (
    AMBER,
    BLUE,
    GREEN,
    LINE,
    PALE,
    PALE_AMBER,
    PALE_BLUE,
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

TOP, INPUT = 5.0, 0.85  # the line of the hidden state; the line of the input


def draw() -> Figure:
    """Draw the step with the reset after the product."""
    return draw_step(reset="after")


def draw_step(reset: str) -> Figure:
    """Draw the hidden state on top, the gates below it, the input at the bottom."""
    figure, axes = canvas(9.0, 4.9, (11.2, 6.1))
    box(axes, (5.6, 3.1), (8.7, 5.3), face=PALE, edge=LINE, zorder=1, rounding=0.3)
    # the hidden state
    arrow(axes, (0.4, TOP), (7.18, TOP), colour=BLUE, width=2.4)
    arrow(axes, (7.62, TOP), (8.78, TOP), colour=BLUE, width=2.4)
    arrow(axes, (9.22, TOP), (10.8, TOP), colour=BLUE, width=2.4)
    node(axes, (7.4, TOP), r"$\ast$")
    node(axes, (9.0, TOP), "$+$")
    label(axes, (0.35, TOP + 0.3), "$h_{t-1}$", fontsize=15, colour=BLUE, align="left")
    label(axes, (10.8, TOP + 0.3), "$h_t$", fontsize=15, colour=BLUE, align="right")
    # what the gates read: the hidden state from above, the input from below
    path(axes, [(0.4, INPUT), (5.4, INPUT), (5.4, 1.55)], colour=GREEN)
    label(axes, (0.35, INPUT + 0.28), "$x_t$", fontsize=15, colour=GREEN, align="left")
    for x, gate in ((2.6, "r"), (7.2, "z")):
        box(axes, (x, 2.85), (0.82, 0.6), r"$\sigma$", face=PALE_AMBER, edge=AMBER, fontsize=13)
        label(axes, (x + (0.57 if gate == "r" else -0.57), 2.95), f"${gate}$", fontsize=14, colour=AMBER)
    # r
    _tap(axes, 2.6, 3.15)
    _feed(axes, 2.6, 2.55)
    # n = tanh(W_in x + r * (W_hn h)), or W_hn (r * h)
    _reset_after(axes) if reset == "after" else _reset_before(axes)
    path(axes, [(4.52 if reset == "after" else 4.78, 2.85), (5.4, 2.85), (5.4, 2.16)])
    box(axes, (5.4, 1.85), (0.95, 0.6), r"$\tanh$", face=PALE_AMBER, edge=AMBER, fontsize=13)
    label(axes, (6.05, 2.13), "$n$", fontsize=14, colour=AMBER)
    # z
    path(axes, [(5.9, TOP), (5.9, 3.55), (7.0, 3.55), (7.0, 3.15)])
    dot(axes, (5.9, TOP), BLUE)
    path(axes, [(5.4, INPUT), (7.2, INPUT), (7.2, 2.55)], colour=GREEN)
    dot(axes, (5.4, INPUT), GREEN)
    arrow(axes, (7.4, 3.15), (7.4, TOP - 0.22), colour=AMBER)
    # h' = (1 - z) * n + z * h
    path(axes, [(5.88, 1.85), (7.06, 1.85)], head=False)
    path(axes, [(7.34, 1.85), (9.0, 1.85), (9.0, 2.63)])
    node(axes, (9.0, 2.85), r"$\ast$")
    path(axes, [(7.61, 2.85), (8.78, 2.85)], colour=AMBER)
    label(axes, (8.2, 3.07), "$1-z$", fontsize=13, colour=AMBER)
    arrow(axes, (9.0, 3.07), (9.0, TOP - 0.22))
    return figure


def _reset_after(axes: Axes) -> None:
    _tap(axes, 4.3, 4.18)
    box(axes, (4.3, 3.9), (0.95, 0.56), "$W_{hn}$", face=PALE_BLUE, edge=BLUE, fontsize=12)
    arrow(axes, (4.3, 3.62), (4.3, 3.07))
    node(axes, (4.3, 2.85), r"$\ast$")
    arrow(axes, (3.01, 2.85), (4.08, 2.85), colour=AMBER)


def _reset_before(axes: Axes) -> None:
    _tap(axes, 4.3, 4.12)
    node(axes, (4.3, 3.9), r"$\ast$")
    path(axes, [(3.01, 2.85), (3.42, 2.85), (3.42, 3.9), (4.08, 3.9)], colour=AMBER)
    arrow(axes, (4.3, 3.68), (4.3, 3.13))
    box(axes, (4.3, 2.85), (0.95, 0.56), "$W_{hn}$", face=PALE_BLUE, edge=BLUE, fontsize=12)


def _tap(axes: Axes, x: float, end: float) -> None:
    dot(axes, (x, TOP), BLUE)
    arrow(axes, (x, TOP), (x, end))


def _feed(axes: Axes, x: float, end: float) -> None:
    dot(axes, (x, INPUT), GREEN)
    arrow(axes, (x, INPUT), (x, end), colour=GREEN)
