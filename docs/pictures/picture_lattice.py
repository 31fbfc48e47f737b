"""What a sentence may have been meant as, and the best path through it."""

from drawing import BLUE, GREEN, LINE, PALE, PALE_BLUE, PALE_GREEN, SOFT, box, canvas, label
from matplotlib.figure import Figure

# What was typed, and what each word may be meant as; the one that was meant comes first.
PLACES = (
    ("a", ("a",)),
    ("lettr", ("letter", "latter", "better")),
    ("form", ("from", "form", "farm")),
    ("him", ("him", "his", "hum")),
)


def draw() -> Figure:
    """Draw the lattice, the typed words above it."""
    figure, axes = canvas(9.2, 3.4, (13.8, 5.1))
    xs = [1.2, 4.6, 8.4, 12.2]
    ys = [3.0, 1.8, 0.6]
    for x, (typed, words) in zip(xs, PLACES, strict=True):
        label(axes, (x, 4.5), typed, fontsize=13, colour=SOFT)
        label(axes, (x, 3.85), "↓", fontsize=11, colour=SOFT)
        for y, word in zip(ys, words, strict=False):
            best = word == words[0]
            faces = (
                (PALE_GREEN, GREEN)
                if best
                else (PALE_BLUE if word == typed else PALE, BLUE if word == typed else LINE)
            )
            box(axes, (x, y), (1.7, 0.75), word, face=faces[0], edge=faces[1])
    for left, right, before, after in zip(xs, xs[1:], PLACES, PLACES[1:], strict=False):
        for i, _ in enumerate(before[1]):
            for j, _ in enumerate(after[1]):
                best = i == j == 0
                axes.plot(
                    [left + 0.87, right - 0.87],
                    [ys[i], ys[j]],
                    color=GREEN if best else LINE,
                    lw=2.4 if best else 0.8,
                    zorder=2 if best else 1,
                )
    return figure
