"""All ways to label three words, but those that BIO rules out, and the best one."""

from drawing import BLUE, GREEN, LINE, PALE, PALE_GREEN, SOFT, box, canvas, label
from matplotlib.figure import Figure

WORDS = ("leave", "new", "york")
LABELS = ("O", "B-from", "I-from", "B-to", "I-to")
BEST = ("O", "B-from", "I-from")


def allowed(before: str | None, after: str) -> bool:
    """Whether BIO has a label after another, or (None) at the beginning."""
    prefix, _, kind = after.partition("-")
    return prefix != "I" or (before is not None and before != "O" and before.partition("-")[2] == kind)


def draw() -> Figure:
    """Draw the words, a box for each label, and a line for each label that may follow."""
    figure, axes = canvas(9.2, 4.6, (13.8, 6.9))
    xs, ys = [2.4, 6.9, 11.4], [4.6, 3.6, 2.6, 1.6, 0.6]
    for x, word in zip(xs, WORDS, strict=True):
        label(axes, (x, 6.3), word, fontsize=13, colour=SOFT)
        label(axes, (x, 5.6), "↓", fontsize=11, colour=SOFT)
    for t, x in enumerate(xs):
        for y, name in zip(ys, LABELS, strict=True):
            if t == 0 and not allowed(None, name):
                label(axes, (x, y), name, fontsize=10, colour=LINE)
                continue
            best = name == BEST[t]
            face, edge = (PALE_GREEN, GREEN) if best else (PALE, BLUE)
            box(axes, (x, y), (1.8, 0.7), name, face=face, edge=edge)
    for t in range(2):
        for y, before in zip(ys, LABELS, strict=True):
            for other, after in zip(ys, LABELS, strict=True):
                if not allowed(before, after) or (t == 0 and not allowed(None, before)):
                    continue
                best = (before, after) == (BEST[t], BEST[t + 1])
                axes.plot(
                    [xs[t] + 0.92, xs[t + 1] - 0.92],
                    [y, other],
                    color=GREEN if best else LINE,
                    lw=2.4 if best else 0.8,
                    zorder=2 if best else 1,
                )
    return figure
