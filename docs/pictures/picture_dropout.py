"""What dropout leaves out: drawn at each step, or once for a segment."""

import torch
from drawing import BLUE, INK, LINE, PALE_BLUE
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from recurra.layers import SequenceDropout

UNITS, STEPS, P = 8, 12, 0.4


def draw() -> Figure:
    """Draw one row of each kind, by recurra's own layer."""
    torch.manual_seed(4)
    figure = Figure(figsize=(9.2, 2.9), layout="constrained")
    titles = ('dropout_mask = "step"', 'dropout_mask = "segment"')
    for axes, title, once in zip(figure.subplots(1, 2), titles, (False, True), strict=True):
        _grid(axes, title, SequenceDropout(P, once=once)(torch.ones(1, STEPS, UNITS))[0])
    return figure


def _grid(axes: Axes, title: str, kept: torch.Tensor) -> None:
    for t in range(STEPS):
        for unit in range(UNITS):
            face, edge = (PALE_BLUE, BLUE) if kept[t, unit] > 0 else ("white", LINE)
            axes.add_patch(Rectangle((t + 0.08, unit + 0.08), 0.84, 0.84, facecolor=face, edgecolor=edge))
    axes.set_xlim(0, STEPS)
    axes.set_ylim(0, UNITS)
    axes.set_aspect("equal")
    axes.set_title(title, fontsize=10.5, family="monospace", color=INK)
    axes.set_xlabel("steps of a segment", fontsize=9.5)
    axes.set_ylabel("units", fontsize=9.5)
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)
