"""A corpus read as parallel streams, segment by segment."""

from drawing import (
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
    canvas,
    label,
)
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

TEXT = "the cat sat on the mat and the dog lay by the fire"
STREAMS, SEGMENT = 4, 5
FACES = (PALE_BLUE, PALE_GREEN, PALE_AMBER)
CELL, GAP = 1.32, 1.05


def draw() -> Figure:
    """Draw one text on top, its four streams below, three segments marked."""
    figure, axes = canvas(9.6, 3.9, (27.2, 11.05))
    per_stream = -(-len(TEXT) // STREAMS)
    _corpus(axes, per_stream)
    for row in range(STREAMS):
        text = TEXT[row * per_stream : (row + 1) * per_stream]
        y = 5.8 - row * 1.45
        label(axes, (2.5, y + 0.55), f"stream {row + 1}", fontsize=10, colour=SOFT, align="right")
        for column, character in enumerate(text):
            x = 3.0 + column * CELL + column // SEGMENT * GAP
            _cell(axes, x, y, character, FACES[column // SEGMENT])
            if column and column % SEGMENT == 0:
                arrow(axes, (x - GAP - 0.02, y + 0.55), (x - 0.06, y + 0.55), colour=BLUE)
    for segment in range(3):
        x = 3.0 + segment * (SEGMENT * CELL + GAP)
        width = CELL * min(SEGMENT, per_stream - segment * SEGMENT)
        label(axes, (x + width / 2, 0.85), f"segment {segment + 1}", fontsize=10, colour=SOFT)
    arrow(axes, (8.4, 0.25), (9.5, 0.25), colour=BLUE)
    label(axes, (9.75, 0.25), "state carried", fontsize=10, colour=BLUE, align="left")
    note = "one colour is\none batch: 4 rows\nof 5 steps, and\none update"
    label(axes, (22.9, 4.3), note, fontsize=10, align="left")
    return figure


def _corpus(axes: Axes, per_stream: int) -> None:
    width = 0.48
    for place, character in enumerate(TEXT):
        x = 0.9 + place * width + place // per_stream * 0.35
        axes.add_patch(Rectangle((x, 8.9), width, 1.0, facecolor=PALE, edgecolor=LINE, linewidth=0.7))
        label(axes, (x + width / 2, 9.4), character.replace(" ", "␣"), fontsize=8.5)
    for row in range(STREAMS):
        x = 0.9 + (row + 0.5) * per_stream * width + row * 0.35
        label(axes, (x, 8.45), f"stream {row + 1}", fontsize=9, colour=SOFT)
    label(axes, (0.9, 10.4), "the corpus, one token after another", fontsize=10, colour=SOFT, align="left")


def _cell(axes: Axes, x: float, y: float, character: str, face: str) -> None:
    axes.add_patch(Rectangle((x, y), CELL - 0.08, 1.1, facecolor=face, edgecolor=LINE, linewidth=0.9))
    colour = GREEN if character == " " else INK
    label(axes, (x + CELL / 2 - 0.04, y + 0.53), character.replace(" ", "␣"), fontsize=11.5, colour=colour)
