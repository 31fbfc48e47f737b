"""GloVe: how near a word counts, and how much a count weighs."""

import numpy as np
from drawing import BLUE, GREEN, LINE, RED, SOFT
from matplotlib.figure import Figure

WINDOW = 10
CURVES = ((10.0, GREEN), (100.0, BLUE))
ALPHA = 0.75


def draw() -> Figure:
    """Draw the share of a count by distance, and f(X) by X."""
    figure = Figure(figsize=(9.6, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    distances = np.concatenate([np.arange(-WINDOW, 0), np.arange(1, WINDOW + 1)])
    left.bar(distances, 1 / abs(distances), color=BLUE, width=0.7)
    left.axvline(0, color=RED, lw=1.2)
    left.text(0.25, 1.02, "the word", color=RED, fontsize=9.5)
    left.set_xlabel("distance of the context word, in words")
    left.set_ylabel(r"added to $X_{ij}$: 1 / distance")
    left.set_ylim(0, 1.12)
    counts = np.linspace(0, 120, 601)
    for x_max, colour in CURVES:
        right.plot(
            counts,
            np.minimum(1, (counts / x_max) ** ALPHA),
            color=colour,
            lw=2,
            label=rf"$x_{{max}}$ = {x_max:g}",
        )
    right.axhline(1, color=LINE, lw=0.8, zorder=0)
    right.set_xlabel(r"count $X_{ij}$")
    right.set_ylabel(r"weight $f(X_{ij})$")
    right.legend(frameon=False, fontsize=9.5, loc="lower right")
    right.text(62, 0.44, rf"$\alpha$ = {ALPHA:g}", color=SOFT, fontsize=9.5)
    for axes in (left, right):
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    return figure
