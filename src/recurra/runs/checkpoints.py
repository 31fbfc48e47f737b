"""Checkpoints that survive a crash at any moment: safetensors and JSON only, never a pickle.

    checkpoint/ step-N/state.json, step-N/tensors.safetensors
                LATEST   the name of the whole one to go on from

A checkpoint is written aside, synced, renamed; then LATEST is replaced; then the one before is removed.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from recurra.errors import RunError
from recurra.files import folder_written_whole, storage_error, write_text

_STATE, _TENSORS = "state.json", "tensors.safetensors"


def pack_tensors(tensors: Mapping[str, Tensor]) -> bytes:
    """Tensors as the bytes of a safetensors file."""
    packed = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return safetensors.torch.save(packed)


def unpack_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file.

    Raises: RunError if it is missing or damaged.
    """
    try:
        # Cloned into memory of its own: what is computed may depend on how it is aligned.
        return {name: tensor.clone() for name, tensor in safetensors.torch.load(path.read_bytes()).items()}
    except (OSError, SafetensorError, ValueError) as error:
        raise RunError(
            f"{path}: is missing or damaged ({error}); restore it from a copy or train again."
        ) from error


class CheckpointFolder:
    """The checkpoints of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.latest = path / "LATEST"

    def exists(self) -> bool:
        """Whether there is one to go on from."""
        return self.latest.exists()

    def save(self, step: int, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Write a checkpoint and make it the latest.

        Raises: StorageError if the disk is full or fails; the one before is then still the latest.
        """
        folder = self.path / f"step-{step}"
        with folder_written_whole(folder) as aside:
            (aside / _STATE).write_text(json.dumps(state, allow_nan=False), encoding="utf-8")
            (aside / _TENSORS).write_bytes(pack_tensors(tensors))
        write_text(self.latest, folder.name + "\n")
        try:
            for old in self.path.iterdir():
                if old.is_dir() and old.name != folder.name:
                    shutil.rmtree(old, ignore_errors=True)
        except OSError as error:
            raise storage_error(error, self.path) from error

    def load(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """State and tensors of the latest checkpoint.

        Raises: RunError if there is none or it is damaged.
        """
        try:
            folder = self.path / self.latest.read_text(encoding="utf-8").strip()
            state = json.loads((folder / _STATE).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(
                f"{self.path}: has no whole checkpoint to go on from; train again with --overwrite."
            ) from error
        return state, unpack_tensors(folder / _TENSORS)
