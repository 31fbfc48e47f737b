"""Labelled recordings: folders of sound files, one per word, or a table that names the files."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from recurra.audio.files import find_recordings, length_s
from recurra.data.examples import SKIP_IT, BadRow, BadRows, number_in, row_at, spelled_label
from recurra.data.readers.delimited import delimiter_of, table_lines
from recurra.errors import DataError
from recurra.plain import listed, parsed_json, quoted
from recurra.text_files import read_lines

Kind = Literal["word", "negative", "background"]
_TABLES = (".csv", ".tsv", ".jsonl")
_KINDS: tuple[Kind, ...] = ("word", "negative", "background")
_COLUMNS = ("path", "word", "kind", "group", "start", "end")
_NAMES: Mapping[str, Kind] = {
    "negative": "negative",
    "negatives": "negative",
    "background": "background",
    "backgrounds": "background",
}


@dataclass(frozen=True)
class Recording:
    """A recording of a word, of other speech and sounds ("negative"), or a noise to mix ("background").

    `start_s` and `end_s` are the part of the file that is read; of a word, the part that is the word, if the
    data tell it. Recordings of one `group`, such as a speaker, go into the same part of the data. `digest` is
    the SHA-256 of the file.
    """

    path: str
    word: str
    kind: Kind
    group: str
    digest: str
    seconds: float
    start_s: float | None = None
    end_s: float | None = None

    @property
    def content(self) -> tuple[Any, ...]:
        """What the recording is, wherever its file lies."""
        return (self.word, self.kind, self.digest, self.start_s, self.end_s)


def read_recordings(
    path: Path, bad: BadRows, *, kind: Kind | None = None, words: Sequence[str] = ()
) -> list[Recording]:
    """Return the recordings of a folder, of a table (.csv, .tsv, .jsonl), or of one sound file.

    The files of a folder are recordings of one word, which has the folder's name; if it has folders, each of
    these is a word, and "negative" and "background" are not words. A single file has no word. With `kind`,
    all are of this kind, and the folders are groups. The columns of a table are path, and word, kind, group,
    start and end if there are any; paths are relative to the table, and a recording without a word is a
    negative one. `words` are the only ones that are accepted, if there are any.

    Raises: DataError for files that cannot be used.
    """
    if not path.exists():
        raise DataError(f"{path}: does not exist; check the path.")
    if path.suffix in _TABLES and path.is_file():
        found = list(_of_table(path, bad, kind))
    else:
        found = list(_of_folder(path, kind))
    if not found:
        raise DataError(f"{path}: has no recordings; name a folder with sound files, or a table.")
    unknown = sorted({one.word for one in found if one.kind == "word"} - set(words)) if words else []
    if unknown:
        raise DataError(
            f"{path}: has recordings of {quoted(unknown[0])}, but the words of the model are "
            f"{listed(words)}; rename the folder or the word."
        )
    return found


def _of_folder(path: Path, kind: Kind | None) -> Iterator[Recording]:
    root = path if path.is_dir() else path.parent
    for file in find_recordings(path):
        below = file.relative_to(root).parts[:-1]
        if kind is not None:
            yield _recording(file, "", kind, "/".join(below))
            continue
        name = below[0] if below else (root.resolve().name if path.is_dir() else "")
        which = _NAMES.get(name.lower(), "word" if name else "negative")
        yield _recording(file, name if which == "word" else "", which, "/".join(below[1:]))


def _of_table(path: Path, bad: BadRows, kind: Kind | None) -> Iterator[Recording]:
    for number, row in _rows(path, bad):
        with row_at(bad, path, number):
            yield _of_row(path, row, kind)


def _rows(path: Path, bad: BadRows) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the rows of a table with their line numbers."""
    if path.suffix == ".jsonl":
        for number, line in enumerate(read_lines(path), 1):
            if line.strip():
                with row_at(bad, path, number):
                    row = parsed_json(line)
                    if not isinstance(row, dict):
                        raise BadRow("is not a JSON object")
                    yield number, row
        return
    delimiter = "\t" if path.suffix == ".tsv" else delimiter_of(path, None, "utf-8", wanted=("path",))
    lines = table_lines(path, bad, delimiter=delimiter, has_quotes=path.suffix == ".csv", encoding="utf-8")
    head = next(lines, (0, []))[1]
    names = ["path" if name == "file" else name for name in head]
    if names.count("path") != 1:
        raise DataError(
            f"{path}:1: has no column 'path'; its columns are {listed(head) or 'none'}; name the files "
            f"in one, beside {listed(_COLUMNS[1:])} if there are any."
        )
    for number, fields in lines:
        yield number, dict(zip(names, fields, strict=True))


def _of_row(path: Path, row: Mapping[str, Any], kind: Kind | None) -> Recording:
    """Return the recording of a table's row. Raises: BadRow, DataError."""
    name, word = row.get("path", row.get("file")), row.get("word") or ""
    if not isinstance(name, str) or not name:
        raise BadRow("has no path", SKIP_IT)
    word = spelled_label(word, "'word'", "a single word") if word else ""
    told = row.get("kind") or ("word" if word else "negative")
    which = next((one for one in _KINDS if one == told), None)
    if which is None:
        raise BadRow(f"has the kind {quoted(told)}, expected {listed(_KINDS)}")
    if (which == "word") != bool(word):
        raise BadRow(f"is of the kind {which}, but has {'a' if word else 'no'} word")
    start, end = (_seconds(row.get(column), column) for column in ("start", "end"))
    if start is not None and end is not None and not start < end:
        raise BadRow(f"ends at {end:g} s, before its start at {start:g} s")
    found = _recording(path.parent / name, word, kind or which, str(row.get("group") or ""))
    if end is not None and end > found.seconds + 0.01:
        raise BadRow(f"ends at {end:g} s, but the recording has {found.seconds:.2f} s")
    return Recording(**{**vars(found), "start_s": start, "end_s": end})


def _seconds(value: Any, column: str) -> float | None:
    if value is None or value == "":
        return None
    seconds = number_in(value, repr(column))
    if seconds < 0:
        raise BadRow(f"has a negative {column!r}")
    return seconds


def _recording(path: Path, word: str, kind: Kind, group: str) -> Recording:
    seconds = length_s(path)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return Recording(str(path), word, kind, group, digest.hexdigest(), seconds)
