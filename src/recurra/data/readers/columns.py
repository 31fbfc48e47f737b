"""Files in columns (CoNLL): one word per line with its labels, blank lines between sentences."""

import re
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from recurra.config import ReaderPart
from recurra.data.examples import BadRow, BadRows, Example, checked_text, split_at_blanks
from recurra.errors import ConfigError, DataError
from recurra.plain import counted
from recurra.text_files import read_lines

_DOCUMENT = "-DOCSTART-"
_LOOKED_AT = 100  # sentences
# CoNLL-U: ten columns that begin with the number of the word; 3-4 is a multiword token, 4.1 an empty node.
_CONLLU_COLUMNS, _FORM, _UPOS = 10, 1, 3
_WORD_NUMBER, _NOT_A_WORD = re.compile(r"\d+"), re.compile(r"\d+[-.]\d+")

Rows = list[tuple[int, str]]


def _sentences(path: Path, encoding: str) -> Iterator[Rows]:
    """Yield the lines of each sentence with their numbers."""
    rows: Rows = []
    lines = read_lines(path, errors="surrogateescape", encoding=encoding)
    for number, line in enumerate(lines, start=1):
        if line.strip(" \t\r") and not line.startswith(_DOCUMENT):
            rows.append((number, line.rstrip(" \t\r")))
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


@dataclass(frozen=True)
class _Layout:
    """How the lines of a file are divided into columns."""

    by_tabs: bool
    width: int
    is_conllu: bool

    @classmethod
    def of(cls, lines: Sequence[str]) -> "_Layout":
        """Infer the layout from the first lines that are not comments."""
        plain = [line for line in lines if not line.startswith("#")] or lines
        by_tabs = 2 * sum("\t" in line for line in plain) > len(plain)
        counts = Counter(len(_split(line, by_tabs)) for line in plain)
        width = counts.most_common(1)[0][0] if counts else 0
        numbered = sum(_WORD_NUMBER.fullmatch(_split(line, by_tabs)[0]) is not None for line in plain)
        return cls(by_tabs, width, width == _CONLLU_COLUMNS and 2 * numbered > len(plain))

    def sure_values(self, column: int, sentences: Sequence[Rows]) -> set[str]:
        """Return the values of a column in the lines that are words for certain."""
        found = set()
        for rows in sentences:
            before_words = True
            for _, line in rows:
                before_words = before_words and line.startswith("#")
                fields = _split(line, self.by_tabs)
                if len(fields) == self.width and not (before_words and self._has_lone_hash(line)):
                    found.add(fields[column])
        return found

    def _has_lone_hash(self, line: str) -> bool:
        """Whether a line begins with # and a blank; a tab between columns makes # a word."""
        return line.startswith("# ") or (line.startswith("#\t") and not self.by_tabs)

    def is_comment(self, line: str, column: int, values: Container[str], *, before_words: bool) -> bool:
        """Whether a line is a comment, which begins with # and is no line of a word.

        In CoNLL-U, lines of words begin with a number. In other files, a line with the columns of a word is
        one, except `# …` before the first word of a sentence with another value of `column` than `values`.
        A line with other columns is a comment if it is `# …`, or if it comes before the first word.
        """
        if not line.startswith("#") or self.is_conllu:
            return line.startswith("#")
        fields = _split(line, self.by_tabs)
        if len(fields) != self.width:
            return before_words or self._has_lone_hash(line)
        return before_words and self._has_lone_hash(line) and fields[column] not in values

    def fields(self, line: str) -> list[str] | None:
        """Return the columns of a line that is no comment; None for a multiword token or an empty node.

        Raises: BadRow for another number of columns than the other lines have.
        """
        fields = _split(checked_text(line), self.by_tabs)
        if len(fields) != self.width:
            raise BadRow(f"has {counted(len(fields), 'column')}, but other lines have {self.width}")
        if self.is_conllu and _NOT_A_WORD.fullmatch(fields[0]):
            return None
        return fields


def _split(line: str, by_tabs: bool) -> list[str]:
    return line.split("\t") if by_tabs else split_at_blanks(line)


def read_columns(path: Path, config: ReaderPart, bad: BadRows) -> Iterator[Example]:
    """Read the sentences of a CoNLL file, without labels if `tags_column` is "".

    Columns are separated by tabs if most lines have one, else by spaces. In CoNLL-U, the default columns are
    FORM and UPOS; comments, multiword tokens and empty nodes are not words. In other files, a note tells how
    many lines were read as comments.

    Raises: DataError; ConfigError for a column that is no number.
    """
    sentences = list(_sentences(path, config.encoding))
    layout = _Layout.of([line for rows in sentences[:_LOOKED_AT] for _, line in rows])
    word_column = _column(config.text_column, _FORM if layout.is_conllu else 0, "text_column")
    tag_column = _column(config.tags_column or None, _UPOS if layout.is_conllu else -1, "tags_column")
    without_tags = config.tags_column == ""
    if layout.width < 2 and not without_tags:
        raise DataError.advising(f"{path}: has one column, but words with labels need two", "see --format")
    if max(word_column, tag_column) >= layout.width or -min(word_column, tag_column) > layout.width:
        raise ConfigError(
            f"{path}: has {layout.width} columns; expected text_column {config.text_column or 1} and "
            f"tags_column {config.tags_column or -1} to be among them."
        )
    tags_of_words = layout.sure_values(tag_column, sentences)
    comments: list[int] = []
    for rows in sentences:
        words: list[str] = []
        tags: list[str] = []
        at = 0
        try:
            for number, line in rows:
                at = number
                if layout.is_comment(line, tag_column, tags_of_words, before_words=not words):
                    comments.append(number)
                    continue
                if (fields := layout.fields(line)) is None:
                    continue
                word, tag = fields[word_column].strip(" "), fields[tag_column].strip()
                if not word or not (tag or without_tags):
                    raise BadRow("has an empty word or label")
                words.append(word)
                tags.append(tag)
        except BadRow as fault:  # one bad line makes its sentence unusable
            bad.refuse(f"{path}:{at}", str(fault), *fault.ways)
            continue
        if words:
            yield Example(
                tuple(words), None if without_tags else tuple(tags), file=str(path), line=rows[0][0]
            )
    if comments and not layout.is_conllu:
        bad.notes.append(
            f"{path}: lines that begin with # and were read as comments: {len(comments):,}, the first at "
            f"line {comments[0]:,}."
        )
