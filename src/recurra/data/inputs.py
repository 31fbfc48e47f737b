"""Input of a prediction: lines of text, read as they arrive, or a file of any kind."""

import select
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from recurra.data.arriving import Arriving
from recurra.errors import ConfigError, DataError
from recurra.text_files import looks_binary, only_carriage_returns, read_lines

_READ = 1 << 16  # bytes of standard input that are read together


class Input:
    """A file or folder by its name, or standard input for "-"."""

    first = 0
    """Number of inputs before those of this object, for the numbers in the output."""
    inputs: Sequence[Any] | None = None
    """Inputs that were read before, by `Model.inputs`."""

    def __init__(self, name: str) -> None:
        self.is_stream = name == "-"
        self._path = Path(name)
        self.name = "standard input" if self.is_stream else name

    @property
    def path(self) -> Path:
        """The path of the file or folder."""
        return self._path

    def lines(self) -> Arriving[str]:
        """Return the lines of text; standard input is read as it arrives.

        Raises: DataError if it cannot be read or is not UTF-8.
        """
        if not self.is_stream:
            return Arriving(read_lines(self.path))
        numbers = count(1)
        return _standard_input().each(lambda raw: _decoded(raw, next(numbers)))

    def file(self) -> Path:
        """Return the path of an input that is not read line by line.

        Raises: DataError for standard input.
        """
        if self.is_stream:
            raise DataError(
                "standard input: is text, but the model reads other files; name a file or folder."
            )
        return self.path


class Share(Input):
    """Some of the inputs of a file, after the `first` ones; a worker predicts them.

    A model that reads the file itself cannot share it: its path raises a ConfigError.
    """

    def __init__(self, name: str, inputs: Sequence[Any], first: int) -> None:
        super().__init__(name)
        self.inputs, self.first = inputs, first

    @property
    def path(self) -> Path:
        """Raises: ConfigError."""
        raise ConfigError("workers: the model reads its input as a whole; remove workers.")

    def lines(self) -> Arriving[Any]:
        """Return the inputs."""
        return Arriving(self.inputs or ())


def _decoded(raw: bytes, number: int) -> str:
    """Return a line of standard input as text without its end."""
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
    return line.removesuffix("\n").removesuffix("\r") if line.endswith("\n") else line


def _standard_input() -> Arriving[bytes]:
    """Return the lines of standard input with their ends."""
    if sys.stdin is None:
        raise DataError("standard input: is closed; name a file.")
    lines = _Lines(sys.stdin.buffer)
    return Arriving(lines, lines.has_arrived)


class _Lines(Iterator[bytes]):
    """The lines of a binary stream, which is read only in the caller's thread.

    Without a descriptor that `select` accepts, as on Windows, lines are told to arrive one by one.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._lines: deque[bytes] = deque()
        self._begun: list[bytes] = []  # of a line that has not ended
        self._has_ended = False

    def __next__(self) -> bytes:
        while not self._lines and not self._has_ended:
            self._read()
        if not self._lines:
            raise StopIteration
        return self._lines.popleft()

    def has_arrived(self) -> bool:
        """Whether a whole line has arrived; reads at most once, and only what is there."""
        if not self._lines and not self._has_ended and self._is_readable():
            self._read()
        return bool(self._lines) or self._has_ended

    def _is_readable(self) -> bool:
        try:
            return bool(select.select([self._stream], [], [], 0)[0])
        except (OSError, ValueError):  # no descriptor, or none of a kind that can be asked
            return False

    def _read(self) -> None:
        """Wait for some bytes, and split them into lines."""
        read: bytes = self._stream.read1(_READ)
        *lines, rest = read.split(b"\n")
        if lines:
            self._lines.append(b"".join((*self._begun, lines[0], b"\n")))
            self._lines.extend(line + b"\n" for line in lines[1:])
            self._begun = []
        if rest:
            self._begun.append(rest)
        if not read:
            self._has_ended = True
            if self._begun:
                self._lines.append(b"".join(self._begun))
                self._begun = []
