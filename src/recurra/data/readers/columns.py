"""Columns: a word a line with its labels beside it, blank lines between sentences (CoNLL)."""

from collections.abc import Iterator
from pathlib import Path

from recurra.config import ReaderPart
from recurra.data.examples import BadRow, BadRows, Example
from recurra.errors import ConfigError
from recurra.files import is_text, read_lines

_DOCUMENT = "-DOCSTART-"


def _sentences(path: Path) -> Iterator[list[tuple[int, str]]]:
    """The lines of each sentence, with their numbers."""
    rows: list[tuple[int, str]] = []
    for number, line in enumerate(read_lines(path, errors="surrogateescape"), start=1):
        if line.strip() and not line.startswith(_DOCUMENT):
            rows.append((number, line))
        elif rows:
            yield rows
            rows = []
    if rows:
        yield rows


def _column(name: str | None, default: int, option: str) -> int:
    """A column's place as a list is indexed: 0 is the first, -1 the last."""
    if name is None:
        return default
    try:
        number = int(name)
    except ValueError:
        number = 0
    if number == 0:
        raise ConfigError(f"{option}: got {name!r}, expected the number of a column in conll, 1, 2 … or -1.")
    return number - 1 if number > 0 else number


def read_columns(path: Path, config: ReaderPart, bad: BadRows) -> Iterator[Example]:
    """Sentences of a CoNLL file; columns are apart by tabs where a line has one, else by blanks.

    Raises: DataError; ConfigError for a column that is no number.
    """
    word_column = _column(config.text_column, 0, "text_column")
    tag_column = _column(config.tags_column, -1, "tags_column")
    width: int | None = None
    for rows in _sentences(path):
        words, tags, at = [], [], 0
        try:
            for number, line in rows:
                at = number
                fields = _fields(line, width)
                width = len(fields)
                if max(word_column, tag_column) >= width or -min(word_column, tag_column) > width:
                    raise ConfigError(
                        f"{path}: has {width} columns, so text_column {config.text_column or 1} and "
                        f"tags_column {config.tags_column or -1} are not both there."
                    )
                if not fields[word_column].strip() or not fields[tag_column].strip():
                    raise BadRow("has an empty word or label")
                words.append(fields[word_column])
                tags.append(fields[tag_column].strip())
        except BadRow as fault:  # one bad line spoils its sentence
            bad.refuse(f"{path}:{at}", str(fault))
            continue
        yield Example(tuple(words), tuple(tags), file=str(path), line=rows[0][0])


def _fields(line: str, width: int | None) -> list[str]:
    """The columns of a line, as many as the lines before have."""
    if not is_text(line):
        raise BadRow("is not UTF-8")
    line = line.rstrip()
    fields = line.split("\t") if "\t" in line else line.split()
    if width is not None and len(fields) != width:
        raise BadRow(f"has {len(fields)} columns where the first line has {width}")
    return fields
