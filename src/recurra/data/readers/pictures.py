"""Images with captions: features or pixels in an array, and captions in JSON lines."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.data.examples import SKIP_IT, BadRow, BadRows, numbers_of, row_at, spelled
from recurra.data.readers.arrays import (
    IMAGES,
    image_files,
    member_names,
    read_image,
    read_members,
    read_one_array,
    stacked_images,
)
from recurra.data.readers.pairs import Pair, texts
from recurra.data.readers.tables import json_objects
from recurra.errors import DataError
from recurra.plain import counted, listed, quoted
from recurra.text_files import exists, is_folder

_DIMENSIONS = (2, 3, 4)  # (N, F), (N, R, F), (N, C, H, W)


class Pictures:
    """Images by name, or by number from 0 if they have no names.

    Shapes: vectors (N, F), (N, R, F) or (N, C, H, W).
    """

    def __init__(self, path: Path, vectors: NDArray[np.generic], names: list[str] | None = None) -> None:
        self.path, self.vectors = path, vectors
        self.names = [str(number) for number in range(len(vectors))] if names is None else names
        self._places = {name: place for place, name in enumerate(self.names)}

    def of(self, name: str) -> NDArray[np.generic]:
        """Return the image with a name. Raises: BadRow if there is none."""
        if name not in self._places:
            raise BadRow(f"names the image {quoted(name)}, which {self.path} does not contain")
        picture: NDArray[np.generic] = self.vectors[self._places[name]]
        return picture

    def __len__(self) -> int:
        return len(self.vectors)


def read_pictures(path: Path, bad: BadRows | None = None) -> Pictures:
    """Read a `.npy` array, an `.npz` with `features` and optional `names`, an image or a folder of images.

    Raises: DataError for anything else, and for numbers that are not finite.
    """
    try:
        if is_folder(path):
            return _of_folder(path, BadRows() if bad is None else bad)
        if path.suffix == ".npz":
            return _named(path, read_members(path, ("features", "names")))
        if path.suffix.lower() in IMAGES:
            return Pictures(path, read_image(path)[None], [path.name])
        if exists(path) and path.suffix != ".npy":
            raise BadRow(f"{path} is not a .npy file, an .npz file, an image or a folder of images")
        return Pictures(path, _checked(read_one_array(path), path))
    except BadRow as fault:
        raise DataError(f"{fault}.") from fault


def pictures_in(array: NDArray[Any]) -> Pictures:
    """Return an array of images or features as pictures with numbers.

    Shapes: (N, F), (N, R, F) or (N, C, H, W). Raises: DataError as `read_pictures`.
    """
    path = Path("array")
    return Pictures(path, _checked(array, path))


def _of_folder(folder: Path, bad: BadRows) -> Pictures:
    """Read the images of a folder; those that cannot be read go to `bad`. Raises: BadRow, DataError."""
    found = []
    for file in image_files(folder):
        with row_at(bad, file, 0):
            try:
                found.append((file.name, read_image(file)))
            except BadRow as fault:
                raise BadRow(str(fault).removeprefix(f"{file} "), *fault.ways) from fault
    if not found:
        raise BadRow(f"{folder} has no images that can be read")
    return Pictures(folder, stacked_images(found, str(folder)), [name for name, _ in found])


def _named(path: Path, found: Mapping[str, NDArray[np.generic]]) -> Pictures:
    if "features" not in found:
        raise DataError(f"{path}: has no array 'features'; it has {listed(member_names(path))}.")
    vectors = _checked(found["features"], path)
    if "names" not in found:
        return Pictures(path, vectors)
    try:
        names = [spelled(name, "the name of an image") for name in found["names"].ravel()]
    except BadRow as fault:
        raise DataError(f"{path}: {fault}; correct it.") from fault
    if len(names) != len(vectors) or len(set(names)) < len(names):
        raise DataError(
            f"{path}: has {counted(len(vectors), 'feature')} but "
            f"{counted(len(set(names)), 'different name')}; they must match."
        )
    return Pictures(path, vectors, names)


def _checked(vectors: NDArray[np.generic], path: Path) -> NDArray[np.generic]:
    if vectors.ndim not in _DIMENSIONS or vectors.dtype.kind not in "fiu" or not vectors.size:
        raise DataError(
            f"{path}: has shape {vectors.shape} of {vectors.dtype}, expected numbers (images, features), "
            "(images, regions, features) or (images, channels, height, width)."
        )
    return numbers_of(vectors, str(path), images=vectors.ndim == 4)


def read_captions(pictures: Pictures, captions: Path, bad: BadRows) -> list[Pair]:
    """Read the captions of images from JSON lines {image, caption} or {image, captions: […]}.

    An image may have any number of lines; `image` is its name, or its number from 0.

    Raises: DataError for files that cannot be used.
    """
    found: dict[str, list[str]] = {}
    lines: dict[str, int] = {}
    for number, row in json_objects(captions, bad):
        with row_at(bad, captions, number):
            name = row.get("image")
            given = [row[key] for key in ("captions", "caption") if row.get(key) is not None]
            if len(given) > 1:
                raise BadRow("has both 'caption' and 'captions'", "remove one of them", SKIP_IT)
            if not isinstance(name, str | int) or not given:
                raise BadRow("needs 'image', and 'caption' or 'captions'")
            pictures.of(str(name))
            found.setdefault(str(name), []).extend(texts(given[0]))
            lines.setdefault(str(name), number)
    if not found:
        raise DataError(f"{captions}: has no usable captions ({len(bad)} left out).")
    return [
        Pair((name,), tuple(targets), pictures.of(name), str(captions), lines[name])
        for name, targets in found.items()
    ]
