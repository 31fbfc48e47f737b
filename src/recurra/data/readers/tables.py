"""Tables with named columns: CSV, TSV and JSON lines."""

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.config import ReaderPart
from recurra.data.examples import BadRow, BadRows, Example, checked_words, row_at
from recurra.data.readers.arrays import read_steps
from recurra.errors import ConfigError, DataError
from recurra.files import is_text, read_lines
from recurra.plain import counted, listed
from recurra.text.words import plain_words

_DEFAULTS = {
    "text_column": "text",
    "second_column": "text2",
    "label_column": "label",
    "tags_column": "labels",
    "conversation_column": "conversation",
    "vectors_column": "vectors",
}


class Columns:
    """Column names: those given by options must exist, the default ones may; "" means no column."""

    def __init__(self, source: Path | str, config: ReaderPart) -> None:
        self._source, self._config = source, config

    def check(self, columns: list[str]) -> None:
        """Check that the needed columns exist. Raises: ConfigError for a column that is not there."""
        holds_vectors = self._name("vectors_column") in columns
        for option in _DEFAULTS:
            name = getattr(self._config, option)
            needed = bool(name) or (name is None and option == "text_column" and not holds_vectors)
            if needed and self._name(option) not in columns:
                raise ConfigError(
                    f"{self._source}: has no column {self._name(option)!r}; its columns are "
                    f"{listed(columns)}; name the right one with --{option.replace('_', '-')}."
                )

    def _name(self, option: str) -> str:
        name: str | None = getattr(self._config, option)
        return _DEFAULTS[option] if name is None else name

    def _of(self, row: Mapping[str, Any], option: str) -> Any:
        """Return a row's value in a column; a column without a name, such as an index, is never read."""
        name = self._name(option)
        return row.get(name) if name else None

    def example(self, row: Mapping[str, Any], number: int) -> Example:
        """Convert a row to an example. Raises: BadRow."""
        vectors = self._vectors(row)
        words = self._words(row, "text_column")
        if words is None and vectors is None:
            raise BadRow(f"has no {self._name('text_column')!r}")
        labels = self._labels(row, len(words or ()) if vectors is None else len(vectors))
        label = self._of(row, "label_column")
        if label is not None and str(label).strip() == "":
            raise BadRow(f"has an empty {self._name('label_column')!r}")
        return Example(
            words or (),
            labels,
            None if label is None else str(label).strip(),
            self._words(row, "second_column"),
            vectors,
            conversation=str(self._of(row, "conversation_column") or ""),
            file=str(self._source),
            line=number,
        )

    def _words(self, row: Mapping[str, Any], option: str) -> tuple[str, ...] | None:
        given = self._of(row, option)
        if given is None:
            return None
        if isinstance(given, list):
            words = [str(word) for word in given]
        else:
            words = plain_words(str(given), self._config.split)
        return checked_words(words, repr(self._name(option)))

    def _vectors(self, row: Mapping[str, Any]) -> NDArray[np.generic] | None:
        given = self._of(row, "vectors_column")
        return None if given is None else read_steps(Path(self._source).parent / str(given))

    def _labels(self, row: Mapping[str, Any], words: int) -> tuple[str, ...] | None:
        name = self._name("tags_column")
        given = self._of(row, "tags_column")
        claimed = [getattr(self._config, option) for option in _DEFAULTS if option != "tags_column"]
        if given is None or (self._config.tags_column is None and name in claimed):
            return None
        labels = [str(label) for label in given] if isinstance(given, list) else str(given).split()
        if len(labels) != words:
            raise BadRow(f"has {words} words or steps, but {len(labels)} labels")
        return tuple(labels)


def read_table(path: Path, config: ReaderPart, bad: BadRows) -> Iterator[Example]:
    """Read the rows of a CSV or TSV file with a header.

    Raises: DataError; ConfigError for a column that is not there.
    """
    quoted = config.quoted if config.quoted is not None else config.format == "csv"
    rows = table_lines(path, bad, tabs=config.format != "csv", quoted=quoted)
    _, head = next(rows, (0, []))
    columns = Columns(path, config)
    columns.check(head)
    for number, fields in rows:
        with row_at(bad, path, number):
            yield columns.example(dict(zip(head, fields, strict=True)), number)


def table_lines(path: Path, bad: BadRows, *, tabs: bool, quoted: bool) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a CSV or TSV file with their line numbers; all have as many columns as the first.

    Raises: DataError.
    """
    lines = (f"{line}\n" for line in read_lines(path, errors="surrogateescape"))
    rows = csv.reader(
        lines,
        delimiter="\t" if tabs else ",",
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
    )
    csv.field_size_limit(1 << 27)  # a long document is one field
    width = None
    while True:
        begins = rows.line_num + 1
        try:
            fields = next(rows, None)
        except csv.Error as error:
            raise DataError(f"{path}:{begins}: is not a table row ({error}); see --quoted.") from error
        if fields is None:
            return
        if not fields:
            continue
        with row_at(bad, path, begins):
            if not all(map(is_text, fields)):
                raise BadRow("is not UTF-8")
            if width is None:
                width = len(fields)
            if len(fields) != width:
                hint = "; see --quoted" if not quoted else ""
                raise BadRow(f"has {counted(len(fields), 'column')}, but the header has {width}{hint}")
            yield begins, fields


def read_json_lines(path: Path, config: ReaderPart, bad: BadRows) -> Iterator[Example]:
    """Read one JSON object per line: the text as a string or a list of words, labels as a list.

    Raises: DataError; ConfigError for a column that no row has.
    """
    columns = Columns(path, config)
    checked = False
    for number, row in json_objects(path, bad):
        with row_at(bad, path, number):
            if not checked:
                columns.check(list(row))
                checked = True
            yield columns.example(row, number)


def json_objects(path: Path, bad: BadRows) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects of a JSON lines file with their line numbers; blank lines are skipped.

    Raises: DataError.
    """
    for number, line in enumerate(read_lines(path, errors="surrogateescape"), start=1):
        if not line.strip():
            continue
        with row_at(bad, path, number):
            if not is_text(line):
                raise BadRow("is not UTF-8")
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise BadRow(f"is not JSON ({error})") from error
            if not isinstance(row, dict):
                raise BadRow("is not a JSON object")
            yield number, row
