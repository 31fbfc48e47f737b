"""Search over the options of any task: `recurra tune` and `recurra.tune`."""

import os
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

from recurra.arguments import AtLeastOne, Range, checks_arguments
from recurra.config.search import TRIALS, Pruner
from recurra.errors import ConfigError
from recurra.tasks import registry
from recurra.tasks.data_in_memory import DataInMemory
from recurra.tasks.model import Model
from recurra.tasks.tuning.folder import SearchFolder
from recurra.tasks.tuning.plan import Given, Plan
from recurra.tasks.tuning.result import TuningResult
from recurra.tasks.tuning.search import Search, Watcher
from recurra.tasks.tuning.study import optuna_module

__all__ = ["Given", "Plan", "TuningResult", "Watcher", "search", "tune"]


@checks_arguments
def tune(
    task: str | type[Model],
    data: Any = None,
    *,
    out: str | Path,
    space: Mapping[str, Any] | str | Path | None = None,
    trials: Annotated[int, Range(1, 100_000)] = TRIALS,
    minutes: float | None = None,
    pruner: Pruner = "median",
    keep_runs: bool = False,
    preset: str | None = None,
    watcher: Watcher | None = None,
    **options: Any,
) -> TuningResult:
    """Search over the options of a task, and return the trials and the best model.

    `task` is the name of a task or its model class. `space` maps names of options to lists of values or to
    tables with low and high, or is a TOML file of these; if not given, it is the task's default space. The
    search runs until there are `trials`, or they took `minutes`; the same call continues a search that was
    stopped. `pruner` stops trials that are worse than others. All other `options` are those of training, and
    the same in all trials; `folds` and `seeds` train several models per trial. `data`, `valid` and `test` may
    be in memory, as in `Model.train`; they are written to files in the folder OUT-rows next to `out`.

    Trials are compared on the validation data. The figures on the test data, `test` or the share
    `test_fraction` of the data (0.1 if neither it nor `valid` is given), are those of the best model only.

    Raises: ConfigError for an option or a space that cannot be used, MissingExtra without
    `recurra[tune]`, RunError if `out` holds anything but the same search, or no trial is complete; as
    training.
    """
    name = task if isinstance(task, str) else getattr(task, "task", None)
    if name is None:
        raise ConfigError(f"task: got {task!r}, expected a name of a task or the model class of one task.")
    if data is not None:
        options["data"] = data
    files = DataInMemory(registry.get(name), Path(out), options)
    given = Given(registry.config_of(name), files.options, preset)
    found = Path(space) if isinstance(space, str) else space
    return search(name, given, found, Path(out), trials, minutes, pruner, keep_runs, watcher, files)


def search(
    name: str,
    given: Given,
    space: Mapping[str, Any] | Path | None,
    out: Path,
    trials: AtLeastOne,
    minutes: float | None,
    pruner: Pruner,
    keep_runs: bool,
    watcher: Watcher | None = None,
    files: DataInMemory | None = None,
) -> TuningResult:
    """Run a search with options that are given as in a training; `files` are to be written. See `tune`."""
    if minutes is not None and not minutes > 0:
        raise ConfigError(f"minutes: got {minutes}, expected a number above 0.")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError("tune: trains in one process; start it without torchrun.")
    optuna_module()
    task, folder = registry.get(name), SearchFolder(out)
    plan = Plan.of(task, given, space, folder.best)
    settings = {"task": name, "pruner": pruner, **plan.settings()}
    with folder.opened(settings), nullcontext() if files is None else files.written():
        run = Search(task, plan, folder, pruner, keep=keep_runs)
        try:
            result = run.run(trials, minutes, watcher or Watcher())
            rows, importance = run.rows(), run.study.importance()
        finally:
            run.study.close()
        searched, defaults = tuple(plan.space), plan.defaults()
        known = plan.has_defaults()
        found = TuningResult(task, folder, rows, result, searched, defaults, known, importance)
        found.best.report()
        found.write(found.sentences())
    return found
