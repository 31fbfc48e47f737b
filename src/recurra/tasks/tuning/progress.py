"""The progress of a search: a bar for each training, and a line for each trial."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from recurra.metrics.names import metrics_told
from recurra.tasks.tuning.search import Watcher
from recurra.training import Listener, StepReport


class _Bar(Listener):
    """The updates of one training."""

    def __init__(self, console: Console, text: str) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._bar = self._progress.add_task(text, total=None)

    def on_start(self, step: int, total_steps: int) -> None:
        self._progress.update(self._bar, total=total_steps, completed=step)
        self._progress.start()

    def on_step(self, report: StepReport) -> None:
        self._progress.update(self._bar, completed=report.step)

    def on_end(self) -> None:
        self._progress.stop()


class SearchProgress(Watcher):
    """Shows the trial, the best one so far and the remaining time; without a terminal only ended trials."""

    def __init__(self, console: Console, trials: int) -> None:
        self._console, self._trials = console, trials
        self._trial, self._best, self._left, self._values = "", "", "", ""

    def on_trial(self, number: int, values: Mapping[str, Any]) -> None:
        self._trial = f"trial {number}, {number + 1} of {self._trials}"
        self._values = "  ".join(f"{name} {value}" for name, value in values.items())

    def listeners(self) -> Sequence[Listener]:
        shown = (self._trial, self._best, f"{self._left} left" if self._left else "")
        return [_Bar(self._console, "  ".join(part for part in shown if part))]

    def on_trial_end(self, row: Mapping[str, Any], best: int | None, left: str) -> None:
        names = list(row)
        figures = names[names.index("criterion") + 1 : names.index("seconds")]
        text = metrics_told({name: row[name] for name in figures})
        is_best, self._left = best == row["trial"], left
        if is_best:
            self._best = f"best: trial {best}, {text}"
        parts = (
            f"trial {row['trial']}: {row['state']}",
            text + "  (best)" * is_best,
            str(row["reason"] or ""),
            self._values,
            f"{row['seconds']:.1f} s",
        )
        line = "  ".join(part for part in parts if part)
        self._console.print(line, highlight=False, soft_wrap=True, markup=False)

    def on_best(self, number: int) -> None:
        self._trial, self._best, self._left = f"best model, of trial {number}", "", ""
