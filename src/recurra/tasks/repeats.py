"""Several trainings as one: a model for each fold of cross-validation, or for each of several seeds."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from recurra.config import TaskConfig
from recurra.errors import Interrupted, RunError
from recurra.files import write_text
from recurra.plain import json_text
from recurra.runs import RunFolder
from recurra.tasks import driver
from recurra.tasks.driver import OnReady, Result
from recurra.tasks.task import Task
from recurra.training import Listener

SUMMARY = "summary.json"


@dataclass(frozen=True)
class Spread:
    """A figure of several runs: their mean and standard deviation (over n - 1; 0 for one run)."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean."""
        return statistics.fmean(self.values)

    @property
    def deviation(self) -> float:
        """The standard deviation."""
        return statistics.stdev(self.values) if len(self.values) > 1 else 0.0


@dataclass(frozen=True)
class Repeats:
    """Several finished runs and the spread of their figures, on the part tested on or else held out."""

    task: Task
    results: tuple[Result, ...]

    @property
    def part(self) -> str:
        """Which part the figures are of."""
        return "validation" if self.results[0].test is None else "test"

    @property
    def figures(self) -> dict[str, Spread]:
        """Each figure that counts."""
        of_runs = [result.figures.main() for result in self.results]
        return {name: Spread(tuple(run[name] for run in of_runs)) for name in of_runs[0]}

    def sentence(self) -> str:
        """For people."""
        shown = self.task.shown
        parts = [
            f"{name.replace('_', ' ')} {shown(name, spread.mean)} ± {shown(name, spread.deviation)}"
            for name, spread in self.figures.items()
        ]
        return f"{self.part}, mean ± deviation of {len(self.results)} runs: " + ", ".join(parts)

    def to_dict(self) -> dict[str, object]:
        """As plain values, for summary.json."""
        return {
            "part": self.part,
            "runs": [str(result.run.name) for result in self.results],
            "figures": {
                name: {"mean": spread.mean, "deviation": spread.deviation, "values": spread.values}
                for name, spread in self.figures.items()
            },
        }


def train_repeatedly(
    task: Task,
    config: TaskConfig,
    out: Path,
    *,
    overwrite: bool = False,
    listeners: Callable[[], Sequence[Listener]] = tuple,
    on_part: Callable[[str, Result], None] | None = None,
    on_ready: OnReady | None = None,
) -> Repeats:
    """Train one model after the other into folders in `out`; those that are there go on, or are done.

    `on_ready` is called before the first of them, `on_part` after each. Writes `summary.json`.

    Raises: RunError if a folder holds a run that was asked otherwise; as `driver.train`.
    """
    if (out / "run.toml").exists():
        raise RunError(f"{out}: holds a single run, and several are to be written; choose another folder.")
    results = []
    for name, part in config.parts().items():
        folder, watchers = out / name, listeners()
        try:
            if (folder / "run.toml").exists() and not overwrite:
                _check_same(folder, part)
                result = driver.resume(folder, listeners=watchers)
            else:
                result = driver.train(
                    task, part, folder, overwrite=overwrite, listeners=watchers, on_ready=on_ready
                )
        except Interrupted as stop:
            again = "the same command without --overwrite" if overwrite else "the same command"
            raise Interrupted(
                f"stopped in {folder}, and saved; go on with it and the others by {again}", stop.signal_number
            ) from stop
        on_ready = None
        results.append(result)
        if on_part is not None:
            on_part(name, result)
    repeats = Repeats(task, tuple(results))
    if results[0].is_main_process:
        write_text(out / SUMMARY, json_text(repeats.to_dict()) + "\n")
    return repeats


def _check_same(folder: Path, asked: TaskConfig) -> None:
    """Refuse to go on with a run that was asked otherwise. Raises: RunError."""
    task, found = driver.task_and_config(RunFolder.open(folder))
    expected = asked.resolved().with_absolute_paths()
    same = {name: getattr(found, name) for name in task.settled}
    if found.with_absolute_paths() != expected.model_copy(update=same):
        raise RunError(f"{folder}: holds a run with other options; name another folder, or give --overwrite.")
