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
    for number, raw in enumerate(sys.stdin.buffer, start=1):
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            byte = error.object[error.start]
            raise DataError(
                f"standard input:{number}: is not UTF-8 text (byte 0x{byte:02x}); convert it, e.g. with "
                "`iconv -f latin1 -t utf-8`."
            ) from error
        yield line.removesuffix("\n").removesuffix("\r")
