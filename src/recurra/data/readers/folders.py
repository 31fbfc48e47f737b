"""One folder per class; each row is a text file, an array or a folder of frame images."""

from collections.abc import Iterator
from pathlib import Path

from recurra.config import ReaderPart
from recurra.data.examples import BadRow, BadRows, Example, checked_words, row_at
from recurra.data.readers.arrays import IMAGES, read_steps
from recurra.errors import DataError
from recurra.text.words import plain_words
from recurra.text_files import entries, is_folder, read_text


def _visible(folder: Path) -> list[Path]:
    return [path for path in entries(folder) if not path.name.startswith(".")]


def is_class_folder(path: Path) -> bool:
    """Whether a folder contains folders that are not empty (of text files, arrays or clips)."""
    return any(is_folder(inner) and _visible(inner) for inner in _visible(path))


def is_without_classes(path: Path) -> bool:
    """Whether a path is one row of vectors or frames, or a folder of rows without classes.

    A folder that contains folders other than clips has classes; files next to these are not rows.
    """
    if not is_folder(path):
        return path.suffix == ".npy"
    folders = [one for one in _visible(path) if is_folder(one) and _visible(one)]
    return all(map(_is_clip, folders)) and bool(_visible(path))


def _is_clip(path: Path) -> bool:
    return is_folder(path) and any(one.suffix.lower() in IMAGES for one in _visible(path))


def read_without_classes(path: Path, config: ReaderPart, bad: BadRows) -> Iterator[Example]:
    """Read one row or the rows of a folder (see `is_without_classes`).

    If a folder contains clips or arrays, its other files are not rows.
    """
    rows = [path] if _is_clip(path) or not is_folder(path) else _visible(path)
    of_steps = [row for row in rows if row.suffix == ".npy" or _is_clip(row)]
    rows = of_steps or rows
    for row in rows:
        with row_at(bad, row, 0):
            yield _row(row, None, config)


def read_folder(path: Path, config: ReaderPart, bad: BadRows) -> Iterator[Example]:
    """Read rows `path/CLASS/row.txt`, `.npy` files or folders of frame images; the class is the label.

    Raises: DataError for a path that is no folder.
    """
    if not is_folder(path):
        raise DataError.advising(f"{path}: is not a folder of classes", "see --format")
    for folder in _visible(path):
        if not is_folder(folder):
            continue
        for row in _visible(folder):
            with row_at(bad, row, 0):
                yield _row(row, folder.name, config)


def _row(row: Path, label: str | None, config: ReaderPart) -> Example:
    if is_folder(row) or row.suffix == ".npy":
        try:
            return Example(label=label, vectors=read_steps(row), file=str(row))
        except BadRow as fault:
            raise BadRow(str(fault).removeprefix(f"{row} "), *fault.ways) from fault
    if row.suffix.lower() in IMAGES:
        raise BadRow(f"is an image; a clip is a folder of images, such as {row.parent / row.stem / row.name}")
    try:
        text = read_text(row, encoding=config.encoding)
    except DataError as error:
        raise BadRow(str(error).removeprefix(f"{row}: ").rstrip(".")) from error
    words = checked_words(plain_words(text, config.split))
    return Example(words, label=label, file=str(row), text=text.rstrip("\n"))
