"""Plots of word vectors: axes, words moved by debiasing, maps, and pairs in the plane."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.reports.drawing import shown_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST = 60  # words of a heat map
_LABELS = 250  # words of a map that have labels
_COLOURS = ("#2c6fbb", "#c0392b", "#2a9d5c", "#b9770e")
_GREY = "#9aa5b1"


def signed_heat_map(values: Any, *, columns: Sequence[str], rows: Sequence[str]) -> "Figure":
    """Plot values from -1 to 1, blue for positive and red for negative ones, with the numbers.

    Shapes: values (rows, columns); at most the first 60 of both.
    """
    from matplotlib.figure import Figure

    values = values[:_MOST, :_MOST]
    down, across = ([shown_name(name) for name in side[:_MOST]] for side in (rows, columns))
    longest = max(map(len, down), default=1)
    size = (0.6 + len(across) * 0.62 + 0.085 * longest, 0.7 + len(down) * 0.36)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    largest = max(0.5, float(abs(values).max(initial=0.0)))
    axes.imshow(values, cmap="RdBu", vmin=-largest, vmax=largest, aspect="auto")
    for (y, x), value in np.ndenumerate(values):
        colour = "white" if abs(value) > 0.6 * largest else "black"
        axes.text(x, y, f"{value:+.2f}", ha="center", va="center", color=colour)
    axes.xaxis.tick_top()
    axes.set_xticks(range(len(across)), across)
    axes.set_yticks(range(len(down)), down)
    axes.tick_params(length=0)
    return figure


def moved_words(
    cosines: Mapping[str, tuple[float, float]], *, pairs: Sequence[tuple[str, str]], most: int = 40
) -> "Figure":
    """Plot the cosines of words with a direction before and after debiasing, one row per word.

    Of many words, those that moved most are shown. `pairs` name the ends of the axis.
    """
    from matplotlib.figure import Figure

    chosen = sorted(cosines, key=lambda word: -abs(cosines[word][0] - cosines[word][1]))[:most]
    words = sorted(chosen, key=lambda word: cosines[word][0])
    figure = Figure(figsize=(6.4, 0.9 + 0.19 * len(words)), layout="constrained")
    axes = figure.add_subplot()
    for y, word in enumerate(words):
        before, after = cosines[word]
        axes.plot([before, after], [y, y], color="#c5ccd3", lw=1.5, zorder=1)
    places = range(len(words))
    for name, side, colour in (("before", 0, _COLOURS[1]), ("after", 1, _COLOURS[0])):
        axes.scatter([cosines[w][side] for w in words], places, s=18, color=colour, label=name, zorder=2)
    axes.axvline(0, color="#9aa5b1", lw=0.8, zorder=0)
    axes.set_yticks(places, [shown_name(word) for word in words])
    axes.set_ylim(-1, len(words))
    first, second = (listed_names([pair[side] for pair in pairs]) for side in (0, 1))
    axes.set_xlabel(f"{second}  <  cosine with the direction  <  {first}")
    axes.legend(frameon=False, loc="lower right")
    return figure


def listed_names(names: Sequence[str], most: int = 3) -> str:
    """Return the first names for the label of an axis."""
    shown = ", ".join(shown_name(name) for name in names[:most])
    return shown + (", …" if len(names) > most else "")


def scatter_map(words: Sequence[str], points: Any) -> "Figure":
    """Plot a map of words; labels of the first words that do not overlap. Shapes: points (n, 2)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 8), layout="constrained")
    axes = figure.add_subplot()
    axes.scatter(points[:, 0], points[:, 1], s=6, color=_COLOURS[0], alpha=0.6, linewidths=0)
    axes.set_axis_off()
    # A label takes about 0.08 inches per letter, and 0.14 in height.
    low, span = points.min(0), np.maximum(np.ptp(points, axis=0), 1e-9)
    boxes: list[tuple[float, float, float]] = []
    for word, point in zip(words, points, strict=True):
        left, y = (point - low) / span * (9.4, 7.4)
        wide = 0.085 * len(word) + 0.1
        if all(abs(y - v) > 0.15 or left > u + b or left + wide < u for u, v, b in boxes):
            boxes.append((left, y, wide))
            axes.annotate(
                shown_name(word), point, (3, 0), textcoords="offset points", va="center", fontsize=8
            )
        if len(boxes) == _LABELS:
            break
    return figure


def pair_arrows(pairs: Sequence[tuple[str, str]], points: Any, *, explained: tuple[float, float]) -> "Figure":
    """Plot pairs of words in a plane with an arrow from the first to the second word of each.

    Shapes: points (pairs, 2, 2).
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    axes = figure.add_subplot()
    for (first, second), (a, b) in zip(pairs, points, strict=True):
        arrow = {"arrowstyle": "->", "color": _GREY, "lw": 1.2, "shrinkA": 5, "shrinkB": 5}
        axes.annotate("", b, a, arrowprops=arrow)
        for word, place, colour in ((first, a, _COLOURS[0]), (second, b, _COLOURS[1])):
            axes.scatter(place[0], place[1], s=22, color=colour)
            axes.annotate(shown_name(word), place, (5, 5), textcoords="offset points")
    axes.margins(0.15)
    axes.set_xlabel(f"first principal component ({explained[0]:.0%} of the variance)")
    axes.set_ylabel(f"second principal component ({explained[1]:.0%})")
    axes.grid(alpha=0.25)
    return figure
