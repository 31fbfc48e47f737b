"""A tile of a GRU's step: rows of the batch times a panel of packed weights, the gates at once behind it."""

from drawing import (
    AMBER,
    BLUE,
    GREEN,
    INK,
    LINE,
    PALE,
    PALE_AMBER,
    PALE_BLUE,
    PALE_GREEN,
    SOFT,
    arrow,
    box,
    canvas,
    label,
)
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

ROWS, TILES = 20, (7, 7, 6)
DEPTH, ROW, COLUMN = 14, 0.2, 0.3
VECTOR, GATES = 1.0, ("$r$", "$z$", "$n$")
LEFT, TOP, PANEL, GAP = 0.9, 4.7, 6.3, 0.4


def draw() -> Figure:
    """Draw the left matrix, three panels above, the sums between them, and what follows."""
    figure, axes = canvas(10.2, 5.5, (16.4, 8.85))
    _left_matrix(axes)
    for number in range(3):
        _panel(axes, PANEL + number * (3 * VECTOR + GAP), number)
    _sums(axes)
    middle = TOP - TILES[0] * ROW / 2
    arrow(axes, (PANEL + 3 * VECTOR + 0.15, middle), (10.85, middle))
    box(axes, (13.4, middle - 0.1), (4.9, 1.75), face=PALE_AMBER, edge=AMBER)
    label(axes, (13.4, middle + 0.3), r"$r, z = \sigma(\cdot);\quad n = \tanh(\cdot)$", fontsize=13)
    label(axes, (13.4, middle - 0.45), r"$h_t = (1-z) * n + z * h_{t-1}$", fontsize=13)
    text = "while the sums are in the first-level cache:\nall gates of 7 rows and 16 units"
    label(axes, (13.4, middle - 1.6), text, fontsize=9.5, colour=SOFT)
    return figure


def _left_matrix(axes: Axes) -> None:
    width, y = DEPTH * COLUMN, TOP
    for number, rows in enumerate(TILES):
        y -= rows * ROW
        face, edge = (PALE_GREEN, GREEN) if number == 0 else (PALE, LINE)
        axes.add_patch(Rectangle((LEFT, y), width, rows * ROW, facecolor=face, edgecolor=edge, linewidth=1.2))
        for row in range(1, rows):
            axes.plot([LEFT, LEFT + width], [y + row * ROW] * 2, color="white", linewidth=0.9)
        label(
            axes,
            (LEFT - 0.28, y + rows * ROW / 2),
            str(rows),
            fontsize=10,
            colour=edge if number == 0 else SOFT,
        )
    axes.add_patch(
        Rectangle(
            (LEFT + 4 * COLUMN, TOP - TILES[0] * ROW), COLUMN, TILES[0] * ROW, facecolor=GREEN, alpha=0.75
        )
    )
    label(axes, (LEFT + 4.5 * COLUMN, TOP + 0.2), "$k$", fontsize=11, colour=GREEN)
    text = "$h_{t-1}$ of 20 rows, read in place:\neach number is broadcast to a vector"
    label(axes, (LEFT + width / 2, 0.25), text, fontsize=9.5, colour=SOFT)


def _panel(axes: Axes, x: float, number: int) -> None:
    bottom, height, first = TOP + 0.45, DEPTH * 0.2, number == 0
    for gate, name in enumerate(GATES):
        face, edge = (PALE_BLUE, BLUE) if first else (PALE, LINE)
        place = (x + gate * VECTOR, bottom)
        axes.add_patch(Rectangle(place, VECTOR, height, facecolor=face, edgecolor=edge, linewidth=1.2))
        colour = INK if first else SOFT
        label(axes, (place[0] + VECTOR / 2, bottom + height + 0.2), name, fontsize=12, colour=colour)
    for row in range(1, DEPTH):
        axes.plot([x, x + 3 * VECTOR], [bottom + row * 0.2] * 2, color="white", linewidth=0.9)
    if first:
        y = bottom + height - 5 * 0.2
        axes.add_patch(Rectangle((x, y), 3 * VECTOR, 0.2, facecolor=BLUE, alpha=0.75))
        label(axes, (x - 0.2, y + 0.1), "$k$", fontsize=11, colour=BLUE)
        label(
            axes, (x - 0.35, bottom + height - 0.15), "$U$, packed", fontsize=10, colour=BLUE, align="right"
        )
    text = f"units {16 * number}-{16 * number + 15}"
    label(
        axes, (x + 1.5 * VECTOR, bottom + height + 0.55), text, fontsize=9.5, colour=BLUE if first else SOFT
    )


def _sums(axes: Axes) -> None:
    y, height = TOP - TILES[0] * ROW, TILES[0] * ROW
    for gate in range(3):
        place = (PANEL + gate * VECTOR, y)
        axes.add_patch(Rectangle(place, VECTOR, height, facecolor=PALE_AMBER, edgecolor=AMBER, linewidth=1.2))
    for row in range(1, TILES[0]):
        axes.plot([PANEL, PANEL + 3 * VECTOR], [y + row * ROW] * 2, color="white", linewidth=0.9)
    text = "a tile: 7 x 3 sums in registers,\none vector of 16 numbers each"
    label(axes, (PANEL + 1.5 * VECTOR, y - 0.4), text, fontsize=9.5, colour=SOFT)
