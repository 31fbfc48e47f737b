"""Where an n-gram model's probability comes from: the longest context, and the shorter ones."""

import numpy as np
from drawing import AMBER, BLUE, GREEN, RED
from matplotlib.figure import Figure

from recurra.models import NGramModel

TEXT = "the cat sat on the mat . the dog sat on the log . the cat saw the dog ."
CONTEXT = ("on", "the")
COLOURS = (AMBER, GREEN, BLUE)


def draw() -> Figure:
    """Draw P(w | on the) for all words, by order, as Kneser-Ney gives it on a text of three sentences."""
    words = sorted(set(TEXT.split()))
    ids = np.array([words.index(word) for word in TEXT.split()])
    starts = np.flatnonzero(ids[:-1] == words.index(".")) + 1
    figure = Figure(figsize=(9.2, 3.2), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(words))
    for order, colour in zip((1, 2, 3), COLOURS, strict=True):
        model = NGramModel.fit(ids, len(words), order, "kneser-ney", starts=starts)
        context = np.array([words.index(word) for word in CONTEXT[3 - order :]], dtype=np.int64)
        shown = " ".join(CONTEXT[3 - order :])
        axes.bar(
            places + 0.26 * (order - 2),
            model.next_probs(context[len(context) - order + 1 :]),
            width=0.24,
            color=colour,
            label=f"n = {order}: P(w | {shown})" if shown else "n = 1: P(w)",
        )
    axes.set_xticks(places, words)
    axes.set_ylabel("probability")
    axes.legend(frameon=False, fontsize=9.5)
    axes.axhline(1 / len(words), color=RED, lw=0.8, ls=":", zorder=0)
    axes.text(len(words) - 0.5, 1 / len(words), " 1/V", color=RED, fontsize=9, va="center")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure
