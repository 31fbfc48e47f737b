"""One distribution, and what temperature, top-k and top-p make of it."""

import torch
from drawing import BLUE, LINE, SOFT
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from recurra.decoding import temperature, top_k, top_p

WORDS = ("the", "a", "his", "one", "red", "by", "of", "xi")
PROBABILITIES = (0.34, 0.24, 0.16, 0.10, 0.07, 0.05, 0.03, 0.01)


def draw() -> Figure:
    """Draw the distribution itself and five changes of it, computed by recurra.decoding."""
    logits = torch.tensor([PROBABILITIES]).log()
    panels = (
        ("the model's distribution", logits),
        ("temperature 0.5", temperature(0.5)(logits)),
        ("temperature 2", temperature(2.0)(logits)),
        ("top-k, k = 3", top_k(3)(logits)),
        ("top-p, p = 0.8", top_p(0.8)(logits)),
        ("temperature 2, then top-p 0.8", top_p(0.8)(temperature(2.0)(logits))),
    )
    figure = Figure(figsize=(9.2, 4.5), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.12, w_pad=0.1)  # inches
    for axes, (title, changed) in zip(figure.subplots(2, 3, sharey=True).flat, panels, strict=True):
        _bars(axes, title, changed.softmax(dim=-1)[0].tolist())
    return figure


def _bars(axes: Axes, title: str, probabilities: list[float]) -> None:
    places = range(len(WORDS))
    axes.bar(places, PROBABILITIES, color="none", edgecolor=LINE, linewidth=1, width=0.8)
    axes.bar(places, probabilities, color=BLUE, width=0.62)
    for place, probability in zip(places, probabilities, strict=True):
        if probability == 0:
            axes.text(place, 0.012, "0", ha="center", fontsize=8.5, color=SOFT)
    axes.set_title(title, fontsize=10.5)
    axes.set_xticks(places, WORDS, fontsize=9)
    axes.set_ylim(0, 0.6)
    axes.set_yticks([0, 0.2, 0.4, 0.6])
    axes.tick_params(length=0, labelsize=9)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.grid(axis="y", alpha=0.25)
    axes.set_axisbelow(True)
