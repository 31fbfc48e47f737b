"""A beam of width 2: what is kept at each step, what ends, and what a wider look would have found."""

from drawing import AMBER, GREEN, INK, LINE, PALE, PALE_AMBER, PALE_GREEN, SOFT, box, canvas, label
from matplotlib.figure import Figure

# Symbol, log-probability of all so far, place (step, height), parent; kept, ended or dropped.
TREE = {
    "begin": ("", "0.0", (0, 4.0), "", "kept"),
    "a": ("a", "-0.4", (1, 6.0), "begin", "kept"),
    "the": ("the", "-1.2", (1, 4.0), "begin", "kept"),
    "one": ("one", "-3.0", (1, 2.0), "begin", "dropped"),
    "a dog": ("dog", "-1.0", (2, 6.7), "a", "kept"),
    "a man": ("man", "-2.3", (2, 5.3), "a", "dropped"),
    "the dog": ("dog", "-1.5", (2, 4.0), "the", "kept"),
    "one dog": ("dog", "-3.1", (2, 2.0), "one", "never"),
    "a dog runs": ("runs", "-1.6", (3, 6.7), "a dog", "kept"),
    "the dog runs": ("runs", "-1.9", (3, 4.6), "the dog", "kept"),
    "the dog ran": ("ran", "-3.4", (3, 3.4), "the dog", "dropped"),
    "end a": ("(end)", "-1.7", (4, 6.7), "a dog runs", "ended"),
    "end the": ("(end)", "-2.4", (4, 4.6), "the dog runs", "ended"),
}
FACES = {
    "kept": (PALE_GREEN, GREEN),
    "ended": (PALE_AMBER, AMBER),
    "dropped": (PALE, LINE),
    "never": ("white", LINE),
}


def draw() -> Figure:
    """Draw the tree from left to right."""
    figure, axes = canvas(9.2, 4.7, (14.4, 7.6))
    places = {name: (1.2 + 2.9 * step, y) for name, (_, _, (step, y), _, _) in TREE.items()}
    for name, (symbol, log_prob, _, parent, fate) in TREE.items():
        x, y = places[name]
        face, edge = FACES[fate]
        alive = fate in ("kept", "ended")
        colour = INK if alive else SOFT
        box(axes, (x, y), (1.9, 0.95), "", face=face, edge=edge)
        label(axes, (x, y + 0.17), symbol or "(begin)", fontsize=12, colour=colour)
        label(axes, (x, y - 0.22), log_prob, fontsize=9, colour=SOFT)
        if parent:
            px, py = places[parent]
            axes.plot(
                [px + 0.96, x - 0.96],
                [py, y],
                color=GREEN if alive else LINE,
                lw=1.8 if alive else 1.0,
                ls="-" if fate != "never" else (0, (2, 3)),
                zorder=1,
            )
    legend = (("kept", "kept: the best two"), ("ended", "ended"), ("dropped", "dropped"))
    for number, (fate, text) in enumerate(legend):
        x = 5.2 + 3.6 * number
        box(axes, (x, 0.6), (0.5, 0.4), "", face=FACES[fate][0], edge=FACES[fate][1], rounding=0.05)
        label(axes, (x + 0.45, 0.6), text, align="left", colour=SOFT)
    return figure
