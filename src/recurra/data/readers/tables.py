"""Tables with named columns: CSV, TSV and JSON lines."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.config import ReaderPart
from recurra.config.conditions import can_apply
from recurra.data.examples import (
    SKIP_IT,
    BadRow,
    BadRows,
    Example,
    checked_characters,
    checked_text,
    checked_words,
    number_in,
    row_at,
    spelled,
    spelled_label,
)
from recurra.data.readers.arrays import read_steps
from recurra.data.readers.character_spans import labels_of_entities
from recurra.data.readers.delimited import delimiter_of, table_lines
from recurra.errors import ConfigError
from recurra.plain import counted, listed, parsed_json, quoted
from recurra.text.words import placed, plain_words
from recurra.text_files import UTF_8, read_lines

_NAME_MAX = 255  # characters of a file name
# Escapes of JSON: those of surrogate pairs, of one half of a pair, and others.
_OF_PAIRS = re.compile(r"\\u[dD][89a-fA-F]")
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u(?P<half>[dD][89a-fA-F][0-9a-fA-F]{2})|.)"
)
_BLANKS = " \t\n\r\v\f"  # a no-break space can be a word
_DEFAULTS = {
    "text_column": "text",
    "second_column": "text2",
    "label_column": "label",
    "score_column": "",
    "tags_column": "labels",
    "entities_column": "entities",
    "conversation_column": "conversation",
    "vectors_column": "vectors",
}


class Columns:
    """Column names: those given by options must exist, the default ones may; "" means no column.

    A column that is given for one purpose is not read for another one by its default name, and a column that
    the task never reads, such as the second text of a classifier of single texts, is ignored.
    """

    def __init__(self, source: Path | str, config: ReaderPart) -> None:
        self._source, self._config = source, config
        given = {option: getattr(config, option) for option in _DEFAULTS}
        self._given = [name for name in given.values() if name]
        read = {option: name for option, name in _DEFAULTS.items() if self._reads(option, given.values())}
        self._names = {
            option: read.get(option, "") if name is None else name for option, name in given.items()
        }

    def _reads(self, option: str, given: Iterable[str | None]) -> bool:
        """Whether a column is read by its default name."""
        if option == "text_column":
            return True
        return _DEFAULTS[option] not in given and can_apply(type(self._config), option)

    @property
    def wanted(self) -> list[str]:
        """The columns that must exist: those that are given, or else that of the text."""
        return self._given or [_DEFAULTS["text_column"]]

    def check(self, columns: list[str]) -> None:
        """Check that the needed columns exist. Raises: ConfigError for a column that is not there."""
        for option in _DEFAULTS:
            if self._name(option) and columns.count(self._name(option)) > 1:
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
        given = self._given
        unnamed = [name for name in given if name not in head]
        if unnamed and all(map(str.isdecimal, given)):
            return True
        if any(map(str.isdecimal, unnamed)):
            raise ConfigError(
                f"{self._source}: columns are given by numbers and by names ({listed(given)}); use one kind."
            )
        return False

    def _name(self, option: str) -> str:
        return self._names[option]

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
        elif self._of(row, "entities_column"):
            raise BadRow(
                f"has both {self._name('tags_column')!r} and {self._name('entities_column')!r}",
                "remove one of them",
                "read one of them only, with --tags-column '' or --entities-column ''",
                SKIP_IT,
            )
        label = self._of(row, "label_column")
        if label is not None:
            label = spelled_label(label, repr(self._name("label_column")), "a single label")
        score = self._of(row, "score_column")
        if score is not None:
            score = number_in(score, repr(self._name("score_column")))
        turn = self._conversation(row)
        return Example(
            words or (),
            labels,
            label,
            second,
            vectors,
            conversation=turn,
            file=str(self._source),
            line=number,
            text=text,
            second_text=second_text,
            score=score,
        )

    def _conversation(self, row: Mapping[str, Any]) -> str:
        """Return the name of a row's conversation, "" if it has none."""
        given, name = self._of(row, "conversation_column"), repr(self._name("conversation_column"))
        if isinstance(given, list | dict):
            raise BadRow(
                f"has {quoted(given)} as {name}, expected the name of a conversation",
                "name its column with --conversation-column",
                "read none with --conversation-column ''",
                SKIP_IT,
            )
        return "" if given is None else spelled(given, name)

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

    def _of_entities(
        self, row: Mapping[str, Any], words: tuple[str, ...] | None, text: str | None
    ) -> tuple[str, ...] | None:
        """Return word labels from entities by character offsets, None if the row has no such column."""
        given, name = self._of(row, "entities_column"), self._name("entities_column")
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
        if given is None:
            return None
        if isinstance(given, list):
            labels = [spelled_label(label, f"label of {name!r}") for label in given]
        else:
            labels = spelled(given, repr(name), "a list of labels").split()
        if len(labels) != words:
            raise BadRow(f"has {words} words or steps, but {counted(len(labels), 'label')}")
        return tuple(labels)


def read_table(path: Path, config: ReaderPart, bad: BadRows) -> Iterator[Example]:
    """Read the rows of a CSV or TSV file with a header; without a header, if columns are given by numbers.

    Raises: DataError; ConfigError for a column that is not there.
    """
    has_quotes = config.quoted if config.quoted is not None else config.format == "csv"
    delimiter, columns = "\t", Columns(path, config)
    if config.format == "csv":
        delimiter = delimiter_of(
            path, config.delimiter, config.encoding, has_quotes=has_quotes, wanted=columns.wanted
        )
    rows = table_lines(path, bad, delimiter=delimiter, has_quotes=has_quotes, encoding=config.encoding)
    begins, head = next(rows, (0, []))
    without_head = columns.are_numbers(head)
    if without_head:
        rows = chain([(begins, head)], rows)
        head = [str(number) for number in range(1, len(head) + 1)]
    columns.check(head)
    for number, fields in rows:
        with row_at(bad, path, number):
            yield columns.example(dict(zip(head, fields, strict=True)), number)


def read_json_lines(path: Path, config: ReaderPart, bad: BadRows) -> Iterator[Example]:
    """Read one JSON object per line: the text as a string or a list of words, labels as a list.

    Raises: DataError; ConfigError for a column that no row has.
    """
    columns = Columns(path, config)
    checked = False
    for number, row in json_objects(path, bad, config.encoding):
        with row_at(bad, path, number):
            if not checked:
                columns.check(_keys(path, config) if set(columns.wanted) - row.keys() else list(row))
                checked = True
            yield columns.example(row, number)


def _keys(path: Path, config: ReaderPart) -> list[str]:
    """Return the keys of all objects of a JSON lines file."""
    found: dict[str, None] = {}
    for _, row in json_objects(path, BadRows(skip=True), config.encoding):
        found |= dict.fromkeys(row)
    return list(found)


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
