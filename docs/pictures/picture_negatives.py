"""Negative sampling: the terms of its loss, and how often words are drawn as negatives."""

import numpy as np
from drawing import AMBER, BLUE, GREEN, RED, SOFT
from matplotlib.figure import Figure

from recurra.models.word_vectors.tables import AliasTable

WORDS = 10_000
EXPONENTS = ((1.0, BLUE), (0.75, GREEN), (0.0, AMBER))


def draw() -> Figure:
    """Draw -log σ of both labels, and the share of draws by rank for counts that follow Zipf's law."""
    figure = Figure(figsize=(9.6, 3.3), layout="constrained")
    left, right = figure.subplots(1, 2)
    score = np.linspace(-6, 6, 241)
    left.plot(
        score,
        np.log1p(np.exp(-score)),
        color=GREEN,
        lw=2,
        label=r"the word: $-\log\,\sigma(\theta_t\cdot h)$",
    )
    left.plot(
        score,
        np.log1p(np.exp(score)),
        color=RED,
        lw=2,
        label=r"a drawn word: $-\log\,\sigma(-\theta_j\cdot h)$",
    )
    left.legend(frameon=False, fontsize=9.5, loc="upper center")
    left.set_xlabel(r"score $\theta\cdot h$")
    left.set_ylabel("loss in nats")
    left.set_ylim(0, 6.2)
    rank = np.arange(1, WORDS + 1)
    for exponent, colour in EXPONENTS:
        share = AliasTable.of((1e6 / rank) ** exponent).probabilities()
        right.plot(rank, share, color=colour, lw=2, label=f"exponent {exponent:g}")
    right.set_xscale("log")
    right.set_yscale("log")
    right.set_xlabel("rank of the word")
    right.set_ylabel("share of the draws")
    right.legend(frameon=False, fontsize=9.5)
    right.text(1.1, 2e-5, r"counts in proportion to 1 / rank", color=SOFT, fontsize=9)
    for axes in (left, right):
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    return figure
