"""Rows of delimited text: CSV and TSV."""

import csv
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from recurra.data.examples import CORRECT_IT, SKIP_IT, BadRow, BadRows, checked_text, row_at
from recurra.errors import DataError
from recurra.plain import counted
from recurra.text_files import read_lines

_DELIMITERS = (",", ";", "\t", "|")
_LOOKED_AT = 20  # rows
_QUOTED = r'"[^"]*+(?:""[^"]*+)*+"'


def delimiter_of(
    path: Path, given: str | None, encoding: str, *, has_quotes: bool = True, wanted: Iterable[str] = ()
) -> str:
    """Return the delimiter of a CSV file: the given one, or the only one that splits the header.

    If several split it, the columns decide: only one gives all that are `wanted`. If they do not decide, the
    next rows do: only one splits each of them into as many columns.

    Raises: DataError if the rows do not decide either.
    """
    if given is not None:
        return given
    rows = {one: list(islice(_rows(path, one, encoding, has_quotes), _LOOKED_AT)) for one in _DELIMITERS}
    splitting = [one for one in _DELIMITERS if rows[one] and len(rows[one][0]) > 1]
    if len(splitting) > 1:
        splitting = [one for one in splitting if {*wanted} <= {*rows[one][0]}] or splitting
    if len(splitting) > 1:
        splitting = [one for one in splitting if len({*map(len, rows[one])}) == 1] or splitting
    if len(splitting) > 1:
        raise DataError.advising(
            f"{path}:1: the header contains {' and '.join(map(repr, splitting))}",
            "set the delimiter with --delimiter",
        )
    return splitting[0] if splitting else ","


def _rows(path: Path, delimiter: str, encoding: str, has_quotes: bool) -> Iterator[list[str]]:
    """Yield the rows of a CSV file; at last an empty one if the next is not a table row."""
    # The csv module refuses a CR within a line, which divides nothing.
    lines = (
        line.replace("\r", " ") + "\n"
        for line in read_lines(path, errors="surrogateescape", encoding=encoding)
    )
    try:
        yield from filter(None, _fields_of(lines, delimiter, has_quotes))
    except csv.Error:
        yield []


def _fields_of(lines: Iterable[str], delimiter: str, has_quotes: bool) -> Iterator[list[str]]:
    """Return the fields of each row of a CSV or TSV file. Raises: csv.Error, also for text after a quote."""
    if not has_quotes:
        ended = (line.removesuffix("\n").removesuffix("\r") for line in lines)
        return (line.split(delimiter) if line else [] for line in ended)
    csv.field_size_limit(1 << 27)  # a long document is one field
    return csv.reader(lines, delimiter=delimiter, strict=True)


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
            raise _without_end(path, begins, "".join(held), delimiter, error) from error
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


def _without_end(path: Path, begins: int, text: str, delimiter: str, error: csv.Error) -> DataError:
    """Return the error for a row that the csv module refuses, with the line where its bad field begins."""
    sign, at = re.escape(delimiter), 0
    whole_field = re.compile(rf'(?:{_QUOTED}|[^"{sign}\r\n][^{sign}\r\n]*+|)(?:{sign}|\r?\n)')
    while found := whole_field.match(text, at):
        at = found.end()
    if not text.startswith('"', at):
        if "new-line character" in str(error):
            what = f"{path}:{begins}: has a carriage return within a field"
            return DataError.advising(what, "enclose the field in quotes", "remove the carriage return")
        return DataError.advising(
            f"{path}:{begins}: is not a table row ({error})", CORRECT_IT, "see --quoted"
        )
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
