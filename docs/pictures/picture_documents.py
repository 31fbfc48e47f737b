"""Where a document begins: carry the state on, cut the segment there, or reset the state."""

from drawing import (
    BLUE,
    GREEN,
    LINE,
    PALE_AMBER,
    PALE_BLUE,
    RED,
    SOFT,
    arrow,
    canvas,
    label,
)
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

ROWS = (
    ("carry", (4, 8), "treated as one text"),
    ("cut", (4, 6), "segment ends; state carried on,\nno gradient crosses"),
    ("reset", (4, 8), "state set to zero,\nno gradient crosses"),
)
STEPS = 10  # in segments of 4
STEP, START = 1.5, 3.3
DOCUMENT = 6  # the second document begins after so many steps


def draw() -> Figure:
    """Draw one stream three times, with what passes from step to step."""
    figure, axes = canvas(9.6, 3.6, (26.0, 9.75))
    for number, (name, borders, note) in enumerate(ROWS):
        y = 7.6 - number * 2.6
        label(axes, (2.7, y), name, fontsize=12.5, align="right", weight="bold")
        label(axes, (START + STEPS * STEP + 0.25, y), note, fontsize=10, colour=SOFT, align="left")
        for step in range(STEPS):
            _step(axes, START + step * STEP, y, step)
        for step in range(STEPS - 1):
            _between(axes, START + step * STEP, y, name, step, step + 1 in borders)
    x = START + DOCUMENT * STEP - (STEP - 1.0) / 2
    axes.plot([x, x], [1.1, 8.9], color=GREEN, linewidth=1.4, linestyle=(0, (5, 3)), zorder=1)
    label(axes, (x, 9.25), "a document begins", fontsize=10, colour=GREEN)
    _legend(axes)
    return figure


def _step(axes: Axes, x: float, y: float, step: int) -> None:
    face = PALE_BLUE if step < DOCUMENT else PALE_AMBER
    axes.add_patch(Rectangle((x, y - 0.5), 1.0, 1.0, facecolor=face, edgecolor=LINE, linewidth=1, zorder=3))


def _between(axes: Axes, x: float, y: float, name: str, step: int, stops: bool) -> None:
    at_document = step == DOCUMENT - 1
    left, right = x + 1.0, x + STEP
    if at_document and name == "reset":
        _cross(axes, (left + right) / 2, y + 0.2, BLUE)
        _cross(axes, (left + right) / 2, y - 0.2, RED)
        return
    arrow(axes, (left, y + 0.2), (right, y + 0.2), colour=BLUE, width=1.2)
    if stops:
        _cross(axes, (left + right) / 2, y - 0.2, RED)
        axes.plot([(left + right) / 2] * 2, [y - 0.85, y - 0.45], color=SOFT, linewidth=1.2)
    else:
        arrow(axes, (right, y - 0.2), (left, y - 0.2), colour=RED, width=1.2)


def _cross(axes: Axes, x: float, y: float, colour: str) -> None:
    for slope in (-1, 1):
        axes.plot([x - 0.14, x + 0.14], [y - 0.14 * slope, y + 0.14 * slope], color=colour, linewidth=1.8)


def _legend(axes: Axes) -> None:
    y = 0.3
    arrow(axes, (3.3, y), (4.3, y), colour=BLUE, width=1.2)
    label(axes, (4.5, y), "state", fontsize=10, align="left")
    arrow(axes, (7.6, y), (6.6, y), colour=RED, width=1.2)
    label(axes, (7.8, y), "gradient", fontsize=10, align="left")
    _cross(axes, 11.0, y, RED)
    label(axes, (11.3, y), "stops", fontsize=10, align="left")
    axes.plot([13.4, 13.4], [y - 0.25, y + 0.25], color=SOFT, linewidth=1.2)
    label(axes, (13.65, y), "a segment ends", fontsize=10, align="left")
