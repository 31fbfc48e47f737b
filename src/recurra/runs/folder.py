"""A run on disk: what was asked, what came out, and what is needed to go on.

RUN/ run.toml            the whole configuration, versions, split, fingerprints of the data
     model.safetensors   the best weights so far
     vocabulary.json     or tokenizer.json
     checkpoint/         see recurra.runs.checkpoints
     metrics.jsonl       see recurra.runs.metrics_log
     report.html
"""

import fcntl
import platform
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from recurra.config import to_toml
from recurra.errors import RunError
from recurra.files import write_text, written_whole
from recurra.runs.checkpoints import CheckpointFolder, pack_tensors, unpack_tensors
from recurra.runs.metrics_log import MetricsLog

FORMAT_VERSION = 1


class RunFolder:
    """The places in a run's folder, and what is read from and written to them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings = path / "run.toml"
        self.weights = path / "model.safetensors"
        self.report = path / "report.html"
        self.events = path / "events"
        self.metrics = MetricsLog(path / "metrics.jsonl")
        self.checkpoints = CheckpointFolder(path / "checkpoint")

    @classmethod
    def create(cls, path: Path, *, overwrite: bool = False) -> "RunFolder":
        """A folder for a new run; `check_free` says when it refuses.

        Raises: RunError if something is in the way.
        """
        cls.check_free(path, overwrite=overwrite)
        run = cls(path)
        if overwrite:
            run._remove()
        return run

    def _remove(self) -> None:
        """Remove what a run writes, and nothing else that a person may have put beside it."""
        for folder in (self.checkpoints.path, self.events):
            shutil.rmtree(folder, ignore_errors=True)
        for file in (self.weights, self.report, self.metrics.path, self.settings):
            file.unlink(missing_ok=True)
        for name in ("vocabulary.json", "tokenizer.json"):
            (self.path / name).unlink(missing_ok=True)

    @staticmethod
    def _is_run(path: Path) -> bool:
        """Whether run.toml is one that we wrote, be it of another version."""
        try:
            content = tomllib.loads((path / "run.toml").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return "format_version" in content and "task" in content

    @classmethod
    def check_free(cls, path: Path, *, overwrite: bool = False) -> None:
        """Refuse a path that holds anything; with `overwrite`, one that holds anything but a run.

        Raises: RunError if something is in the way.
        """
        if not path.exists() or (path.is_dir() and not any(path.iterdir())):
            return
        if not cls._is_run(path):
            raise RunError(f"{path}: exists and is not a run; choose another folder to write to.")
        if not overwrite:
            raise RunError(
                f"{path}: holds a run already; go on with it by `recurra train --resume {path}`, or begin "
                "anew over it with --overwrite."
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for this process while it is trained.

        Raises: RunError if another process holds it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise RunError(
                    f"{self.path}: is being trained by another process; wait for it, or stop it first."
                ) from error
            yield

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """The run that lies in `path`.

        Raises: RunError if there is none, it is damaged or of a newer version.
        """
        if not path.exists():
            raise RunError(f"{path}: there is no such folder; name one that `recurra train` wrote.")
        if not (path / "run.toml").exists():
            runs = sorted(file.parent.name for file in path.glob("*/run.toml"))
            if runs:
                raise RunError(
                    f"{path}: is not a run, but holds some; name one of them, such as {path / runs[0]}."
                )
            raise RunError(f"{path}: is not a run (it has no run.toml); name one that `recurra train` wrote.")
        run = cls(path)
        run.read_settings()
        return run

    def write_settings(self, task: str, config: Mapping[str, Any], data: Mapping[str, Any]) -> None:
        """Write run.toml: the task, its whole configuration, and what was known of its data."""
        import numpy
        import torch

        import recurra

        versions = {
            "recurra": recurra.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": numpy.__version__,
        }
        content = {
            "format_version": FORMAT_VERSION,
            "task": task,
            "versions": versions,
            "config": config,
            "data": data,
        }
        write_text(self.settings, to_toml(content))

    def read_settings(self) -> dict[str, Any]:
        """The content of run.toml.

        Raises: RunError if it is damaged or of a newer version.
        """
        try:
            content = tomllib.loads(self.settings.read_text(encoding="utf-8"))
            version, _ = int(content["format_version"]), content["config"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(
                f"{self.settings}: is damaged ({error}); restore it from a copy or train again."
            ) from error
        if version > FORMAT_VERSION:
            raise RunError(
                f"{self.path}: was written by a newer Recurra (format {version}, this one reads up to "
                f"{FORMAT_VERSION}); upgrade with `pip install --upgrade recurra`."
            )
        return content

    def write_weights(self, tensors: Mapping[str, Tensor]) -> None:
        """Write model.safetensors, whole or not at all."""
        with written_whole(self.weights) as file:
            file.write(pack_tensors(tensors))

    def read_weights(self) -> dict[str, Tensor]:
        """The tensors of model.safetensors.

        Raises: RunError if the file is missing or damaged.
        """
        if not self.weights.exists():
            raise RunError(
                f"{self.path}: has no model yet; finish training with `recurra train --resume {self.path}`."
            )
        return unpack_tensors(self.weights)
