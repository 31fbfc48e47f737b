"""A row of a data set that is to be labelled, and what is done about rows that cannot be used."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recurra.errors import DataError

_TOLD = 3  # rows of which something is said


@dataclass(frozen=True, slots=True)
class Example:
    """One sequence: words, or a vector (or picture) a step, with labels where they are known.

    `labels` are the words' own, `label` that of the whole, `second` the other text of a pair. Rows
    that follow one another in one `conversation` are its turns. `line` is where a row stands in its file.

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

    @property
    def place(self) -> str:
        """File and line, as errors name them."""
        return f"{self.file}:{self.line}" if self.line else self.file

    def __len__(self) -> int:
        return len(self.words) if self.vectors is None else len(self.vectors)


def conversations(rows: Sequence[Example]) -> list[list[int]]:
    """The rows of each conversation, in order; a row of none stands alone."""
    groups: list[list[int]] = []
    for i, row in enumerate(rows):
        if i and row.conversation and row.conversation == rows[i - 1].conversation:
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups


@dataclass
class BadRows:
    """Rows that cannot be used: the first ends the reading, or all are skipped and kept as sentences.

    `empty` counts rows that say nothing, which are never an error.
    """

    skip: bool = False
    can_skip: bool = True  # whether there is an option for it
    sentences: list[str] = field(default_factory=list)
    empty: int = 0

    def refuse(self, place: str, what: str) -> None:
        """Take note of a row: where it is, what is wrong and how to mend it.

        Raises: DataError unless rows are skipped.
        """
        if not self.skip:
            remedy = ", or leave such rows out with --skip-bad" if self.can_skip else ""
            raise DataError(f"{place}: {what}; mend it{remedy}.")
        self.sentences.append(f"{place}: {what}.")

    def __len__(self) -> int:
        return len(self.sentences)


class BadRow(Exception):
    """Raised within a reader for the row it is at, and caught there."""


@contextmanager
def row_at(bad: BadRows, path: Path, line: int) -> Iterator[None]:
    """Refuse the row at a line of a file (0: the whole of it) if its reader raises BadRow."""
    try:
        yield
    except BadRow as fault:
        bad.refuse(f"{path}:{line}" if line else str(path), str(fault))


def checked_words(words: Sequence[str], what: str = "the text") -> tuple[str, ...]:
    """The words of a row. Raises: BadRow if there are none."""
    if not words:
        raise BadRow(f"{what} is empty")
    return tuple(words)


def rows_told(sentences: Sequence[str], what: str) -> Iterator[str]:
    """How many rows there is something to be said of, and of the first ones what."""
    if not sentences:
        return
    yield f"{len(sentences):,} rows {what}:"
    for sentence in sentences[:_TOLD]:
        yield f"  {sentence}"
    if len(sentences) > _TOLD:
        yield f"  and {len(sentences) - _TOLD:,} more"
