"""Checkpoints that survive a crash at any moment: safetensors and JSON only, never a pickle.

    checkpoint/ step-N/state.json, step-N/tensors.safetensors, step-N/SHA256SUMS
                LATEST   the name of the complete one to resume from

A checkpoint is written to a temporary folder, synced and renamed; then LATEST is replaced; then the previous
checkpoint is removed.
"""

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor

from recurra.errors import RunError
from recurra.files import (
    SUMS,
    fault_in,
    folder_written_whole,
    reading_error,
    remove_at_once,
    remove_strays,
    remove_tree,
    storage_error,
    write_sums,
    write_text,
)
from recurra.plain import parsed_json
from recurra.runs.tensor_files import read_tensors, write_tensors

ReadT = TypeVar("ReadT")
_STATE, _TENSORS = "state.json", "tensors.safetensors"
_STEP = re.compile(r"step-(?P<step>\d{1,18})(?:-(?P<again>\d{1,18}))?")
_STRAY_OF_FORMAT_1 = re.compile(r"\.step-\d+\.\d+")
_REMEDY = "restore it from a copy, or train again with --overwrite"


class CheckpointFolder:
    """The checkpoints of one run.

    A checkpoint stores the sizes of the files `logs`, which are synced to disk before it.
    """

    def __init__(self, path: Path, logs: Sequence[Path] = ()) -> None:
        self.path = path
        self.latest = path / "LATEST"
        self._logs = tuple(logs)

    def __repr__(self) -> str:
        return f"CheckpointFolder({str(self.path)!r})"

    def exists(self) -> bool:
        """Whether there is a checkpoint to resume from."""
        return bool(self._names())

    def save(self, step: int, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Write a checkpoint and make it the latest.

        Raises: StorageError if the disk is full or fails; the previous checkpoint then remains the latest.
        """
        name, again = f"step-{step}", 1
        while (self.path / name).exists():  # never replace a checkpoint that may be needed
            again += 1
            name = f"step-{step}-{again}"
        try:
            for log in self._logs:
                _sync_file(log)
            with folder_written_whole(self.path / name) as aside:
                (aside / _STATE).write_text(json.dumps(state, allow_nan=False), encoding="utf-8")
                with (aside / _TENSORS).open("wb") as file:
                    write_tensors(file, tensors)
                write_sums(aside)
            write_text(self.latest, name + "\n")
        except OSError as error:
            raise storage_error(error, self.path) from error
        self.remove_older()

    def remove_older(self) -> None:
        """Remove all checkpoints but the latest. Only the process that holds the run may call it."""
        names, latest = self._names(), self._latest()
        for name in names if latest in names else []:
            if name != latest:
                with suppress(OSError):
                    remove_at_once(self.path / name)

    def load(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Read state and tensors of the latest checkpoint, or of the newest complete one if LATEST is lost.

        Raises: RunError if there is no checkpoint or it is damaged.
        """
        if not self._names():
            raise RunError(f"{self.path}: has no checkpoint to resume from; train again with --overwrite.")
        return self._read_latest(self._read)

    def peek(self) -> dict[str, Any]:
        """Read only the state of the checkpoint that `load` reads; empty if there is no checkpoint."""
        try:
            return self._read_latest(self._peek) if self._names() else {}
        except RunError:
            return {}

    def _read_latest(self, read: Callable[[str], ReadT]) -> ReadT:
        """Apply `read` to the latest checkpoint, or to the newest complete one if LATEST is lost."""
        names, latest = self._names(), self._latest()
        if latest in names:
            return read(latest)
        faults = []
        for name in names:
            try:
                return read(name)
            except RunError as error:
                faults.append(error)
        raise faults[0]

    def _latest(self) -> str:
        """Return the name in LATEST, or "" if it is lost. Raises: RunError if LATEST is a folder."""
        try:
            return self.latest.read_text(encoding="utf-8").strip()
        except IsADirectoryError as error:
            raise reading_error(error, self.latest) from error
        except (OSError, ValueError):
            return ""

    def remove_strays(self) -> None:
        """Remove incomplete files of killed processes. Only the process that holds the run may call it."""
        remove_strays(self.path)
        with suppress(OSError):
            for entry in list(self.path.iterdir()):
                if _STRAY_OF_FORMAT_1.fullmatch(entry.name):
                    remove_tree(entry)

    def _names(self) -> list[str]:
        """Return the names of all checkpoints, the newest first."""
        try:
            matches = [_STEP.fullmatch(name) for name in os.listdir(self.path)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise reading_error(error, self.path) from error
        found = [match for match in matches if match is not None]
        found.sort(key=lambda match: (int(match["step"]), int(match["again"] or 1)), reverse=True)
        return [match.group() for match in found]

    def _read(self, name: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Read state and tensors of one checkpoint. Raises: RunError naming a missing or damaged file."""
        folder = self.path / name
        _check_sums(folder, (_STATE, _TENSORS))
        return _read_state(folder / _STATE), read_tensors(folder / _TENSORS)

    def _peek(self, name: str) -> dict[str, Any]:
        """Read the state of one checkpoint. Raises: RunError naming a missing or damaged file."""
        _check_sums(self.path / name, (_STATE,))
        return _read_state(self.path / name / _STATE)


def _check_sums(folder: Path, names: Sequence[str]) -> None:
    """Check files of a checkpoint against their checksums, which format 1 does not have.

    Raises: RunError naming a missing or damaged file.
    """
    fault = fault_in(folder, names) if (folder / SUMS).exists() else None
    if fault is not None:
        raise RunError(f"{fault}; {_REMEDY}.")


def _read_state(path: Path) -> dict[str, Any]:
    """Read the content of a state.json. Raises: RunError if it is missing or damaged."""
    try:
        state = parsed_json(path.read_bytes().decode("utf-8"))
        if not isinstance(state, dict):
            raise ValueError("it is not a JSON object")
    except FileNotFoundError as error:
        raise RunError(f"{path}: is missing; {_REMEDY}.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path}: is damaged ({error}); {_REMEDY}.") from error
    return state


def _sync_file(path: Path) -> None:
    with suppress(FileNotFoundError), path.open("rb") as file:
        os.fsync(file.fileno())
