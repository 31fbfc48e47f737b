"""Listeners that observe a training: a progress bar, TensorBoard, a demo that shows samples."""

import itertools
import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from recurra.files import make_folder, storage_error


@dataclass(frozen=True)
class StepReport:
    """One update, as reported to listeners.

    `loss` is the mean over the targets, `gradient_norm` the norm before clipping. Values that the learner
    does not have are None.
    """

    step: int
    total_steps: int
    epoch: int
    tokens: int
    loss: float | None
    gradient_norm: float | None
    learning_rate: float | None


class Listener:
    """Observes a training; each method does nothing unless a subclass overrides it."""

    def on_start(self, step: int, total_steps: int) -> None:
        """Training starts, or resumes after `step` updates."""

    def on_step(self, report: StepReport) -> None:
        """Called after each update."""

    def on_log(self, record: Mapping[str, Any]) -> None:
        """Called after a record was written to metrics.jsonl."""

    def on_validation(self, record: Mapping[str, Any], *, best: bool) -> None:
        """Called after each validation; `best` is True if it is the best so far."""

    def on_end(self) -> None:
        """Training ended, for whatever reason."""


class TensorBoardListener(Listener):
    """Writes the records of metrics.jsonl also as TensorBoard events, each immediately.

    torch's SummaryWriter writes from a thread, in which the error of a full disk cannot be caught.

    Raises: StorageError if the events cannot be written.
    """

    _numbers = itertools.count()

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: IO[bytes] | None = None

    @staticmethod
    def available() -> bool:
        """Whether TensorBoard is installed."""
        from importlib.util import find_spec

        return find_spec("tensorboard") is not None

    def on_start(self, step: int, total_steps: int) -> None:
        number = next(self._numbers)  # distinguishes files of one process in the same second
        name = f"events.out.tfevents.{time.time():010.0f}.{socket.gethostname()}.{os.getpid()}.{number}"
        try:
            make_folder(self._folder)
            self._file = (self._folder / name).open("xb")
        except OSError as error:
            raise storage_error(error, self._folder) from error
        self._write(file_version="brain.Event:2")
        # This event hides earlier events from after the checkpoint that a run resumes from.
        self._write(step=step + 1, session_log={"status": "START"})

    def on_log(self, record: Mapping[str, Any]) -> None:
        values = [
            {"tag": f"{record['kind']}/{name}", "simple_value": value}
            for name, value in record.items()
            if isinstance(value, float)
        ]
        self._write(step=record["step"], summary={"value": values})

    def on_end(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # every event was flushed before
                self._file.close()

    def _write(self, **content: Any) -> None:
        """Write one event. TensorBoard skips a last event that a crash cut short."""
        from torch.utils.tensorboard import RecordWriter

        assert self._file is not None, "on_start was called"
        event = import_module("tensorboard.compat.proto.event_pb2").Event(wall_time=time.time(), **content)
        try:
            RecordWriter(self._file).write(event.SerializeToString())
            self._file.flush()
        except OSError as error:
            raise storage_error(error, self._folder) from error
