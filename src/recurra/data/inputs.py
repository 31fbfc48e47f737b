"""Input of a prediction: lines of text, read as they arrive, or a file of any kind."""

import sys
from collections.abc import Iterator
from pathlib import Path

from recurra.errors import DataError
from recurra.text_files import looks_binary, only_carriage_returns, read_lines


class Input:
    """A file or folder by its name, or standard input for "-"."""

    def __init__(self, name: str) -> None:
        self.is_stream = name == "-"
        self.path = Path(name)
        self.name = "standard input" if self.is_stream else name

    def lines(self) -> Iterator[str]:
        """Yield the lines of text; standard input is read as it arrives.

        Raises: DataError if it cannot be read or is not UTF-8.
        """
        if not self.is_stream:
            yield from read_lines(self.path)
            return
        for number, raw in enumerate(sys.stdin.buffer, start=1):
            if b"\0" in raw:
                raise looks_binary("standard input")
            if number == 1 and b"\r" in raw and not raw.endswith(b"\n"):  # the whole input
                raise only_carriage_returns("standard input")
            try:
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                byte = error.object[error.start]
                raise DataError(
                    f"standard input:{number}: is not UTF-8 text (byte 0x{byte:02x}); convert it, e.g. with "
                    "`iconv -f latin1 -t utf-8`."
                ) from error
            yield line.removesuffix("\n").removesuffix("\r") if line.endswith("\n") else line

    def file(self) -> Path:
        """Return the path of an input that is not read line by line.

        Raises: DataError for standard input.
        """
        if self.is_stream:
            raise DataError(
                "standard input: is text, but the model reads other files; name a file or folder."
            )
        return self.path
