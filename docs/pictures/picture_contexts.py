"""The contexts that predict a word: which words they have, and how their vectors become one."""

from drawing import AMBER, BLUE, GREEN, LINE, PALE_AMBER, PALE_BLUE, PALE_GREEN, SOFT, box, canvas, label
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

WORDS = ("the", "old", "king", "gave", "his", "son", "a", "small", "red", "crown", "and")
TARGET = 5
REACH = 5  # the window; 3 is what was drawn for this position
DRAWN = 3
ROWS = (
    ("skip-gram", range(-DRAWN, DRAWN + 1), r"each $h = e_c$: 6 predictions"),
    ("cbow", range(-DRAWN, DRAWN + 1), r"$h = \frac{1}{C}\sum_c e_c$"),
    ("previous-average", range(-4, 0), r"$h = \frac{1}{4}\sum_{i=1}^{4} e_{t-i}$"),
    ("previous-concatenated", range(-4, 0), r"$h = [\,e_{t-4};\,e_{t-3};\,e_{t-2};\,e_{t-1}]$"),
    ("previous-word", range(-1, 0), r"$h = e_{t-1}$"),
    ("nearby-word", range(2, 3), r"$h = e_c$, one is drawn"),
)
LEFT, WIDE, RIGHT, TALL = 3.9, 1.12, 4.4, 0.86


def draw() -> Figure:
    """Draw one line per context: the words it reads, the word predicted, and the hidden vector."""
    width = LEFT + WIDE * len(WORDS) + RIGHT
    height = TALL * len(ROWS) + 0.7
    figure, axes = canvas(9.4, 9.4 * height / width, (width, height))
    for row, (name, reads, formula) in enumerate(ROWS):
        y = height - 0.45 - TALL * row
        label(axes, (0.1, y), name, fontsize=9, align="left", weight="bold")
        label(axes, (LEFT + WIDE * len(WORDS) + 0.3, y), formula, fontsize=9.5, align="left")
        _line(axes, y, name, reads)
    place = LEFT + WIDE * (TARGET + 0.5)
    label(axes, (place, 0.2), "predicted", fontsize=8.5, colour=GREEN)
    label(axes, (LEFT + WIDE * 4.5, 0.2), "read", fontsize=8.5, colour=BLUE)
    label(axes, (LEFT + WIDE * 2.9, 0.2), "could be drawn", fontsize=8.5, colour=SOFT)
    shrunk = "in the window, but beyond that drawn for this position"
    label(axes, (LEFT + WIDE * 6.5, 0.2), shrunk, fontsize=8.5, colour=AMBER, align="left")
    return figure


def _line(axes: Axes, y: float, name: str, reads: range) -> None:
    for at, word in enumerate(WORDS):
        offset = at - TARGET
        face, edge, colour = "white", LINE, SOFT
        if offset == 0:
            face, edge, colour = PALE_GREEN, GREEN, GREEN
        elif offset in reads:
            face, edge, colour = PALE_BLUE, BLUE, BLUE
        elif name == "nearby-word" and abs(offset) <= DRAWN:
            face, edge, colour = "white", BLUE, SOFT
        elif name in ("skip-gram", "cbow", "nearby-word") and abs(offset) <= REACH:
            face, edge, colour = PALE_AMBER, AMBER, SOFT
        centre = (LEFT + WIDE * (at + 0.5), y)
        if face == "white" and edge == BLUE:  # a candidate of the draw
            axes.add_patch(
                Rectangle(
                    (centre[0] - 0.5, y - 0.28), 1.0, 0.56, fill=False, edgecolor=BLUE, linestyle=(0, (3, 2))
                )
            )
            label(axes, centre, word, fontsize=8.5, colour=colour)
            continue
        box(axes, centre, (1.04, 0.6), word, face=face, edge=edge, fontsize=8.5, colour=colour)
