"""Those who watch a training: a progress bar, TensorBoard, a demo that shows samples."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class StepReport:
    """One update, as its watchers see it. `loss` is the mean over its targets; the norm before clipping."""

    step: int
    total_steps: int
    epoch: int
    tokens: int
    loss: float
    gradient_norm: float
    learning_rate: float


class Listener:
    """Watches a training; each method does nothing unless a subclass says otherwise."""

    def on_start(self, step: int, total_steps: int) -> None:
        """Training begins, or goes on, after `step` updates."""

    def on_step(self, report: StepReport) -> None:
        """An update was made."""

    def on_log(self, record: Mapping[str, Any]) -> None:
        """A record was written to metrics.jsonl."""

    def on_validation(self, record: Mapping[str, Any], *, best: bool) -> None:
        """A validation was made; `best` tells whether none was better so far."""

    def on_end(self) -> None:
        """Training ended, for whatever cause."""


class TensorBoardListener(Listener):
    """Writes what metrics.jsonl gets as TensorBoard events too."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: Any = None

    @staticmethod
    def available() -> bool:
        """Whether TensorBoard is installed."""
        from importlib.util import find_spec

        return find_spec("tensorboard") is not None

    def on_start(self, step: int, total_steps: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        # Events after the checkpoint that a run goes on from are hidden by it.
        self._writer = SummaryWriter(str(self._folder), purge_step=step + 1)

    def on_log(self, record: Mapping[str, Any]) -> None:
        for name, value in record.items():
            if isinstance(value, float):
                self._writer.add_scalar(f"{record['kind']}/{name}", value, record["step"])

    def on_end(self) -> None:
        self._writer.close()
