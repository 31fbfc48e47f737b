"""Repeated training: one model per fold of cross-validation, or one per random seed."""

import os
import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recurra.config import TaskConfig
from recurra.errors import Interrupted, RunError
from recurra.files import write_text
from recurra.metrics.names import metric_name, metric_value
from recurra.metrics.spread import Spread
from recurra.plain import json_text
from recurra.runs import RunFolder
from recurra.tasks import driver
from recurra.tasks.driver import OnReady, Result
from recurra.tasks.task import Task
from recurra.training import Listener, Trainer

SUMMARY = "summary.json"
OF_REPEATS = re.compile(r"(fold-\d+)?-?(seed-\d+)?")  # folder names made by TaskConfig.parts


@dataclass(frozen=True)
class Repeats:
    """Several finished runs and the spread of their figures, on the test set or else the validation set."""

    task: Task
    results: tuple[Result, ...]

    @property
    def part(self) -> str:
        """The part of the data that the figures describe."""
        return "validation" if self.results[0].test is None else "test"

    @property
    def figures(self) -> dict[str, Spread]:
        """The main figures by name, with their spread over the runs."""
        of_runs = [result.figures.main() for result in self.results]
        return {name: Spread(tuple(run[name] for run in of_runs)) for name in of_runs[0]}

    def sentence(self) -> str:
        """The mean and the standard deviation of each figure, as one sentence."""
        parts = [
            f"{metric_name(name)} {metric_value(name, spread.mean)} ± {metric_value(name, spread.deviation)}"
            for name, spread in self.figures.items()
        ]
        return f"{self.part}, mean ± standard deviation of {len(self.results)} runs: " + ", ".join(parts)

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
    """Train the models one by one into folders in `out`; existing runs are resumed, or kept if done.

    `on_ready` is called before the first one, `on_part` after each. Writes `summary.json`. With `overwrite`
    all models are trained again, and other folders of earlier repeats are removed.

    Raises: RunError if a folder holds a run with other options or data; as `driver.train`.
    """
    if os.path.exists(out / "run.toml"):
        raise RunError(
            f"{out}: holds a single run, but several runs are to be written; choose another folder."
        )

    def begun(trainer: Trainer, corpus: Any) -> None:
        if overwrite:
            (out / SUMMARY).unlink(missing_ok=True)  # it describes earlier runs
        if on_ready is not None:
            on_ready(trainer, corpus)

    parts, results = config.parts(), []
    try:
        for name, result in train_each(task, parts, out, overwrite, listeners, begun):
            results.append(result)
            if on_part is not None:
                on_part(name, result)
    except Interrupted as stop:
        folder = out / list(parts)[len(results)]
        again = "the same command without --overwrite" if overwrite else "the same command"
        raise Interrupted(
            f"stopped in {folder}, checkpoint saved; continue it and the remaining runs with {again}",
            stop.signal_number,
        ) from stop
    repeats = Repeats(task, tuple(results))
    if results[0].is_main_process:
        for folder in _left_over(out, parts) if overwrite else ():
            RunFolder(folder).remove()
        write_text(out / SUMMARY, json_text(repeats.to_dict()) + "\n")
    return repeats


def train_each(
    task: Task,
    configs: Mapping[str, TaskConfig],
    out: Path,
    overwrite: bool = False,
    listeners: Callable[[], Sequence[Listener]] = tuple,
    on_ready: OnReady | None = None,
) -> Iterator[tuple[str, Result]]:
    """Train one model per configuration into the folder of its name in `out`.

    Without `overwrite`, existing runs are resumed, or kept if done. `on_ready` is called once.

    Raises: RunError, before any work, if a folder holds a run with other options or data; as
    `driver.train`.
    """
    there = {name for name in configs if os.path.exists(out / name / "run.toml") and not overwrite}
    for name in there:
        _check_same(out / name, configs[name])
    for name, config in configs.items():
        if name in there:
            yield name, driver.resume(out / name, listeners=listeners())
        else:
            yield (
                name,
                driver.train(
                    task, config, out / name, overwrite=overwrite, listeners=listeners(), on_ready=on_ready
                ),
            )
            on_ready = None


def _left_over(out: Path, parts: Container[str]) -> list[Path]:
    """Return the run folders of earlier repeats that are not among `parts`."""
    return [
        file.parent
        for file in out.glob("*/run.toml")
        if OF_REPEATS.fullmatch(file.parent.name) and file.parent.name not in parts
    ]


def _check_same(folder: Path, asked: TaskConfig) -> None:
    """Check that a run to resume has the same options and data. Raises: RunError."""
    task, found = driver.task_and_config(RunFolder.open(folder))
    expected = asked.resolved().with_absolute_paths()
    same = {name: getattr(found, name) for name in task.settled}
    if found.with_absolute_paths() != expected.model_copy(update=same):
        raise RunError(f"{folder}: holds a run with other options or data; choose another output folder.")
