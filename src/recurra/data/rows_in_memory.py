"""Training data in memory, as the bytes of files that the readers read.

[("a fine film", "good"), …]                          texts with a label
[(["go", "to", "boston"], ["O", "O", "B-to"]), …]     words with labels, and optionally a label of the text
[("Rolf in Oslo", {"entities": [(8, 12, "LOC")]}), …] a text with entities by character offsets
[(array, "left"), …]                                  steps of shape (T, F) or (T, C, H, W) with a label
[{"text": "a fine film", "label": "good"}, …]         dictionaries with the columns of a JSON-lines file
a data frame, or a dictionary of columns              the same, column by column
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from recurra.arguments import is_many
from recurra.errors import ArgumentTypeError, ConfigError, DataError
from recurra.plain import json_line, quoted

_EXPECTED = "the path of a file, a list of rows, or a data frame"


class FileContent(NamedTuple):
    """The extension and the bytes of a file."""

    extension: str
    content: bytes


def rows_of(data: Any, what: str = "data") -> list[Any]:
    """Return the rows of a list, a generator, a data frame or a dictionary of columns.

    Raises: ArgumentTypeError for anything else; ConfigError if there are none, or columns differ in length.
    """
    if isinstance(data, Mapping):
        columns = {str(name): list(values) for name, values in data.items() if is_many(values)}
        if len(columns) < len(data) or len({len(values) for values in columns.values()}) > 1:
            raise ConfigError(f"{what}: got {quoted(data)}, expected columns of the same length.")
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    elif hasattr(data, "to_dicts"):  # a data frame of polars
        rows = data.to_dicts()
    elif hasattr(data, "columns") and hasattr(data, "to_dict"):  # a data frame of pandas
        rows = data.to_dict(orient="records")
    elif is_many(data) and not hasattr(data, "shape"):
        rows = list(data)
    else:
        raise ArgumentTypeError(f"{what}: got {_told(data)}, expected {_EXPECTED}.")
    if not rows:
        raise ConfigError(f"{what}: has no rows; give at least two.")
    return rows


def has_columns(data: Any) -> bool:
    """Whether data in memory name their columns: a data frame, or dictionaries."""
    if isinstance(data, Mapping) or hasattr(data, "columns"):
        return True
    return isinstance(data, Sequence) and len(data) > 0 and isinstance(data[0], Mapping)


def file_of_lines(data: Any, what: str) -> FileContent:
    """Return a list of lines, or of documents of several lines, as a text file. Raises: as `rows_of`."""
    lines = rows_of(data, what)
    for place, line in enumerate(lines):
        if not isinstance(line, str):
            is_words = isinstance(line, list | tuple) and all(isinstance(word, str) for word in line)
            remedy = "; join its words with blanks" if is_words else ""
            raise ArgumentTypeError(f"{what}[{place}]: got {_told(line)}, expected a line of text{remedy}.")
    return FileContent(".txt", "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass"))


def file_of_labelled(data: Any, what: str, *, has_word_labels: bool, has_pairs: bool) -> FileContent:
    """Return labelled rows as JSON lines, or as arrays if they have vectors.

    `has_word_labels`: the first label of a tuple has one label per word; `has_pairs`: two texts come first.

    Raises: as `rows_of`, and ArgumentTypeError for a row of another form, naming its index.
    """
    rows = [
        row if isinstance(row, Mapping) else _labelled(row, f"{what}[{place}]", has_word_labels, has_pairs)
        for place, row in enumerate(rows_of(data, what))
    ]
    if any(isinstance(row.get("vectors"), np.ndarray) for row in rows):
        return _arrays(rows, what)
    return _json_lines(rows, what)


def file_of_pairs(data: Any, what: str, *, has_turns: bool) -> FileContent:
    """Return pairs of a source and a target, or with `has_turns` lists of turns, as JSON lines.

    The target may be a list of references.

    Raises: as `rows_of`, and ArgumentTypeError for a row of another form, naming its index.
    """
    rows: list[Mapping[str, Any]] = []
    for place, row in enumerate(rows_of(data, what)):
        if isinstance(row, Mapping):
            rows.append(row)
            continue
        parts = list(row) if is_many(row) else []
        if has_turns and len(parts) > 1 and all(isinstance(turn, str) for turn in parts):
            rows.append({"turns": parts})
        elif len(parts) == 2 and all(isinstance(side, str) or is_many(side) for side in parts):
            rows.append({"source": parts[0], "target": parts[1]})
        else:
            expected = "a list of turns, or a pair" if has_turns else "a pair"
            got = _told(row)
            raise ArgumentTypeError(f"{what}[{place}]: got {got}, expected {expected} of source and target.")
    return _json_lines(rows, what)


def files_of_captions(data: Any, what: str) -> tuple[FileContent, FileContent]:
    """Return pairs of an array and its caption, or captions, as an .npz file and JSON lines.

    Raises: as `rows_of`, and ArgumentTypeError for a row of another form; DataError for different shapes.
    """
    arrays: list[Any] = []
    captions: list[Mapping[str, Any]] = []
    for place, row in enumerate(rows_of(data, what)):
        parts = list(row) if is_many(row) else []
        if len(parts) != 2 or not isinstance(parts[0], np.ndarray):
            got = _told(row)
            raise ArgumentTypeError(f"{what}[{place}]: got {got}, expected an array and its caption.")
        arrays.append(parts[0])
        captions.append({"image": str(place), "captions": parts[1]})
    return FileContent(".npz", _npz({"features": _stacked(arrays, what, np.stack)})), _json_lines(
        captions, what
    )


def _labelled(row: Any, where: str, has_word_labels: bool, has_pairs: bool) -> Mapping[str, Any]:
    """Return a row that is a tuple as columns."""
    parts = list(row) if is_many(row) else []
    if has_pairs:
        if len(parts) == 2 and is_many(parts[0]):
            parts = [*parts[0], parts[1]]
        if len(parts) == 3:
            return {"text": parts[0], "text2": parts[1], "label": parts[2]}
        raise ArgumentTypeError(f"{where}: got {_told(row)}, expected two texts and a label.")
    names = ["text", *(("labels", "label") if has_word_labels else ("label",))]
    if not 2 <= len(parts) <= len(names):
        expected = "words, their labels and optionally a label" if has_word_labels else "a text and a label"
        raise ArgumentTypeError(f"{where}: got {_told(row)}, expected {expected}.")
    if isinstance(parts[0], np.ndarray) and parts[0].ndim > 1:
        names[0] = "vectors"
    found = dict(zip(names, parts, strict=False))
    if has_word_labels and isinstance(parts[1], Mapping):  # as in spaCy: (text, {"entities": [...]})
        found.pop("labels")
        found |= parts[1]
    return found


def _json_lines(rows: Sequence[Mapping[str, Any]], what: str) -> FileContent:
    lines = []
    for place, row in enumerate(rows):
        try:
            lines.append(json_line({name: _plain(value) for name, value in row.items()}))
        except TypeError as error:
            raise ArgumentTypeError(
                f"{what}[{place}]: got {_told(row)}, which has values other than texts and numbers."
            ) from error
    return FileContent(".jsonl", "".join(f"{line}\n" for line in lines).encode())


def _plain(value: Any) -> Any:
    """Return a value with arrays and other sequences as lists; a missing value of a data frame as None."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if is_many(value):
        return [_plain(each) for each in value]
    return None if type(value).__name__ in ("NAType", "NaTType") else value


def _arrays(rows: Sequence[Mapping[str, Any]], what: str) -> FileContent:
    """Return rows of vectors as an .npz file: the steps of all rows, their numbers, and the labels."""
    vectors = [row.get("vectors") for row in rows]
    for place, steps in enumerate(vectors):
        if not isinstance(steps, np.ndarray) or steps.ndim not in (2, 4) or not len(steps):
            raise ArgumentTypeError(
                f"{what}[{place}]: got {_told(steps)}, expected steps of shape (T, F) or (T, C, H, W)."
            )
    found = {
        "vectors": _stacked(vectors, what, np.concatenate),
        "lengths": np.array([len(steps) for steps in vectors if steps is not None]),
    }
    for name in ("label", "labels"):
        if all(row.get(name) is not None for row in rows):
            every = [row[name] for row in rows] if name == "label" else [one for r in rows for one in r[name]]
            found[name] = np.array([str(one) for one in every])
    return FileContent(".npz", _npz(found))


def _stacked(arrays: Sequence[Any], what: str, how: Any) -> Any:
    try:
        return how(arrays)
    except (ValueError, TypeError) as error:
        shapes = sorted({str(each.shape[1:] if how is np.concatenate else each.shape) for each in arrays})
        raise DataError(f"{what}: has arrays of different shapes: {', '.join(shapes)}.") from error


def _npz(arrays: Mapping[str, Any]) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def _told(value: Any) -> str:
    return " ".join(quoted(value, 60).split())


def is_in_memory(data: Any) -> bool:
    """Whether training data are not the path of a file; strings and other wrong values are left to checks."""
    return data is not None and not isinstance(data, str | bytes) and not hasattr(data, "__fspath__")


def each_row(rows: Iterable[Any], others: Iterable[Any], what: str) -> list[tuple[Any, Any]]:
    """Return two lists of the same length as a list of pairs. Raises: ConfigError, ArgumentTypeError."""
    first, second = rows_of(rows, "data"), rows_of(others, what)
    if len(first) != len(second):
        raise ConfigError(
            f"{what}: has {len(second):,} rows, but data has {len(first):,}; give one for each."
        )
    return list(zip(first, second, strict=True))
