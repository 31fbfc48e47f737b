"""Files in columns (CoNLL): one word per line with its labels, blank lines between sentences."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from recurra.config import ReaderPart
from recurra.data.examples import BadRow, BadRows, Example
from recurra.errors import ConfigError, DataError
from recurra.files import is_text, read_lines
from recurra.plain import counted

_DOCUMENT = "-DOCSTART-"
_LOOKED_AT = 100  # sentences


def _sentences(path: Path) -> Iterator[list[tuple[int, str]]]:
    """Yield the lines of each sentence with their numbers."""
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
    """Return a column number as a list index: 0 is the first column, -1 the last."""
    if name is None:
        return default
    try:
        number = int(name)
    except ValueError:
        number = 0
    if number == 0:
        raise ConfigError(f"{option}: got {name!r}, expected a column number of conll: 1, 2 … or -1.")
    return number - 1 if number > 0 else number


def read_columns(path: Path, config: ReaderPart, bad: BadRows) -> Iterator[Example]:
    """Read the sentences of a CoNLL file, without labels if `tags_column` is "".

    Columns are separated by tabs if most lines have one, else by blanks.

    Raises: DataError; ConfigError for a column that is no number.
    """
    word_column = _column(config.text_column, 0, "text_column")
    tag_column = _column(config.tags_column or None, -1, "tags_column")
    sentences = list(_sentences(path))
    first_lines = [line for rows in sentences[:_LOOKED_AT] for _, line in rows]
    separator = "\t" if 2 * sum("\t" in line.rstrip() for line in first_lines) > len(first_lines) else None
    width = _usual_width(first_lines, separator)
    without_tags = config.tags_column == ""
    if width < 2 and not without_tags:
        raise DataError(f"{path}: has one column, but words with labels need two; see --format.")
    if max(word_column, tag_column) >= width or -min(word_column, tag_column) > width:
        raise ConfigError(
            f"{path}: has {width} columns; expected text_column {config.text_column or 1} and "
            f"tags_column {config.tags_column or -1} to be among them."
        )
    for rows in sentences:
        words, tags, at = [], [], 0
        try:
            for number, line in rows:
                at = number
                fields = _fields(line, separator, width)
                if not fields[word_column].strip() or not fields[tag_column].strip():
                    raise BadRow("has an empty word or label")
                words.append(fields[word_column])
                tags.append(fields[tag_column].strip())
        except BadRow as fault:  # one bad line makes its sentence unusable
            bad.refuse(f"{path}:{at}", str(fault))
            continue
        yield Example(tuple(words), None if without_tags else tuple(tags), file=str(path), line=rows[0][0])


def _usual_width(lines: Sequence[str], separator: str | None) -> int:
    """Return the number of columns of most lines."""
    counts = Counter(len(line.rstrip().split(separator)) for line in lines)
    return counts.most_common(1)[0][0] if counts else 0


def _fields(line: str, separator: str | None, width: int) -> list[str]:
    """Split a line into `width` columns; without a separator, at any run of blanks."""
    if not is_text(line):
        raise BadRow("is not UTF-8")
    fields = line.rstrip().split(separator)
    if len(fields) != width:
        raise BadRow(f"has {counted(len(fields), 'column')}, but other lines have {width}")
    return fields
