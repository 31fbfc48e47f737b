"""Images of two coloured shapes with captions such as "a red square to the left of a blue disc".

Each image has two captions, one that starts from each shape; both are correct. An image is given as pixels
and as nine feature vectors computed from them, one per field: its mean colour, and how well the outline of
each shape fits.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recurra.files import write_text, written_whole
from recurra.plain import json_line

SIZE = 24  # pixels, height and width
_FIELD = 8  # pixels, which gives nine fields
_COLOURS = {
    "red": (220, 40, 40),
    "green": (40, 180, 60),
    "blue": (50, 80, 220),
    "yellow": (230, 210, 50),
    "white": (235, 235, 235),
}
_NOISE = 20  # maximum, out of 255
_SAID = {"left": "to the left of", "right": "to the right of", "above": "above", "below": "below"}
_OPPOSITE = {"left": "right", "right": "left", "above": "below", "below": "above"}


class Picture(NamedTuple):
    """Pixels and captions. Shapes: pixels (3, SIZE, SIZE) uint8."""

    pixels: NDArray[np.uint8]
    captions: tuple[str, str]


def _outlines() -> dict[str, NDArray[np.bool_]]:
    """Return the outlines, smaller than a field by one pixel on each side. Shapes: each (6, 6)."""
    place = np.arange(6) - 2.5
    across, down = np.meshgrid(place, place)
    return {
        "square": np.ones((6, 6), dtype=bool),
        "disc": across**2 + down**2 <= 7.0,
        "triangle": np.abs(across) <= (down + 3.0) / 2,
        "cross": (np.abs(across) < 1) | (np.abs(down) < 1),
    }


_SHAPES = _outlines()


def make_picture(rng: np.random.Generator) -> Picture:
    """Draw an image of two different coloured shapes in the same row or column of fields."""
    first, second = (f"{rng.choice(list(_COLOURS))} {rng.choice(list(_SHAPES))}" for _ in range(2))
    while second == first:
        second = f"{rng.choice(list(_COLOURS))} {rng.choice(list(_SHAPES))}"
    shared, (one, other) = int(rng.integers(3)), rng.choice(3, 2, replace=False).tolist()
    in_a_row = rng.random() < 0.5
    places = [(shared, one), (shared, other)] if in_a_row else [(one, shared), (other, shared)]
    way = ("left" if one < other else "right") if in_a_row else ("above" if one < other else "below")
    pixels = rng.integers(0, _NOISE + 1, (3, SIZE, SIZE)).astype(np.int64)
    for thing, (row, column) in zip((first, second), places, strict=True):
        colour, shape = thing.split()
        top, left = row * _FIELD + 1, column * _FIELD + 1
        where = np.zeros((SIZE, SIZE), dtype=bool)
        where[top : top + 6, left : left + 6] = _SHAPES[shape]
        for channel, amount in enumerate(_COLOURS[colour]):
            pixels[channel, where] += amount - _NOISE
    captions = (f"a {first} {_SAID[way]} a {second}", f"a {second} {_SAID[_OPPOSITE[way]]} a {first}")
    return Picture(pixels.clip(0, 255).astype(np.uint8), captions)


def features_of(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Compute the mean of each colour per field, and how well each outline fits its bright pixels.

    Shapes: pixels (N, 3, SIZE, SIZE); result (N, 9, 7).
    """
    fields = pixels.reshape(-1, 3, 3, _FIELD, 3, _FIELD).transpose(0, 2, 4, 1, 3, 5) / 255.0
    inner = fields[..., 1:7, 1:7]
    means = inner.mean((4, 5))
    bright = inner.max(3) - inner.max(3).mean((3, 4), keepdims=True)
    fits = [(bright * (shape - shape.mean())).mean((3, 4)) for shape in _SHAPES.values()]
    found = np.concatenate([means, 8 * np.stack(fits, axis=3)], axis=3)
    return found.reshape(len(pixels), 9, -1).astype(np.float32)


def write_corpus(path: Path, count: int, seed: int) -> None:
    """Write `count` images as an .npz of feature vectors, and their pixels and captions next to it.

    For `NAME.npz` these are `NAME-pixels.npz` and `NAME.jsonl`. The same seed gives the same files.

    Raises: StorageError if they cannot be written.
    """
    rng = np.random.default_rng(seed)
    pictures = [make_picture(rng) for _ in range(count)]
    pixels = np.stack([picture.pixels for picture in pictures])
    stem = path.with_suffix("")
    for file, features in ((path, features_of(pixels)), (stem.with_name(f"{stem.name}-pixels.npz"), pixels)):
        with written_whole(file) as handle:
            np.savez_compressed(handle, features=features)
    rows = [{"image": i, "captions": picture.captions} for i, picture in enumerate(pictures)]
    write_text(stem.with_name(f"{stem.name}.jsonl"), "".join(json_line(row) + "\n" for row in rows))
