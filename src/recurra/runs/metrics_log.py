"""metrics.jsonl: one JSON object a line, cut back where a run goes on from a checkpoint."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recurra.errors import RunError
from recurra.files import storage_error


class MetricsLog:
    """Appends records; `size` marks a place, `cut_back` returns to it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, record: Mapping[str, Any]) -> None:
        """Add one record.

        Raises: StorageError if it cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record, allow_nan=False) + "\n")
        except OSError as error:
            raise storage_error(error, self.path) from error

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self.path.stat().st_size if self.path.exists() else 0

    def cut_back(self, size: int) -> None:
        """Drop what was logged after `size` bytes."""
        if self.size > size:
            with self.path.open("r+b") as file:
                file.truncate(size)

    def read(self) -> list[dict[str, Any]]:
        """All records.

        Raises: RunError if a line is not JSON.
        """
        return read_metrics(self.path)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The records of a metrics.jsonl, none where the file is missing.

    A last line that was cut short by a crash is left out. Raises: RunError if another is not JSON.
    """
    if not path.exists():
        return []
    records = []
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            records.append(json.loads(line))
        except ValueError as error:
            if number == len(lines):
                break
            raise RunError(f"{path}:{number}: is not JSON; remove the line.") from error
    return records
