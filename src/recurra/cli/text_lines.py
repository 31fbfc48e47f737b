"""The lines that a person hands to a command: from a file, or from standard input as they come."""

import sys
from collections.abc import Iterator
from pathlib import Path

from recurra.errors import DataError
from recurra.files import read_lines


def lines_of(file: str) -> Iterator[str]:
    """The lines of a text file, or of standard input for "-".

    Raises: DataError if it cannot be read or is not UTF-8.
    """
    if file != "-":
        yield from read_lines(Path(file))
        return
    first = True
    for raw in sys.stdin.buffer:
        try:
            line = raw.decode("utf-8-sig" if first else "utf-8")
        except UnicodeDecodeError as error:
            raise DataError("standard input: is not UTF-8 text; convert it.") from error
        first = False
        yield line.removesuffix("\n").removesuffix("\r")
