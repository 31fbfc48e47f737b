"""metrics.jsonl: one JSON object per line, truncated when a run is resumed from a checkpoint.

The last key of each line is `crc32`: 8 hexadecimal digits, the checksum of the line's text without that key.
Lines of format 1 have no checksum. Lines that were blanked out by hand are skipped.
"""

import json
import os
import re
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from recurra.errors import RunError
from recurra.files import make_folder, reading_error, storage_error
from recurra.plain import parsed_json

_SUM_DIGITS = 8
_SUM = re.compile(rb'(?P<text>\{.+), "crc32": "(?P<sum>[0-9a-f]{8})"\}', re.DOTALL)
_BLOCK = 1 << 16


class MetricsLog:
    """Appends records; `size` is the current position, `cut_back` truncates the file to a position."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, record: Mapping[str, Any]) -> None:
        """Append one record with a `kind` and a `step`; first remove a last line that a crash cut short.

        Raises: StorageError if it cannot be written; the earlier records are kept.
        """
        assert isinstance(record["kind"], str), "the kind is a string"
        assert isinstance(record["step"], int), "the step is a number"
        text = json.dumps(record, allow_nan=False)
        line = f'{text[:-1]}, "crc32": "{zlib.crc32(text.encode()):08x}"}}\n'.encode()
        try:
            make_folder(self.path.parent)
            with self.path.open("a+b", buffering=0) as file:
                end = _end_of_whole_lines(file)
                file.truncate(end)
                try:
                    while line:
                        line = line[file.write(line) :]
                except OSError:
                    with suppress(OSError):
                        file.truncate(end)
                    raise
        except OSError as error:
            raise storage_error(error, self.path) from error

    @property
    def size(self) -> int:
        """Size of the file in bytes."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise reading_error(error, self.path) from error

    def cut_back(self, size: int) -> None:
        """Check the first `size` bytes, then remove everything after them.

        Raises: RunError if lines are missing or damaged; StorageError if the file cannot be written. In both
        cases nothing is removed.
        """
        self.check_size(size)
        if size == 0 and self.size == 0:
            return
        try:
            with self.path.open("r+b") as file:
                content = file.read(size)
                if size and not content.endswith(b"\n"):
                    raise RunError(
                        f"{self.path}: was changed (no line ends at byte {size:,}, where one ended when "
                        "the checkpoint was saved); restore it from a copy."
                    )
                _records(self.path, content)
                file.truncate(size)
        except OSError as error:
            raise storage_error(error, self.path) from error

    def check_size(self, size: int) -> None:
        """Check that the file still has the `size` bytes that it had when a checkpoint was saved.

        Raises: RunError if lines are missing.
        """
        missing = size - self.size
        if missing > 0:
            raise RunError(
                f"{self.path}: lines are missing (it has {self.size:,} bytes and had {size:,} when the "
                f"checkpoint was saved); restore it from a copy, or add {missing} empty lines at its end to "
                "continue without them."
            )

    def read(self) -> list[dict[str, Any]]:
        """Return all records.

        Raises: RunError if a line is damaged.
        """
        return read_metrics(self.path)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Read the records of a metrics.jsonl, each with a `kind` and a `step`; none if the file is missing.

    A last line that was cut short by a crash is skipped. Raises: RunError if another line is damaged.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise reading_error(error, path) from error
    return _records(path, content)


def _records(path: Path, content: bytes) -> list[dict[str, Any]]:
    """Parse the content of a metrics.jsonl. Raises: RunError naming a damaged line."""
    *lines, rest = content.split(b"\n")
    if _SUM.fullmatch(rest[:-1]):  # a whole line without its line end
        lines.append(rest)
    records, summed = [], False
    for number, line in enumerate(lines, start=1):
        if not line.strip(b" "):
            continue
        try:
            records.append(_read_line(line))
            has_sum = _SUM.fullmatch(line) is not None
            if summed and not has_sum:
                raise ValueError("it has no crc32")
            summed = has_sum
        except (ValueError, RecursionError) as error:
            raise RunError(
                f"{path}:{number}: is damaged ({error}); restore the file from a copy, or replace each "
                "character of the line with a blank to continue without it."
            ) from error
    return records


def _read_line(line: bytes) -> dict[str, Any]:
    """Return the record of one line, without its crc32. Raises: ValueError if it is damaged."""
    match = _SUM.fullmatch(line)
    if match is not None:
        line = match["text"] + b"}"
        if zlib.crc32(line) != int(match["sum"], 16):
            raise ValueError("its crc32 differs")
    try:
        text = line.decode("utf-8")
        record = parsed_json(text)
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8") from error
    except ValueError as error:
        raise ValueError("it is not JSON") from error
    if not isinstance(record, dict):
        raise ValueError("it is not a JSON object")
    if not isinstance(record.get("kind"), str) or type(record.get("step")) is not int:
        raise ValueError("it has no kind or no step")
    last = list(record.values())[-1]
    if match is None and list(record)[-1] != "kind" and isinstance(last, str) and len(last) <= _SUM_DIGITS:
        raise ValueError("its crc32 is damaged")  # lines of format 1 end with a number or a longer text
    return record


def _end_of_whole_lines(file: IO[bytes]) -> int:
    """Return the position after the last line end; 0 if there is none."""
    at = file.seek(0, os.SEEK_END)
    while at:
        begin = max(0, at - _BLOCK)
        file.seek(begin)
        found = file.read(at - begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        at = begin
    return 0
