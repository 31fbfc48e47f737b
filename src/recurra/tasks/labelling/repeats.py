"""Several trainings as one: a model for each fold of cross-validation, or for each of several seeds."""

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from recurra.errors import RunError
from recurra.files import write_text
from recurra.runs import RunFolder
from recurra.tasks.labelling import training
from recurra.tasks.labelling.config import LabellingConfig
from recurra.tasks.labelling.training import LabellingResult, OnReady
from recurra.training import Listener


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
    """Several finished runs and the spread of their figures, on the rows tested on or else held out."""

    results: tuple[LabellingResult, ...]

    @property
    def part(self) -> str:
        """Which rows the figures are of."""
        return "validation" if self.results[0].test is None else "test"

    @property
    def figures(self) -> dict[str, Spread]:
        """Each figure that counts."""
        of_runs = [(result.test or result.validation).main() for result in self.results]
        return {name: Spread(tuple(run[name] for run in of_runs)) for name in of_runs[0]}

    def sentence(self) -> str:
        """For people."""
        parts = [
            f"{name.replace('_', ' ')} {spread.mean:.2%} ± {spread.deviation:.2%}"
            for name, spread in self.figures.items()
        ]
        return f"{self.part}, mean ± deviation of {len(self.results)} runs: " + ", ".join(parts)


def is_repeated(config: LabellingConfig) -> bool:
    """Whether a configuration asks for several trainings."""
    return config.seeds > 1 or (config.folds is not None and config.fold is None)


def parts_of(config: LabellingConfig) -> dict[str, LabellingConfig]:
    """The configuration of each training by the name of its folder."""
    folds = [config.fold] if config.folds is None or config.fold is not None else range(1, config.folds + 1)
    found = {}
    for fold in folds:
        for seed in range(config.seed, config.seed + config.seeds):
            names = [f"fold-{fold}"] if config.folds is not None and config.fold is None else []
            names += [f"seed-{seed}"] if config.seeds > 1 else []
            found["-".join(names)] = config.model_copy(update={"fold": fold, "seed": seed, "seeds": 1})
    return found


def train_repeatedly(
    task: str,
    config: LabellingConfig,
    out: Path,
    *,
    overwrite: bool = False,
    listeners: Callable[[], Sequence[Listener]] = tuple,
    on_part: Callable[[str, LabellingResult], None] | None = None,
    on_ready: OnReady | None = None,
) -> Repeats:
    """Train one model after the other into folders in `out`; those that are there go on, or are done.

    `on_ready` is called before the first of them, `on_part` after each. Writes `summary.json`.

    Raises: RunError if a folder holds a run that was asked otherwise; as `train`.
    """
    results = []
    for name, part in parts_of(config).items():
        folder = out / name
        if (folder / "run.toml").exists() and not overwrite:
            result = _go_on(folder, part, listeners())
        else:
            watchers = listeners()
            result = training.train(
                task, part, folder, overwrite=overwrite, listeners=watchers, on_ready=on_ready
            )
        on_ready = None
        results.append(result)
        if on_part is not None:
            on_part(name, result)
    repeats = Repeats(tuple(results))
    if repeats.results[0].is_main_process:
        write_text(out / "summary.json", json.dumps(_summary(repeats), indent=1) + "\n")
    return repeats


def _go_on(folder: Path, part: LabellingConfig, listeners: Sequence[Listener]) -> LabellingResult:
    _, found = training.config_of(RunFolder(folder))
    same = {"word_size": found.word_size}  # that of a file of vectors
    if found != part.model_copy(update=same):
        raise RunError(f"{folder}: holds a run with other options; name another folder, or give --overwrite.")
    return training.resume(folder, listeners=listeners)


def _summary(repeats: Repeats) -> dict[str, object]:
    return {
        "part": repeats.part,
        "runs": [str(result.run.name) for result in repeats.results],
        "figures": {
            name: {"mean": spread.mean, "deviation": spread.deviation, "values": spread.values}
            for name, spread in repeats.figures.items()
        },
    }
