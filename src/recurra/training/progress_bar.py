"""The progress bar: rate, remaining time, loss, perplexity, gradient norm."""

import math
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from recurra.metrics.names import metric_name
from recurra.training.listeners import Listener, StepReport


class ProgressBar(Listener):
    """A rich progress bar; if the output is not a terminal, one line per validation instead."""

    def __init__(self, console: Console, unit: str, *, perplexity: bool = True) -> None:
        self._console, self._perplexity = console, perplexity
        self._unit = unit
        self._loss: float | None = None
        self._tokens_before = 0
        self._progress = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=20),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
            console=console,
            transient=True,
            disable=not (console.is_terminal or _draws_in_notebook(console)),
        )
        self._task: TaskID | None = None

    def on_start(self, step: int, total_steps: int) -> None:
        self._task = self._progress.add_task(
            "training", total=total_steps, completed=step, epoch=1, rate="", figures=""
        )
        self._progress.start()

    def on_step(self, report: StepReport) -> None:
        if self._task is None:
            return
        task = self._progress.tasks[0]
        seen = report.tokens - self._tokens_before
        if not self._tokens_before:
            self._tokens_before = report.tokens
        seconds = task.elapsed or 0.0
        rate = f"{seen / seconds:,.0f} {self._unit}s/s" if seconds > 0.5 and seen else ""
        self._progress.update(
            self._task,
            completed=report.step,
            epoch=report.epoch + 1,
            rate=rate,
            figures=self._figures(report),
        )

    def _figures(self, report: StepReport) -> str:
        """Return the smoothed loss, perplexity and gradient norm, as far as available."""
        shown = []
        if report.loss is not None:
            loss = report.loss if self._loss is None else 0.95 * self._loss + 0.05 * report.loss
            self._loss = loss
            shown.append(f"loss {loss:.3f}")
            if self._perplexity:
                shown.append(f"perplexity {math.exp(min(loss, 50)):,.2f}")
        if report.gradient_norm is not None:
            shown.append(f"gradient {report.gradient_norm:.2f}")
        return "  ".join(shown)

    def on_validation(self, record: Mapping[str, Any], *, best: bool) -> None:
        figures = "  ".join(
            f"{metric_name(name)} {value:,.4g}"
            for name, value in record.items()
            if isinstance(value, float) and name not in ("elapsed_s", "loss")
        )
        mark = "  (best)" if best else ""
        self._console.print(
            f"epoch {record['epoch']}  step {record['step']}  validation loss "
            f"{record.get('loss', math.inf):.4f}  {figures}{mark}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )

    def on_end(self) -> None:
        self._progress.stop()


def progress_bars(progress: bool | None, unit: str, *, perplexity: bool = True) -> list[Listener]:
    """Return the progress bar of a training started in Python: if `progress`; if None, only in a notebook.

    In a notebook the bar itself needs the package ipywidgets; without it there is one line per validation.
    """
    if progress is False:
        return []
    console = Console(stderr=True)
    if progress is None and not console.is_jupyter:
        return []
    return [ProgressBar(console, unit, perplexity=perplexity)]


def _draws_in_notebook(console: Console) -> bool:
    return console.is_jupyter and find_spec("ipywidgets") is not None
