"""A clip of a moving shape: no single frame tells which way it goes, only the whole that it turns back."""

import numpy as np
from drawing import BLUE, LINE, SOFT, canvas, label
from matplotlib.figure import Figure

from recurra.data.synthetic.shapes import make_clip

SEED = 24  # a clip of eight frames that turns back


def draw() -> Figure:
    """Draw the frames side by side, the label of each below."""
    clip = make_clip(np.random.default_rng(SEED))
    count = len(clip.frames)
    figure, axes = canvas(9.2, 9.2 * 1.75 / (count * 1.15), (count * 1.15, 1.75))
    for t, (frame, way) in enumerate(zip(clip.frames, clip.labels, strict=True)):
        left = 0.075 + 1.15 * t
        axes.imshow(frame[0], extent=(left, left + 1, 0.55, 1.55), cmap="Blues", vmin=0, vmax=255, zorder=2)
        axes.plot(
            [left, left + 1, left + 1, left, left], [0.55, 0.55, 1.55, 1.55, 0.55], color=LINE, zorder=3
        )
        label(axes, (left + 0.5, 0.38), way, fontsize=11, colour=BLUE)
    label(axes, (count * 1.15 / 2, 0.12), f"the clip: {clip.label}", fontsize=11, colour=SOFT)
    axes.set_xlim(0, count * 1.15)
    axes.set_ylim(0, 1.75)
    return figure
