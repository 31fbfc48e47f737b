"""Repeated training: one model per fold of cross-validation, or one per random seed."""

import math
import os
import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from recurra.arguments import checks_arguments
from recurra.config import TaskConfig
from recurra.errors import ConfigError, Interrupted, RunError
from recurra.files import write_text
from recurra.metrics.names import metric_name, metric_value
from recurra.metrics.spread import Spread
from recurra.plain import counted, json_text, listed, quoted
from recurra.results import Result
from recurra.runs import RunFolder
from recurra.tasks import driver, opening
from recurra.tasks.driver import OnReady
from recurra.tasks.task import Figures, Task
from recurra.training import Listener, Trainer
from recurra.training.selection import LOSS, SCORE

ModelT = TypeVar("ModelT")
SUMMARY = "summary.json"
OF_REPEATS = re.compile(r"(fold-\d+)?-?(seed-\d+)?")  # folder names made by TaskConfig.parts


@dataclass(frozen=True, repr=False)
class Repeats(Result, Generic[ModelT]):
    """Several finished runs: the spread of their figures, the figures of all their predictions, the models.

    The figures are those on the test set, or on the validation set if there is none. `repeats[0]` or, by
    its name, `repeats["fold-1"]` is the model of one run.
    """

    task: Task
    config: TaskConfig
    out: Path
    results: tuple[driver.TrainingResult, ...]

    @property
    def part(self) -> str:
        """The part of the data that the figures describe."""
        return "validation" if self.results[0].test is None else "test"

    @property
    def runs(self) -> list[Path]:
        """The folders of the runs."""
        return [result.run for result in self.results]

    @property
    def figures(self) -> dict[str, Spread]:
        """The figures that all runs have, by name, with their spread over the runs; the main ones first."""
        of_runs = [_numbers(result.figures) for result in self.results]
        names = [name for name in of_runs[0] if all(name in run for run in of_runs)]
        return {name: Spread(tuple(run[name] for run in of_runs)) for name in names}

    @property
    def pooled(self) -> Any:
        """The figures over the predictions of all runs together; None if the task has none.

        With folds, each row is predicted once per seed, by a model that was not trained on it.
        """
        figures = [result.figures for result in self.results]
        pool = getattr(figures[0], "pooled", None)
        return None if pool is None else pool(figures)

    def pooled_from(self) -> str:
        """Describe the predictions that `pooled` counts."""
        folds, fold = getattr(self.config, "folds", None), getattr(self.config, "fold", None)
        seeds = self.config.seeds
        times = "once" if seeds == 1 else f"{seeds} times"
        if folds is None or fold is not None:
            return f"predictions of {counted(seeds, 'seed')}: each {self.part} row is predicted {times}"
        of_seeds = f" with {counted(seeds, 'seed')}" if seeds > 1 else ""
        return (
            f"predictions of {folds} folds{of_seeds}: each row is predicted {times}, by a model that was not "
            "trained on it"
        )

    def models(self) -> list[ModelT]:
        """Load the models of all runs."""
        return [self[index] for index in range(len(self))]

    def __len__(self) -> int:
        return len(self.results)

    @checks_arguments
    def __getitem__(self, run: int | str) -> ModelT:
        """Load the model of a run, by its index or its name.

        Raises: IndexError for an index out of range; ConfigError for an unknown name.
        """
        names = [path.name for path in self.runs]
        if isinstance(run, str):
            if run not in names:
                raise ConfigError(f"run: got {quoted(run)}, expected one of {listed(names)}.")
            run = names.index(run)
        found: Any = self.task.model.load(self.runs[run])
        return cast(ModelT, found)

    def told(self) -> str:
        """The folder, the number of runs, and the spread of the main figures."""
        return f"{str(self.out)!r}, {len(self)} runs, {self.part}: {self._spread()}"

    def sentence(self) -> str:
        """The mean and the standard deviation of each main figure, as one sentence."""
        return f"{self.part}, mean ± standard deviation of {len(self)} runs: {self._spread()}"

    def _spread(self) -> str:
        figures = self.figures
        return ", ".join(
            f"{metric_name(name)} {metric_value(name, figures[name].mean)} ± "
            f"{metric_value(name, figures[name].deviation)}"
            for name in self.results[0].figures.main()
            if name in figures
        )

    def lines(self) -> list[str]:
        """The sentence, and the figures over the predictions of all runs together, as lines of text."""
        pooled = self.pooled
        if pooled is None:
            return [self.sentence()]
        lines = pooled.lines() if hasattr(pooled, "lines") else [pooled.sentence()]
        return [self.sentence(), "", f"pooled {self.pooled_from()}", *lines]

    def to_rows(self, of: str | None = None) -> list[dict[str, Any]]:
        """One row per run: its name, fold, seed, steps and figures."""
        self._refuse(of)
        found = []
        for config, result in zip(self.config.parts().values(), self.results, strict=True):
            fold, outcome = getattr(config, "fold", None), result.outcome
            row: dict[str, Any] = {"run": result.run.name} | ({} if fold is None else {"fold": fold})
            row |= {"seed": config.seed, "part": self.part, "steps": outcome.steps, "epochs": outcome.epochs}
            found.append(row | {"best_step": outcome.best_step} | _numbers(result.figures))
        return found

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for summary.json."""
        pooled = self.pooled
        return {
            "part": self.part,
            "runs": [result.run.name for result in self.results],
            "figures": {
                name: {"mean": spread.mean, "deviation": spread.deviation, "values": spread.values}
                for name, spread in self.figures.items()
            },
            "pooled": None if pooled is None else {"of": self.pooled_from(), **pooled.to_dict()},
        }


def _numbers(figures: Figures) -> dict[str, float]:
    """Return the main figures, then the other ones that are finite numbers."""
    others = {
        name: float(value)
        for name, value in figures.to_dict().items()
        if isinstance(value, float) and math.isfinite(value)
    }
    return figures.main() | others


def train_repeatedly(
    task: Task,
    config: TaskConfig,
    out: Path,
    *,
    overwrite: bool = False,
    listeners: Callable[[], Sequence[Listener]] = tuple,
    on_part: Callable[[str, driver.TrainingResult], None] | None = None,
    on_ready: OnReady | None = None,
) -> Repeats[Any]:
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
    check_selection(task, parts)
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
    repeats: Repeats[Any] = Repeats(task, config, out, tuple(results))
    if results[0].is_main_process:
        for folder in _left_over(out, parts) if overwrite else ():
            RunFolder(folder).remove()
        write_text(out / SUMMARY, json_text(repeats.to_dict()) + "\n")
    return repeats


def check_selection(task: Task, parts: Mapping[str, TaskConfig]) -> None:
    """Refuse a metric of `keep_best` that the data of some fold cannot give, before any fold is trained.

    Raises: ConfigError naming the first such fold.
    """
    of_folds = {getattr(config, "fold", None): name for name, config in parts.items()}
    for name in of_folds.values() if len(of_folds) > 1 else ():
        config = parts[name].resolved()
        if getattr(config, "keep_best", SCORE) in (SCORE, LOSS):
            return
        try:
            task.selection(config, task.read(config))
        except ConfigError as error:
            raise ConfigError(f"{name}: {error}") from error


def train_each(
    task: Task,
    configs: Mapping[str, TaskConfig],
    out: Path,
    overwrite: bool = False,
    listeners: Callable[[], Sequence[Listener]] = tuple,
    on_ready: OnReady | None = None,
) -> Iterator[tuple[str, driver.TrainingResult]]:
    """Train one model per configuration into the folder of its name in `out`.

    Without `overwrite`, existing runs are resumed, or kept if done. `on_ready` is called once.

    Raises: RunError, before any work, if a folder holds a run with other options or data; as
    `driver.train`.
    """
    there = {name for name in configs if os.path.exists(out / name / "run.toml") and not overwrite}
    for name in there:
        if not opening.holds_same(RunFolder.open(out / name), configs[name]):
            raise RunError(
                f"{out / name}: holds a run with other options or data; choose another output folder."
            )
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
