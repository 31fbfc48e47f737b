"""Sequences of one vector or image per step: NumPy arrays without pickles, and folders of frame images."""

import math
import os
import warnings
import zipfile
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from recurra.config import ReaderPart
from recurra.data.examples import SKIP_IT, BadRow, BadRows, Example, row_at, spelled_label
from recurra.errors import DataError
from recurra.plain import counted, listed, reason_of
from recurra.text_files import entries

# Every file with one of these extensions is an image, so that one which Pillow cannot read is named.
_JPEG = (".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".j2k", ".mpo")
_PLAIN = (".bmp", ".dib", ".pbm", ".pgm", ".ppm", ".pnm", ".tga", ".tif", ".tiff")
IMAGES = (*_JPEG, *_PLAIN, ".png", ".apng", ".gif", ".webp", ".avif", ".heic", ".heif", ".jxl")
if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

AnyT = TypeVar("AnyT", bound=np.generic)
_STEP_DIMENSIONS = (2, 4)  # (T, F) or (T, channels, height, width)


# A member of an archive that unpacks to more bytes may be at most this many times its compressed size.
_LARGE, _MOST_PACKED = 1 << 28, 200
# Decoders of other packages raise many undocumented types for damaged input.
_DECODING_FAULTS = (Exception,)


def _read(file: IO[bytes], name: str, available: int) -> NDArray[np.generic]:
    """Read an array if its header fits the available bytes. Raises: BadRow."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # on headers as Python 2 wrote them
            version = npy.read_magic(file)
            read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, _, dtype = read_header(file)
            needed = math.prod(shape) * dtype.itemsize
            if dtype.hasobject or needed > available:
                raise BadRow(
                    f"{name} is not a complete array of plain numbers or text (its header: {shape} of "
                    f"{dtype})"
                )
            file.seek(0)
            array: NDArray[np.generic] = npy.read_array(file, allow_pickle=False)
    except BadRow:
        raise
    except _DECODING_FAULTS as error:
        raise BadRow(
            f"{name} is not a complete array of plain numbers or text ({reason_of(error)})"
        ) from error
    return array


def read_steps(path: Path) -> NDArray[np.generic]:
    """Read the steps of one sequence: a .npy file (T, F) or (T, C, H, W), or a folder of frame images.

    Shapes: (T, F), or (T, C, H, W).
    Raises: BadRow where there is none or it holds something else.
    """
    return read_frames(path) if os.path.isdir(path) else checked_steps(read_one_array(path), str(path))


def read_one_array(path: Path) -> NDArray[np.generic]:
    """Read the array of a .npy file. Shapes: any. Raises: BadRow where there is none."""
    try:
        with path.open("rb") as file:
            return _read(file, str(path), path.stat().st_size)
    except (OSError, ValueError) as error:  # ValueError for a zero byte in the name
        raise BadRow(f"{path} cannot be read ({reason_of(error)})") from error


def checked_steps(steps: NDArray[np.generic], name: str) -> NDArray[np.generic]:
    """Check steps; all but uint8 images become float32. Shapes: (T, F), or (T, C, H, W). Raises: BadRow."""
    if steps.ndim not in _STEP_DIMENSIONS or steps.dtype.kind not in "fiu":
        raise BadRow(
            f"{name} has shape {steps.shape} of {steps.dtype}, expected numbers (steps, features) or (steps, "
            "channels, height, width)"
        )
    if not len(steps):
        raise BadRow(f"{name} has no steps")
    if steps.dtype.kind == "f" and not np.isfinite(steps).all():
        raise BadRow(f"{name} has numbers that are not finite")
    return steps if steps.dtype == np.uint8 and steps.ndim == 4 else steps.astype(np.float32)


def read_frames(folder: Path) -> NDArray[np.uint8]:
    """Read the images of a folder in the order of their names, as numbers 0 … 255.

    Shapes: (T, C, H, W), C 1 if all images are grey, else 3.
    Raises: BadRow where there are none, one cannot be read, or sizes differ.
    """
    files = image_files(folder)
    if not files:
        raise BadRow(f"{folder} has no images")
    return stacked_images([(file.name, read_image(file)) for file in files], str(folder))


def image_files(folder: Path) -> list[Path]:
    """Return the image files of a folder in the order of their names, except hidden ones."""
    visible = (file for file in entries(folder) if not file.name.startswith("."))
    return [file for file in visible if file.suffix.lower() in IMAGES]


def read_image(file: Path) -> NDArray[np.uint8]:
    """Read an image as numbers 0 … 255, upright; grey stays grey, everything else becomes RGB.

    Numbers of 16 bits and floats 0 … 1 are scaled; transparent images are put on white.
    Shapes: (1, H, W) or (3, H, W).
    Raises: BadRow if it cannot be read, or has several frames, integers of 32 bits or other floats.
    """
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file) as opened:
                _check_frames(opened, file)
                _scale_transparency(opened, file)
                grey_of_16_bits = opened.format in ("PNG", "PPM")  # in mode I; of other files, 32 bits
                image = ImageOps.exif_transpose(opened)
        if image.mode in ("I", "F") or image.mode.startswith("I;16"):
            return _scaled(image, file, is_deep=grey_of_16_bits or image.mode != "I")[None]
        if "A" in image.getbands() or "transparency" in image.info:
            white = Image.new("RGBA", image.size, "white")
            grey = image.mode in ("L", "LA", "1")
            flat = Image.alpha_composite(white, image.convert("RGBA")).convert("L" if grey else "RGB")
        else:
            flat = image.convert("L" if image.mode in ("L", "1") else "RGB")
        numbers = np.asarray(flat)
    except BadRow:
        raise
    except _DECODING_FAULTS as error:
        raise BadRow(f"{file} cannot be read as an image ({reason_of(error)})") from error
    return numbers[None] if numbers.ndim == 2 else numbers.transpose(2, 0, 1)


def _check_frames(image: "ImageFile", file: Path) -> None:
    """Check that a file has one image. Raises: BadRow if it has several frames or pages."""
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # in these, previews follow the photograph
        raise BadRow(f"{file} has {frames:,} frames, expected one", "save each as a file", SKIP_IT)


def _scale_transparency(image: "ImageFile", file: Path) -> None:
    """Scale the transparent value of a PNG file, as Pillow scales its pixels to 8 bits.

    Raises: BadRow for a colour of 16 bits, as its pixels are rounded.
    """
    found = image.info.get("transparency")
    if found is None or not image.tile:
        return
    raw_mode = image.tile[0][3]
    if raw_mode in ("L;2", "L;4"):
        image.info["transparency"] = found * (85 if raw_mode == "L;2" else 17)
    elif raw_mode == "RGB;16B":
        raise BadRow(f"{file} has a transparent colour of 16 bits", "save it with 8 bits per value", SKIP_IT)


def _scaled(image: "Image", file: Path, *, is_deep: bool) -> NDArray[np.uint8]:
    """Scale grey numbers of 16 bits, or floats 0 … 1, to 0 … 255. Shapes: (H, W).

    Raises: BadRow for integers of 32 bits, whose largest value is not known, and for other floats.
    """
    ways = "save it with 8 or 16 bits per value", SKIP_IT
    if not is_deep:
        raise BadRow(f"{file} has integers of 32 bits", *ways)
    numbers = np.asarray(image).astype(np.float64)
    largest = 1.0 if image.mode == "F" else 65535.0
    if not (numbers.min(initial=0) >= 0 and numbers.max(initial=0) <= largest):  # NaN is neither
        raise BadRow(f"{file} has floats outside of 0 … 1", *ways)
    if image.mode != "F" and (clear := image.info.get("transparency")) is not None:
        numbers[numbers == clear] = largest
    return np.rint(numbers * (255 / largest)).astype(np.uint8)


def stacked_images(images: Sequence[tuple[str, NDArray[np.uint8]]], where: str) -> NDArray[np.uint8]:
    """Stack images of one size; if some are grey and others not, the grey ones become RGB.

    Shapes: images (C, H, W); result (T, C, H, W). Raises: BadRow naming the first image of another size.
    """
    channels = max(len(image) for _, image in images)
    size = images[0][1].shape[1:]
    for name, image in images:
        if image.shape[1:] != size:
            raise BadRow(
                f"{where} has images of different sizes: {name} has {image.shape[1:]}, {images[0][0]} {size}"
            )
    return np.stack([with_channels(image, channels) for _, image in images])


def with_channels(images: NDArray[AnyT], channels: int) -> NDArray[AnyT]:
    """Convert images between grey and RGB: grey is repeated, RGB becomes its luminance (ITU-R 601).

    Shapes: images (…, C, H, W) with C 1 or 3; result (…, channels, H, W). Others are returned unchanged.
    """
    found = images.shape[-3]
    if (found, channels) == (1, 3):
        return np.repeat(images, 3, axis=-3)
    if (found, channels) == (3, 1):
        grey = np.tensordot(images, np.array([0.299, 0.587, 0.114]), axes=([-3], [0]))[..., None, :, :]
        rounded = np.rint(grey) if images.dtype == np.uint8 else grey
        return rounded.astype(images.dtype)
    return images


def read_arrays(path: Path, config: ReaderPart, bad: BadRows) -> Iterator[Example]:
    """Read an .npz of many sequences: `vectors` has the steps of all, `lengths` the number of steps of each.

    Or `vectors` is (sequences, steps, …) with padding after the first `lengths` steps (if not given, all
    steps are real). `labels` has one label per step or per sequence; if the file has both kinds, `labels`
    are those of the steps and `label` those of the sequences.

    Raises: DataError for a file that is none or whose arrays do not fit each other.
    """
    gold = {"labels": config.tags_column, "label": config.label_column}
    read = [name for name, column in gold.items() if column != ""]  # not in predictions
    found = read_members(path, ("vectors", "lengths", *read))
    if "vectors" not in found:
        raise DataError(f"{path}: has no array 'vectors'; it has {listed(member_names(path))}.")
    vectors = found["vectors"]
    if found["vectors"].ndim < 2:
        raise DataError(f"{path}: has vectors of shape {found['vectors'].shape}, expected at least two axes.")
    given = _lengths(path, found)
    real = _real(vectors, given)
    lengths = given if given is not None else np.full(len(vectors), vectors.shape[1])
    if real is not None:
        vectors = vectors[real]
    if (lengths < 0).any() or lengths.sum() != len(vectors):
        raise DataError(
            f"{path}: has vectors of shape {found['vectors'].shape}, which do not match {len(lengths)} "
            f"lengths with the sum {lengths.sum()}; expected that many steps, or (rows, steps, …)."
        )
    per_step, whole = found.get("labels"), found.get("label")
    if per_step is not None and whole is None and per_step.shape == lengths.shape != (len(vectors),):
        per_step, whole = None, per_step
    if per_step is not None:
        per_step = per_step[real] if real is not None and per_step.shape == real.shape else per_step.ravel()
        if len(per_step) != len(vectors):
            raise DataError(
                f"{path}: has {counted(len(vectors), 'step')} but {counted(len(per_step), 'step label')}."
            )
    if whole is not None and len(whole) != len(lengths):
        raise DataError(
            f"{path}: has {counted(len(lengths), 'sequence')} but {counted(len(whole), 'sequence label')}."
        )
    ends = np.cumsum(lengths)
    for number, (end, length) in enumerate(zip(ends.tolist(), lengths.tolist(), strict=True), start=1):
        with row_at(bad, path, number):
            piece = slice(end - length, end)
            yield Example(
                labels=None if per_step is None else _labels(per_step[piece]),
                label=None if whole is None else spelled_label(whole[number - 1], "label"),
                vectors=checked_steps(vectors[piece], f"sequence {number}"),
                file=str(path),
                line=number,
            )


def _labels(given: NDArray[np.generic]) -> tuple[str, ...]:
    """Return labels of steps as text. Shapes: (T,). Raises: BadRow."""
    return tuple(spelled_label(label, "label of a step") for label in given)


def _lengths(path: Path, found: Mapping[str, NDArray[np.generic]]) -> NDArray[np.int64] | None:
    """Return the number of steps of each row, or None if the file has no lengths. Raises: DataError."""
    for name in ("lengths", "label"):
        if name in found and found[name].ndim != 1:
            raise DataError(f"{path}: has {name} of shape {found[name].shape}, expected one per row.")
    if "lengths" not in found:
        return None
    if found["lengths"].dtype.kind not in "iu":
        raise DataError(f"{path}: has lengths of {found['lengths'].dtype}, expected integers.")
    return found["lengths"].astype(np.int64)


def _real(vectors: NDArray[np.generic], lengths: NDArray[np.int64] | None) -> NDArray[np.bool_] | None:
    """Return the mask of real steps of (rows, steps, …); None if steps are concatenated or do not match.

    Shapes: vectors (rows, steps, …); lengths (rows,); result (rows, steps).
    """
    rows, steps = vectors.shape[:2]
    if lengths is None:
        return np.ones((rows, steps), dtype=bool)
    is_padded = vectors.ndim - 1 in _STEP_DIMENSIONS
    if not is_padded or lengths.shape != (rows,) or lengths.max(initial=0) > steps:
        return None
    within: NDArray[np.bool_] = np.arange(steps) < lengths[:, None]
    return within


def read_members(path: Path, wanted: Container[str] | None = None) -> dict[str, NDArray[np.generic]]:
    """Read the arrays of an .npz by name; all of them, or only `wanted` ones.

    Shapes: any. Raises: DataError for a file that is none.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            found = {}
            for member in archive.infolist():
                name = member.filename.removesuffix(".npy")
                if name == member.filename or (wanted is not None and name not in wanted):
                    continue
                if member.file_size > max(_LARGE, _MOST_PACKED * member.compress_size):
                    raise BadRow(
                        f"{member.filename} would unpack from {member.compress_size:,} to "
                        f"{member.file_size:,} bytes; save it without compression"
                    )
                with archive.open(member) as file:
                    found[name] = _read(file, member.filename, member.file_size)
            return found
    except BadRow as error:
        raise DataError(f"{path}: cannot be read as an .npz file ({error}).") from error
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file; check the path.") from error
    except _DECODING_FAULTS as error:
        raise DataError(f"{path}: cannot be read as an .npz file ({reason_of(error)}).") from error


def member_names(path: Path) -> list[str]:
    """Return the names of the arrays of an .npz that was read before."""
    with zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
