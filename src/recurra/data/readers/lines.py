"""One sequence per line: ATIS, `label text`, and parallel files."""

import re
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from recurra.config import ReaderPart
from recurra.data.examples import (
    BadRow,
    BadRows,
    Example,
    checked_text,
    checked_words,
    row_at,
    split_at_blanks,
)
from recurra.errors import DataError
from recurra.plain import counted
from recurra.text.words import plain_words
from recurra.text_files import exists, read_lines

_BLANK = re.compile(r"[ \t]")


def numbered_lines(path: Path, config: ReaderPart) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file in the encoding of the configuration, with their numbers."""
    return enumerate(read_lines(path, errors="surrogateescape", encoding=config.encoding), start=1)


def read_atis(path: Path, config: ReaderPart, bad: BadRows) -> Iterator[Example]:
    """Read sentences `BOS w1 … wn EOS<TAB>O t1 … tn intent`, one per line."""
    for number, line in numbered_lines(path, config):
        with row_at(bad, path, number):
            text, tab, tags = checked_text(line).partition("\t")
            words, labels = split_at_blanks(text), split_at_blanks(tags)
            if not tab or "\t" in tags:
                raise BadRow("needs exactly one tab, between the words and their labels")
            if words[:1] != ["BOS"] or words[-1:] != ["EOS"]:
                raise BadRow("does not begin with BOS and end with EOS before the tab")
            if len(words) != len(labels):
                raise BadRow(
                    f"has {counted(len(words), 'word')}, BOS and EOS included, but "
                    f"{counted(len(labels), 'label')}"
                )
            inner = checked_words(words[1:-1])
            yield Example(inner, tuple(labels[1:-1]), labels[-1], file=str(path), line=number)


def read_label_text(path: Path, config: ReaderPart, bad: BadRows) -> Iterator[Example]:
    """Read rows `label text`, one per line.

    The first tab ends the label if most lines have one; otherwise the first blank or tab does.
    """
    rows = [(number, line) for number, line in numbered_lines(path, config) if line.strip()]
    by_tabs = 2 * sum("\t" in line for _, line in rows) > len(rows)
    for number, line in rows:
        with row_at(bad, path, number):
            label, text = _label_and_text(checked_text(line), by_tabs=by_tabs)
            words = checked_words(plain_words(text, config.split))
            yield Example(words, label=label, file=str(path), line=number, text=text)


def _label_and_text(line: str, *, by_tabs: bool) -> tuple[str, str]:
    """Return the label and the text of a line. Raises: BadRow if there is no label, or no tab after it."""
    if by_tabs and "\t" not in line:
        raise BadRow("has no tab after the label, but most other lines have one")
    label, *rest = line.split("\t", 1) if by_tabs else _BLANK.split(line.lstrip(), 1)
    if not label.strip():
        raise BadRow("has no label before the tab")
    return label.strip(), "".join(rest).rstrip()


def read_parallel(path: Path, config: ReaderPart, bad: BadRows) -> Iterator[Example]:
    """Read a folder of parallel files: seq.in has the words, seq.out their labels, label the line's label.

    Either seq.out or label may be missing.
    """
    names = {name: path / name for name in ("seq.in", "seq.out", "label")}
    there = {name: file for name, file in names.items() if exists(file)}
    if "seq.in" not in there or len(there) == 1:
        raise DataError.advising(f"{path}: has no seq.in with seq.out or label next to it", "see --format")
    columns = [
        read_lines(file, errors="surrogateescape", encoding=config.encoding) for file in there.values()
    ]
    for number, row in enumerate(zip_longest(*columns), start=1):
        if None in row:
            ended = [str(file) for file, line in zip(there.values(), row, strict=True) if line is None]
            raise DataError(
                f"{ended[0]}: ends before line {number}; the files must have the same number of lines."
            )
        with row_at(bad, names["seq.in"], number):
            by_name = dict(zip(there, map(checked_text, row), strict=True))
            words = checked_words(split_at_blanks(by_name["seq.in"]))
            labels = tuple(split_at_blanks(by_name["seq.out"])) if "seq.out" in by_name else None
            if labels is not None and len(labels) != len(words):
                raise BadRow(
                    f"has {counted(len(words), 'word')}, but {counted(len(labels), 'label')} in seq.out"
                )
            label = by_name["label"].strip() if "label" in by_name else None
            if label == "":
                raise BadRow("has no label")
            yield Example(words, labels, label, file=str(names["seq.in"]), line=number)
