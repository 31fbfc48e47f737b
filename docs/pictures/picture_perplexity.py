"""How surprised a model is at each character of a sentence that it has not read before.

The figures come from `recurra score RUN --tokens --json` with the model of the language-model guide.
"""

from drawing import BLUE, RED, SOFT
from matplotlib.figure import Figure

SENTENCE = "A van starts from rest and reaches 18 m/s in 8.9 s. What is its acceleration?\n"
BITS = (
    1.53,
    1.74,
    3.07,
    0.36,
    0.08,
    0.03,
    2.57,
    0.26,
    0.86,
    0.33,
    0.27,
    0.07,
    0.02,
    0.25,
    0.02,
    0.0,
    0.01,
    0.0,
    0.14,
    0.01,
    0.01,
    0.02,
    0.09,
    0.12,
    0.51,
    0.01,
    0.01,
    3.37,
    0.59,
    0.15,
    0.34,
    0.04,
    0.17,
    0.04,
    0.0,
    3.62,
    3.03,
    0.05,
    0.28,
    0.04,
    0.0,
    1.8,
    5.01,
    0.16,
    0.17,
    4.83,
    2.51,
    3.04,
    0.0,
    0.23,
    0.92,
    0.0,
    1.53,
    0.03,
    0.0,
    0.0,
    0.01,
    0.54,
    0.0,
    0.0,
    2.4,
    0.06,
    0.04,
    0.0,
    3.95,
    0.37,
    0.08,
    0.01,
    0.02,
    0.0,
    0.02,
    0.0,
    0.01,
    1.39,
    0.23,
    0.02,
    1.94,
    0.01,
)


def draw() -> Figure:
    """Draw -log2 P of each character and their mean."""
    assert len(BITS) == len(SENTENCE)
    mean = sum(BITS) / len(BITS)
    figure = Figure(figsize=(9.6, 3.1), layout="constrained")
    axes = figure.subplots()
    axes.bar(range(len(BITS)), BITS, color=BLUE, width=0.8)
    axes.axhline(mean, color=RED, linewidth=1.3, linestyle=(0, (5, 3)))
    text = rf"mean {mean:.2f} bits per character; perplexity $2^{{{mean:.2f}}}$ = {2**mean:.2f}"
    axes.text(len(BITS) - 0.5, 4.7, text, color=RED, ha="right", fontsize=10)
    shown = SENTENCE.replace(" ", "␣").replace("\n", "↵")
    axes.set_xticks(range(len(BITS)), list(shown), fontsize=8.5, family="DejaVu Sans Mono")
    for tick, character in zip(axes.get_xticklabels(), shown, strict=True):
        tick.set_color("#c3cbd4" if character == "␣" else "#1d2733")
    axes.set_xlim(-0.8, len(BITS) - 0.2)
    axes.set_ylim(0, 5.3)
    axes.set_ylabel(r"$-\log_2 P$, bits", color=SOFT)
    axes.tick_params(length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.grid(axis="y", alpha=0.25)
    axes.set_axisbelow(True)
    return figure
