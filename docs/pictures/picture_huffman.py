"""The Huffman tree of a small vocabulary, and the path of one word through it."""

import numpy as np
from drawing import BLUE, GREEN, LINE, PALE_BLUE, PALE_GREEN, SOFT, arrow, box, canvas, label, node
from matplotlib.figure import Figure

from recurra.models.word_vectors.tables import HuffmanTree

COUNTS = {"the": 40, "of": 20, "and": 16, "king": 6, "ship": 5, "sea": 4, "crown": 2, "anchor": 1}
SHOWN = "ship"


def draw() -> Figure:
    """Draw the tree, its root at the top: inner nodes as circles, words as boxes with their counts."""
    words = list(COUNTS)
    tree = HuffmanTree.of(np.array(list(COUNTS.values()), np.int64))
    paths = {
        word: list(zip(tree.nodes[begin:end].tolist(), tree.labels[begin:end].tolist(), strict=True))
        for word, begin, end in zip(words, tree.starts, tree.starts[1:], strict=False)
    }
    # From left to right by the labels on the paths, so that no two lines cross.
    order = sorted(words, key=lambda word: [label for _, label in paths[word]])
    x = {word: 1.2 * at + 0.8 for at, word in enumerate(order)}
    depth = {inner: at for path in paths.values() for at, (inner, _) in enumerate(path)}
    below = {
        inner: [x[word] for word in words if inner in dict(paths[word])]
        for path in paths.values()
        for inner, _ in path
    }
    deepest = max(map(len, paths.values()))
    top = 1.05 * deepest + 0.45
    figure, axes = canvas(9.2, 9.2 * (top + 0.4) / 10.4, (10.4, top + 0.4))
    place = {inner: (float(np.mean(xs)), top - 1.05 * depth[inner]) for inner, xs in below.items()}
    on_path = dict(paths[SHOWN])
    drawn = set()
    for word in words:
        ends = [*(inner for inner, _ in paths[word][1:]), word]
        for (inner, own), end in zip(paths[word], ends, strict=True):
            if (inner, end) in drawn:
                continue
            drawn.add((inner, end))
            target = place[end] if end in place else (x[word], top - 1.05 * len(paths[word]) + 0.1)
            used = inner in on_path and on_path[inner] == own
            colour = GREEN if used else LINE
            arrow(axes, place[inner], target, colour=colour, width=2.2 if used else 1.2, head=False)
            middle = tuple((a + b) / 2 for a, b in zip(place[inner], target, strict=True))
            side = -0.16 if target[0] < place[inner][0] else 0.16
            label(
                axes,
                (middle[0] + side, middle[1] + 0.06),
                str(int(own)),
                fontsize=9,
                colour=GREEN if used else SOFT,
            )
    for inner, centre in place.items():
        node(axes, centre, "", radius=0.2, face=PALE_GREEN if inner in on_path else "white")
        label(axes, centre, rf"$\theta_{inner}$", fontsize=10)
    for word in words:
        y = top - 1.05 * len(paths[word])
        own = word == SHOWN
        box(
            axes,
            (x[word], y),
            (1.1, 0.62),
            f"{word}\n{COUNTS[word]}",
            face=PALE_GREEN if own else PALE_BLUE,
            edge=GREEN if own else BLUE,
            fontsize=9,
        )
    steps = " ".join(
        rf"\cdot\ \sigma({'' if code else '-'}\theta_{{{inner}}} \cdot h)"
        if at
        else rf"\sigma({'' if code else '-'}\theta_{{{inner}}} \cdot h)"
        for at, (inner, code) in enumerate(paths[SHOWN])
    )
    label(
        axes,
        (10.3, 2.1),
        rf"$P(\mathrm{{{SHOWN}}} \mid h) = {steps}$",
        fontsize=11,
        align="right",
        colour=GREEN,
    )
    return figure
