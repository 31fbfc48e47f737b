"""Clips of a moving shape: one frame does not show the direction; only the whole clip shows a turn.

Frames are images of one channel, numbers 0 … 255. Each frame is labelled with the direction of the step to
it (the first one with that of the next): left, right, up, down. The clip is "straight" or "turns back".
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recurra.files import written_whole

SIZE = 12  # pixels, height and width
_WAYS = {"left": (0, -2), "right": (0, 2), "up": (-2, 0), "down": (2, 0)}  # pixels per frame
_OPPOSITE = {"left": "right", "right": "left", "up": "down", "down": "up"}
_SHAPE = 3  # pixels
_NOISE = 25  # maximum, out of 255


class Clip(NamedTuple):
    """Frames, their labels, and the label of the clip. Shapes: frames (T, 1, SIZE, SIZE) uint8."""

    frames: NDArray[np.uint8]
    labels: list[str]
    label: str


def _picture(kind: int) -> NDArray[np.bool_]:
    """Return a square, a cross or a ring."""
    square = np.ones((_SHAPE, _SHAPE), dtype=bool)
    if kind == 1:
        square[::2, ::2] = False
    elif kind == 2:
        square[1, 1] = False
    return square


def make_clip(rng: np.random.Generator) -> Clip:
    """Draw a clip of 6 to 12 frames; a shape that leaves at one edge re-enters at the opposite edge."""
    steps = int(rng.integers(6, 13))
    way = str(rng.choice(list(_WAYS)))
    turns = rng.random() < 0.5
    turn_at = int(rng.integers(2, steps - 2)) if turns else steps
    ways = [way if t < turn_at else _OPPOSITE[way] for t in range(steps)]
    ways[0] = ways[1]
    row, column = (int(place) for place in rng.integers(0, SIZE, 2))
    shape = _picture(int(rng.integers(3)))
    frames = rng.integers(0, _NOISE + 1, (steps, 1, SIZE, SIZE)).astype(np.uint8)
    rows, columns = np.nonzero(shape)
    for t, at in enumerate(ways):
        if t:
            row, column = row + _WAYS[at][0], column + _WAYS[at][1]
        frames[t, 0, (rows + row) % SIZE, (columns + column) % SIZE] = 255 - _NOISE
    return Clip(frames, ways, "turns back" if turns else "straight")


def write_corpus(path: Path, count: int, seed: int) -> None:
    """Write `count` clips as an .npz with `vectors`, `lengths`, `labels` and `label`.

    The same seed gives the same file.

    Raises: StorageError if it cannot be written.
    """
    rng = np.random.default_rng(seed)
    clips = [make_clip(rng) for _ in range(count)]
    with written_whole(path) as file:
        np.savez_compressed(
            file,
            vectors=np.concatenate([clip.frames for clip in clips]),
            lengths=np.array([len(clip.frames) for clip in clips]),
            labels=np.array([label for clip in clips for label in clip.labels]),
            label=np.array([clip.label for clip in clips]),
        )
