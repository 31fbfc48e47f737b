"""Tables with named columns: CSV, TSV and JSON lines."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.config import ReaderPart
from recurra.config.conditions import can_apply
from recurra.data.examples import (
    CORRECT_IT,
    SKIP_IT,
    BadRow,
    BadRows,
    Example,
    checked_characters,
    checked_text,
    checked_words,
    row_at,
    spelled,
    spelled_label,
)
from recurra.data.readers.arrays import read_steps
from recurra.data.readers.character_spans import labels_of_entities
from recurra.errors import ConfigError, DataError
from recurra.plain import counted, listed, parsed_json, quoted
from recurra.text.words import placed, plain_words
from recurra.text_files import UTF_8, read_lines

_NAME_MAX = 255  # characters of a file name
_DELIMITERS = (",", ";", "\t", "|")
_LOOKED_AT = 20  # rows
# Escapes of JSON: those of surrogate pairs, of one half of a pair, and others.
_OF_PAIRS = re.compile(r"\\u[dD][89a-fA-F]")
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u(?P<half>[dD][89a-fA-F][0-9a-fA-F]{2})|.)"
)
_BLANKS = " \t\n\r\v\f"  # a no-break space can be a word
_QUOTED = r'"[^"]*+(?:""[^"]*+)*+"'
_DEFAULTS = {
    "text_column": "text",
    "second_column": "text2",
    "label_column": "label",
    "tags_column": "labels",
    "entities_column": "entities",
    "conversation_column": "conversation",
    "vectors_column": "vectors",
}


class Columns:
    """Column names: those given by options must exist, the default ones may; "" means no column."""

    def __init__(self, source: Path | str, config: ReaderPart) -> None:
        self._source, self._config = source, config

    def check(self, columns: list[str]) -> None:
        """Check that the needed columns exist. Raises: ConfigError for a column that is not there."""
        for option in _DEFAULTS:
            if columns.count(self._name(option)) > 1:
                raise ConfigError(
                    f"{self._source}:1: has two columns {self._name(option)!r}; rename one of them."
                )
        holds_vectors = self._name("vectors_column") in columns
        for option in _DEFAULTS:
            name = getattr(self._config, option)
            needed = bool(name) or (name is None and option == "text_column" and not holds_vectors)
            if needed and self._name(option) not in columns:
                raise ConfigError.advising(
                    f"{self._source}: has no column {self._name(option)!r}; its columns are "
                    f"{listed(columns)}",
                    f"name the right one with --{option.replace('_', '-')}",
                )

    def are_numbers(self, head: list[str]) -> bool:
        """Whether columns are given by numbers from 1, so that the first row is not a header.

        Numbers that all occur in the first row are names, as in a header of numbers.

        Raises: ConfigError for numbers and names together.
        """
        given = [name for option in _DEFAULTS if (name := getattr(self._config, option))]
        unnamed = [name for name in given if name not in head]
        if unnamed and all(map(str.isdecimal, given)):
            return True
        if any(map(str.isdecimal, unnamed)):
            raise ConfigError(
                f"{self._source}: columns are given by numbers and by names ({listed(given)}); use one kind."
            )
        return False

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
        words, text = self._words(row, "text_column")
        second, second_text = self._words(row, "second_column")
        if words is None and vectors is None:
            raise BadRow(f"has no {self._name('text_column')!r}")
        labels = self._labels(row, len(words or ()) if vectors is None else len(vectors))
        if labels is None:
            labels = self._of_entities(row, words, text)
        elif self._entities(row) is not None:
            raise BadRow(
                f"has both {self._name('tags_column')!r} and {self._name('entities_column')!r}",
                "remove one of them",
                "read one of them only, with --tags-column '' or --entities-column ''",
                SKIP_IT,
            )
        label = self._of(row, "label_column")
        if label is not None:
            label = spelled_label(label, repr(self._name("label_column")), "a single label")
        turn = self._of(row, "conversation_column")
        return Example(
            words or (),
            labels,
            label,
            second,
            vectors,
            conversation="" if turn is None else spelled(turn, repr(self._name("conversation_column"))),
            file=str(self._source),
            line=number,
            text=text,
            second_text=second_text,
        )

    def _words(self, row: Mapping[str, Any], option: str) -> tuple[tuple[str, ...] | None, str | None]:
        """Return the words of a column, and the text that they were split from, if it is one."""
        given = self._of(row, option)
        if given is None:
            return None, None
        name = repr(self._name(option))
        if not isinstance(given, list):
            text = spelled(given, name, "a text or a list of words")
            return checked_words(plain_words(text, self._config.split), name), text
        words = [spelled(word, f"a word of {name}") for word in given]
        if not all(word.strip(_BLANKS) for word in words):
            raise BadRow(f"has an empty word in {name}")
        return checked_words(words, name), None

    def _entities(self, row: Mapping[str, Any]) -> Any:
        """Return the entities of a row as given, None for a task that reads none."""
        reads = can_apply(type(self._config), "entities_column")
        return self._of(row, "entities_column") if reads else None

    def _of_entities(
        self, row: Mapping[str, Any], words: tuple[str, ...] | None, text: str | None
    ) -> tuple[str, ...] | None:
        """Return word labels from entities by character offsets, None if the row has no such column."""
        given, name = self._entities(row), self._name("entities_column")
        if given is None:
            return None
        if text is None or words is None:
            raise BadRow(f"has {name!r}, which need a text, not a list of words")
        if self._config.scheme not in ("auto", "spans", "bio"):
            raise BadRow(f"has {name!r}, to which no tagging scheme applies", "remove --scheme")
        return labels_of_entities(given, text, placed(words, text))

    def _vectors(self, row: Mapping[str, Any]) -> NDArray[np.generic] | None:
        given = self._of(row, "vectors_column")
        if given is None:
            return None
        name, expected = (
            repr(self._name("vectors_column")),
            "the path of a .npy file or of a folder of images",
        )
        inner = PurePath(spelled(given, name, expected))
        if not inner.parts or max(map(len, inner.parts)) > _NAME_MAX:
            raise BadRow(f"has {quoted(given)} as {name}, expected {expected}")
        if inner.is_absolute() or ".." in inner.parts:
            raise BadRow(
                f"has the path {quoted(given)} in {self._name('vectors_column')!r}, which leads out of the "
                "folder of the table",
                "move the file into that folder and name it relative to the table",
            )
        return read_steps(Path(self._source).parent / inner)

    def _labels(self, row: Mapping[str, Any], words: int) -> tuple[str, ...] | None:
        name = self._name("tags_column")
        given = self._of(row, "tags_column")
        claimed = [getattr(self._config, option) for option in _DEFAULTS if option != "tags_column"]
        if given is None or (self._config.tags_column is None and name in claimed):
            return None
        try:
            if isinstance(given, list):
                labels = [spelled_label(label, f"label of {name!r}") for label in given]
            else:
                labels = spelled(given, repr(name), "a list of labels").split()
            if len(labels) != words:
                raise BadRow(f"has {words} words or steps, but {counted(len(labels), 'label')}")
        except BadRow:
            if can_apply(type(self._config), "tags_column"):
                raise
            return None  # of a task that reads no word labels
        return tuple(labels)


def read_table(path: Path, config: ReaderPart, bad: BadRows) -> Iterator[Example]:
    """Read the rows of a CSV or TSV file with a header; without a header, if columns are given by numbers.

    Raises: DataError; ConfigError for a column that is not there.
    """
    has_quotes = config.quoted if config.quoted is not None else config.format == "csv"
    delimiter = "\t"
    if config.format == "csv":
        delimiter = delimiter_of(path, config.delimiter, config.encoding, has_quotes=has_quotes)
    rows = table_lines(path, bad, delimiter=delimiter, has_quotes=has_quotes, encoding=config.encoding)
    begins, head = next(rows, (0, []))
    columns = Columns(path, config)
    without_head = columns.are_numbers(head)
    if without_head:
        rows = chain([(begins, head)], rows)
        head = [str(number) for number in range(1, len(head) + 1)]
    columns.check(head)
    for number, fields in rows:
        with row_at(bad, path, number):
            yield columns.example(dict(zip(head, fields, strict=True)), number)


def delimiter_of(path: Path, given: str | None, encoding: str, *, has_quotes: bool = True) -> str:
    """Return the delimiter of a CSV file: the given one, or the only one that splits the header.

    If several split it, the next rows decide: only one splits each of them into as many columns.

    Raises: DataError if the rows do not decide either.
    """
    if given is not None:
        return given
    widths = {one: list(islice(_widths(path, one, encoding, has_quotes), _LOOKED_AT)) for one in _DELIMITERS}
    splitting = [one for one in _DELIMITERS if widths[one][:1] > [1]]
    if len(splitting) > 1:
        splitting = [one for one in splitting if len(set(widths[one])) == 1] or splitting
    if len(splitting) > 1:
        raise DataError.advising(
            f"{path}:1: the header contains {' and '.join(map(repr, splitting))}",
            "set the delimiter with --delimiter",
        )
    return splitting[0] if splitting else ","


def _widths(path: Path, delimiter: str, encoding: str, has_quotes: bool) -> Iterator[int]:
    """Yield the number of columns of each row of a CSV file; at last 0 for one that is not a table row."""
    # The csv module refuses a CR within a line, which divides nothing.
    lines = (
        line.replace("\r", " ") + "\n"
        for line in read_lines(path, errors="surrogateescape", encoding=encoding)
    )
    try:
        yield from map(len, filter(None, _fields_of(lines, delimiter, has_quotes)))
    except csv.Error:
        yield 0


def _fields_of(lines: Iterable[str], delimiter: str, has_quotes: bool) -> Iterator[list[str]]:
    """Return the fields of each row of a CSV or TSV file. Raises: csv.Error, also for text after a quote."""
    csv.field_size_limit(1 << 27)  # a long document is one field
    return csv.reader(
        lines,
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if has_quotes else csv.QUOTE_NONE,
        strict=has_quotes,
    )


def table_lines(
    path: Path, bad: BadRows, *, delimiter: str, has_quotes: bool, encoding: str
) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a CSV or TSV file with their line numbers; all have as many columns as the first.

    A CRLF within a field is kept, so that offsets count in the field of the file.

    Raises: DataError, also if bad rows are skipped, for a row whose end is unknown.
    """
    held: list[str] = []  # the lines of one row

    def lines() -> Iterator[str]:
        for line in read_lines(path, errors="surrogateescape", encoding=encoding, keep_crlf=True):
            held.append(f"{line}\n")
            yield held[-1]

    rows = _fields_of(lines(), delimiter, has_quotes)
    width, begins = None, 1
    while True:
        begins += len(held)
        held.clear()
        try:
            fields = next(rows, None)
        except csv.Error as error:
            raise _without_end(path, begins, "".join(held), delimiter, has_quotes, error) from error
        if fields is None:
            return
        if not fields:
            continue
        with row_at(bad, path, begins):
            for field in fields:
                checked_text(field)
            if width is None:
                width = len(fields)
            if len(fields) != width:
                what = f"has {counted(len(fields), 'column')}, but the header has {width}"
                raise BadRow(what) if has_quotes else BadRow(what, CORRECT_IT, "see --quoted", SKIP_IT)
            yield begins, fields


def _without_end(
    path: Path, begins: int, text: str, delimiter: str, has_quotes: bool, error: csv.Error
) -> DataError:
    """Return the error for a row that the csv module refuses, with the line where its bad field begins."""
    sign, at = re.escape(delimiter), 0
    whole_field = re.compile(rf'(?:{_QUOTED}|[^"{sign}\r\n][^{sign}\r\n]*+|)(?:{sign}|\r?\n)')
    while found := whole_field.match(text, at):
        at = found.end()
    if not has_quotes or not text.startswith('"', at):
        what = f"{path}:{begins}: is not a table row ({error})"
        return DataError.advising(what, CORRECT_IT, "see --quoted")
    line = begins + text.count("\n", 0, at)
    closed = re.compile(_QUOTED).match(text, at)
    if closed is None:
        what = "no closing quote"
    else:
        ends = begins + text.count("\n", 0, closed.end())
        what = "text after its closing quote" + (f" on line {ends}" if ends > line else "")
    return DataError.advising(
        f"{path}:{line}: the field that begins with a quote has {what}",
        'enclose the field in quotes and double each quote within it ("")',
        "read quotes as ordinary characters, see --quoted",
        *(() if delimiter == "\t" else ("convert the file to TSV, where quotes are ordinary characters",)),
    )


def read_json_lines(path: Path, config: ReaderPart, bad: BadRows) -> Iterator[Example]:
    """Read one JSON object per line: the text as a string or a list of words, labels as a list.

    Raises: DataError; ConfigError for a column that no row has.
    """
    columns = Columns(path, config)
    checked = False
    for number, row in json_objects(path, bad, config.encoding):
        with row_at(bad, path, number):
            if not checked:
                columns.check(list(row))
                checked = True
            yield columns.example(row, number)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object as a dictionary. Raises: BadRow if a key occurs twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        key = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise BadRow(f"has the key {quoted(key)} twice")
    return found


def json_objects(path: Path, bad: BadRows, encoding: str = UTF_8) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects of a JSON lines file with their line numbers; blank lines are skipped.

    Raises: DataError.
    """
    for number, line in enumerate(read_lines(path, errors="surrogateescape", encoding=encoding), start=1):
        if not line.strip():
            continue
        with row_at(bad, path, number):
            checked_text(line)
            try:
                row = parsed_json(line, object_pairs_hook=_without_duplicates)
            except ValueError as error:
                raise BadRow(f"is not JSON ({error})") from error
            if not isinstance(row, dict):
                raise BadRow("is not a JSON object")
            for escape in _ESCAPE.finditer(line) if _OF_PAIRS.search(line) else ():
                checked_characters(chr(int(escape["half"] or "0", 16)))
            yield number, row
