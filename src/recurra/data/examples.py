"""Rows of a labelling data set, and the handling of rows that cannot be used."""

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.errors import DataError
from recurra.plain import counted, quoted
from recurra.text.words import Word, placed
from recurra.text_files import is_text

CORRECT_IT, SKIP_IT = "correct it", "skip such rows with --skip-bad"
_LARGEST = 1e30  # of a number in a table; single precision ends at 3.4e38
_TOLD = 3  # number of rows that are described one by one
_BLANKS = re.compile(r"[ \t]+")


@dataclass(frozen=True, slots=True)
class Example:
    """One sequence: words, or one vector (or image) per step, with labels where known.

    `labels` has one label per word or step, `label` is the label of the whole sequence and `score` its score,
    `second` the second text of a pair. `text` and `second_text` are the fields of the file from which the
    words were split, None for words that were given one by one. Consecutive rows with the same `conversation`
    are its turns. `line` is the number of the line or row in the file, 0 for the whole file.

    Shapes: vectors (T, F), or pictures (T, channels, height, width).
    """

    words: tuple[str, ...] = ()
    labels: tuple[str, ...] | None = None
    label: str | None = None
    second: tuple[str, ...] | None = None
    vectors: NDArray[np.generic] | None = None
    conversation: str = ""
    file: str = ""
    line: int = 0
    text: str | None = None
    second_text: str | None = None
    score: float | None = None

    @property
    def whole_text(self) -> str:
        """The text as the file has it, or the words separated by blanks."""
        return " ".join(self.words) if self.text is None else self.text

    @property
    def whole_second_text(self) -> str:
        """As `whole_text`, for the second text."""
        return " ".join(self.second or ()) if self.second_text is None else self.second_text

    @property
    def placed_words(self) -> list[Word]:
        """The words with their offsets in `whole_text`."""
        return placed(self.words, self.text)

    @property
    def place(self) -> str:
        """File and line, as shown in error messages."""
        return f"{self.file}:{self.line}" if self.line else self.file

    def __len__(self) -> int:
        return len(self.words) if self.vectors is None else len(self.vectors)


def conversations(rows: Sequence[Example]) -> list[list[int]]:
    """Group the indices of rows by conversation, in order; a row without one is a group of its own."""
    groups: list[list[int]] = []
    for i, row in enumerate(rows):
        if i and row.conversation and row.conversation == rows[i - 1].conversation:
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups


@dataclass
class BadRows:
    """Collects rows that cannot be used: the first one raises an error, or all are skipped and described.

    `empty` counts rows without content, which are never an error. `notes` tell what a reader had to decide.
    """

    skip: bool = False
    can_skip: bool = True  # whether the command has the option --skip-bad
    sentences: list[str] = field(default_factory=list)
    empty: int = 0
    notes: list[str] = field(default_factory=list)

    def refuse(self, place: str, what: str, *ways: str) -> None:
        """Record a bad row: its place, what is wrong with it, and remedies other than the usual ones.

        Raises: DataError unless rows are skipped.
        """
        if not self.skip:
            usual = (CORRECT_IT, SKIP_IT) if self.can_skip else (CORRECT_IT,)
            raise DataError.advising(f"{place}: {what}", *(ways or usual))
        self.sentences.append(f"{place}: {what}.")

    def __len__(self) -> int:
        return len(self.sentences)


class BadRow(Exception):
    """Raised by a reader for the current row and caught in the reader; without `ways` for the usual ones."""

    def __init__(self, what: str, *ways: str) -> None:
        super().__init__(what)
        self.ways = ways


@contextmanager
def row_at(bad: BadRows, path: Path, line: int) -> Iterator[None]:
    """Refuse the row at a line of a file (0: the whole file) if BadRow is raised inside."""
    try:
        yield
    except BadRow as fault:
        bad.refuse(f"{path}:{line}" if line else str(path), str(fault), *fault.ways)


def checked_text(line: str) -> str:
    """Return a line that was read with "surrogateescape". Raises: BadRow if it was not UTF-8."""
    if is_text(line):
        return line
    byte = next(ord(one) - 0xDC00 for one in line if not is_text(one))
    if not 0x80 <= byte <= 0xFF:  # of an encoding with escapes
        return checked_characters(line)
    raise BadRow(
        f"is not UTF-8 (byte 0x{byte:02x})",
        "convert it to UTF-8",
        "set the encoding of the file with --encoding, latin-1 for example",
    )


def spelled(value: Any, what: str, expected: str = "a text or a number") -> str:
    """Return a value of a JSON file or an array as text; true and false are spelled as in JSON.

    `what` names the value in the message.

    Raises: BadRow for a value that is neither a text nor a finite number.
    """
    match value:
        case np.str_():
            return checked_characters(str(value))
        case str():  # of a line that was checked
            return value
        case bool() | np.bool_():
            return "true" if value else "false"
        case int() | np.integer():
            return str(value)
        case float() | np.floating() if np.isfinite(value):
            return str(value)
        case bytes():  # of an array of type S
            text = value.decode("utf-8", "replace")
            if text.encode() == value:
                return text
            expected = "UTF-8 text"
    raise BadRow(f"has {quoted(getattr(value, 'tolist', lambda: value)())} as {what}, expected {expected}")


def spelled_label(value: Any, what: str, expected: str = "a text or a number") -> str:
    """Return a label as text without blanks around it; CRLF becomes LF.

    Raises: BadRow as `spelled`, and if the label is empty.
    """
    label = spelled(value, what, expected).strip().replace("\r\n", "\n")
    if not label:
        raise BadRow(f"has an empty {what}")
    return label


def number_in(value: Any, what: str) -> float:
    """Return a value of a table, or of a JSON file, as a number.

    Raises: BadRow unless it is a finite one, the square of which is finite too, as errors are squared.
    """
    given = spelled(value, what, "a number")
    try:
        number = float(given.strip().replace("_", " "))  # 1_0 is no number of a table
    except ValueError:
        number = math.nan
    if isinstance(value, bool | np.bool_) or not math.isfinite(number):
        raise BadRow(f"has {quoted(value)} as {what}, expected a number")
    if abs(number) > _LARGEST:
        raise BadRow(
            f"has {quoted(value)} as {what}, expected a number between -{_LARGEST:g} and {_LARGEST:g}"
        )
    return number


def checked_characters(text: str) -> str:
    """Return a text that was not read from bytes. Raises: BadRow if it has half of a surrogate pair."""
    if is_text(text):
        return text
    half = next(one for one in text if not is_text(one))
    raise BadRow(
        f"has '\\u{ord(half):04x}', half of a surrogate pair and no character",
        "remove it or write the whole pair",
        SKIP_IT,
    )


def split_at_blanks(line: str) -> list[str]:
    """Split a line at blanks and tabs; other white space, such as a no-break space, is part of a word."""
    filled = line.strip(" \t\r")
    if "\t" in filled or "  " in filled:
        return _BLANKS.split(filled)
    return filled.split(" ") if filled else []  # several times faster


def numbers_of(vectors: NDArray[np.generic], place: str, *, images: bool) -> NDArray[np.generic]:
    """Return vectors as float32; images of uint8 stay as they are. Shapes: any.

    Raises: DataError for anything else than finite numbers.
    """
    if vectors.dtype == np.float32 or (images and vectors.dtype == np.uint8):
        found = vectors
    elif vectors.dtype.kind in "fiu":
        with np.errstate(over="ignore"):
            found = vectors.astype(np.float32)
    else:
        raise DataError(f"{place}: has values of {vectors.dtype}, expected numbers.")
    if not np.isfinite(found).all():
        raise DataError(f"{place}: has numbers that are not finite, or too large for float32; correct them.")
    return found


def checked_words(words: Sequence[str], what: str = "the text") -> tuple[str, ...]:
    """Return the words of a row. Raises: BadRow if there are none."""
    if not words:
        raise BadRow(f"{what} is empty")
    return tuple(words)


def rows_told(sentences: Sequence[str], what: str, kept: int | None = None) -> Iterator[str]:
    """Yield the number of described rows, their share next to `kept` others, and the first ones."""
    if not sentences:
        return
    share = "" if kept is None else f" ({len(sentences) / (len(sentences) + kept):.1%})"
    yield f"{counted(len(sentences), 'row')} {what}{share}:"
    for sentence in sentences[:_TOLD]:
        yield f"  {sentence}"
    if len(sentences) > _TOLD:
        yield f"  and {len(sentences) - _TOLD:,} more"
