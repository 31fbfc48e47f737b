"""A decoder with attention and input feeding: two of its steps, and what flows between them."""

from itertools import pairwise

from drawing import (
    AMBER,
    BLUE,
    GREEN,
    INK,
    LINE,
    PALE,
    PALE_AMBER,
    PALE_GREEN,
    SOFT,
    arrow,
    box,
    canvas,
    label,
)
from matplotlib.figure import Figure

SOURCE = ("A", "dog", "runs", ".")
WEIGHTS = ((0.75, 0.15, 0.05, 0.05), (0.08, 0.8, 0.08, 0.04))
STEPS = (("(begin)", "Ein"), ("Ein", "Hund"))


def draw() -> Figure:
    """Draw the encoder's steps below, two of the decoder's above, the weights as lines between them."""
    figure, axes = canvas(9.2, 5.6, (13.8, 8.4))
    xs = [1.6, 4.2, 6.8, 9.4]
    for x, word in zip(xs, SOURCE, strict=True):
        box(axes, (x, 1.35), (1.7, 0.75), rf"$v_{xs.index(x) + 1}$")
        label(axes, (x, 0.45), word, colour=SOFT)
        arrow(axes, (x, 0.65), (x, 0.97))
    for left, right in pairwise(xs):
        arrow(axes, (left + 0.86, 1.45), (right - 0.86, 1.45), colour=BLUE)
        arrow(axes, (right - 0.86, 1.25), (left + 0.86, 1.25), colour=BLUE)
    label(axes, (11.9, 1.35), "encoder", colour=BLUE)
    for number, (x, (fed, written), weights) in enumerate(
        zip((3.0, 8.2), STEPS, WEIGHTS, strict=True), start=1
    ):
        context, hidden, out = (x + 1.3, 3.9), (x - 0.6, 5.3), (x + 1.3, 6.5)
        for place, weight in zip(xs, weights, strict=True):
            axes.plot(
                [place, context[0]],
                [1.74, 3.5],
                color=AMBER,
                lw=0.4 + 6 * weight,
                alpha=0.25 + 0.6 * weight,
                solid_capstyle="round",
                zorder=1.5,
            )
        box(axes, context, (1.5, 0.75), rf"$c_{number}$", face=PALE_AMBER, edge=AMBER)
        box(axes, hidden, (1.5, 0.75), rf"$h_{number}$", face=PALE_GREEN, edge=GREEN)
        box(axes, out, (1.5, 0.75), rf"$f_{number}$", face=PALE, edge=INK)
        label(axes, (x - 0.6, 3.75), fed, colour=SOFT)
        arrow(axes, (x - 0.6, 4.05), (x - 0.6, 4.92))
        arrow(axes, (context[0], 4.28), (out[0], 6.12), colour=AMBER)
        arrow(axes, (hidden[0] + 0.76, 5.5), (out[0] - 0.5, 6.12), colour=GREEN)
        axes.plot([hidden[0] + 0.76, context[0] - 0.6], [5.1, 4.28], color=GREEN, lw=1.0, ls=(0, (3, 3)))
        arrow(axes, (out[0], 6.88), (out[0], 7.45))
        label(axes, (out[0], 7.8), written, weight="bold")
    arrow(axes, (3.16, 5.25), (6.84, 5.25), colour=GREEN)
    arrow(axes, (5.06, 6.5), (7.1, 5.6), colour=INK)
    label(axes, (6.5, 6.45), "fed to the next step", colour=SOFT, fontsize=10)
    label(axes, (11.9, 5.3), "decoder", colour=GREEN)
    label(axes, (11.9, 3.9), "weighted mean", colour=AMBER)
    axes.plot([0.4, 13.4], [2.35, 2.35], color=LINE, lw=0.8, ls=(0, (2, 4)), zorder=1)
    return figure
