"""split.json: the indices of the rows of --data that a run held out, so that resuming finds the same rows."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from recurra.errors import RunError
from recurra.files import write_text
from recurra.plain import json_line, parsed_json
from recurra.runs.folder import RunFolder

SPLIT = "split.json"


def write_split(path: Path, split: Mapping[str, Sequence[int]]) -> None:
    """Write the indices of each part; no file is written if no part was held out from the data."""
    if split:
        write_text(path, json_line({part: list(rows) for part, rows in split.items()}) + "\n")


def read_split(run: RunFolder) -> dict[str, list[int]] | None:
    """Read the indices of each part of a run; None if the run has no split.json.

    Raises: RunError if the file is damaged.
    """
    path = run.path / SPLIT
    if not path.exists():
        return None
    try:
        content = parsed_json(path.read_text(encoding="utf-8"))
        return {str(part): [int(row) for row in rows] for part, rows in content.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise RunError(f"{path}: is damaged ({error}); restore it from a copy, or train again.") from error
