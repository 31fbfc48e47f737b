"""Debiasing: a word and a pair of words on the unit circle, neutralised, then equalised."""

import numpy as np
from drawing import BLUE, GREEN, INK, LINE, RED, SOFT, arrow, canvas, label
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Arc

from recurra.models.word_vectors.bias import debias
from recurra.models.word_vectors.keyed import KeyedVectors

ANGLES = {"grandmother": 28.0, "babysitter": 58.0, "grandfather": 122.0}  # degrees from g
COLOURS = {"grandmother": RED, "grandfather": BLUE, "babysitter": GREEN}
RADIUS = 2.4


def draw() -> Figure:
    """Draw the three steps; places are computed by `debias` itself, in the plane."""
    radians = np.radians(list(ANGLES.values()))
    vectors = np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)
    before = KeyedVectors(list(ANGLES), vectors)
    direction, pair = np.array([1.0, 0.0]), ("grandmother", "grandfather")
    neutral = debias(before, direction, pair, []).vectors
    after = debias(before, direction, pair, [pair]).vectors
    figure, axes = canvas(11.6, 2.6, (21.2, 4.752))
    steps = (("unit vectors", before), ("neutralise", neutral), ("equalise", after))
    for column, (name, words) in enumerate(steps):
        _panel(axes, (3.1 + 6.9 * column, 0.75), f"{column + 1}. {name}", words)
    return figure


def _panel(axes: Axes, centre: tuple[float, float], name: str, words: KeyedVectors) -> None:
    x, y = centre
    axes.add_patch(Arc(centre, 2 * RADIUS, 2 * RADIUS, theta2=180, edgecolor=LINE, linewidth=1.0, zorder=1))
    arrow(axes, (x - RADIUS - 0.3, y), (x + RADIUS + 0.5, y), colour=SOFT, width=1.0)
    axes.plot([x, x], [y, y + RADIUS + 0.1], color=LINE, lw=1.0, ls=(0, (4, 3)), zorder=1)
    label(axes, (x + RADIUS + 0.5, y - 0.35), "$g$", fontsize=14, colour=SOFT)
    label(axes, (x, 4.3), name, fontsize=13, weight="bold")
    places = {word: np.array(centre) + RADIUS * words[word] for word in ANGLES}
    for word, place in places.items():
        arrow(axes, centre, tuple(place), colour=COLOURS[word], width=2.0)
        side = float(place[0] - x)
        align = "left" if side > 0.2 else "right" if side < -0.2 else "center"
        shift = (0.1 if side > 0.2 else -0.1 if side < -0.2 else 0.0, 0.3)
        label(axes, tuple(place + shift), word, fontsize=10.5, colour=COLOURS[word], align=align)
    for word in ("grandmother", "grandfather"):
        a, b = places["babysitter"], places[word]
        axes.plot([a[0], b[0]], [a[1], b[1]], color=INK, lw=0.9, ls=(0, (1, 2)), zorder=2)
        cosine = words.similarity("babysitter", word)
        middle = centre + 0.8 * ((a + b) / 2 - centre)
        label(axes, tuple(middle), f"cos {cosine:.2f}", fontsize=8, colour=SOFT)
