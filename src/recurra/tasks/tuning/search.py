"""The search: trials one after another, each trained by the driver; then the best model and its test figures.

OUT/ tune.toml     the options, the space and the fingerprints of the data
     study.db      see recurra.tasks.tuning.study
     trial-N/      the run of trial N, or one run per fold and seed
     best/         the run of the best trial
     trials.csv, tune.png, report.html
"""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.config import TaskConfig
from recurra.config.search import Pruner
from recurra.errors import (
    ConfigError,
    Interrupted,
    OutOfMemoryError,
    RunError,
    TrainingDiverged,
    VocabularyError,
)
from recurra.plain import json_line
from recurra.runs import RunFolder
from recurra.tasks import driver, opening
from recurra.tasks.driver import TrainingResult
from recurra.tasks.repeats import check_selection
from recurra.tasks.task import Task
from recurra.tasks.tuning.folder import SearchFolder
from recurra.tasks.tuning.plan import Plan
from recurra.tasks.tuning.study import Study, seconds_of, state_of
from recurra.training import Listener, Trainer
from recurra.training.selection import LOSS, SCORE

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial, Trial


class Watcher:
    """Observes a search; each method does nothing unless a subclass overrides it."""

    def on_trial(self, number: int, values: Mapping[str, Any]) -> None:
        """A trial starts, or is resumed, with these values of the searched options."""

    def listeners(self) -> Sequence[Listener]:
        """Return the listeners of the next training."""
        return ()

    def on_trial_end(self, row: Mapping[str, Any], best: int | None, left: str) -> None:
        """A trial ended; `best` is the number of the best one, `left` the remaining time."""

    def on_best(self, number: int) -> None:
        """The best model is evaluated, and with folds trained before."""


class _Pruned(Exception):
    """The trial is no better than others at the same validation."""


@dataclass
class _Pruning(Listener):
    """Reports the criterion of each validation, and stops a trial that is to be pruned."""

    report: Callable[[float, int], bool]
    trainer: Trainer | None = field(default=None)

    def on_validation(self, record: Mapping[str, Any], *, best: bool) -> None:
        assert self.trainer is not None, "it is known before the first update"
        place = self.trainer.place
        worse = self.report(place.validations[-1], len(place.validations))
        if worse and place.step < self.trainer.total_steps:
            raise _Pruned


class Search:
    """One search in one folder; `run` starts it, or goes on with it."""

    def __init__(self, task: Task, plan: Plan, folder: SearchFolder, pruner: Pruner, *, keep: bool) -> None:
        self.task, self.plan, self.folder, self._keep = task, plan, folder, keep
        self.study = Study(folder.path, plan.space, getattr(plan.base, "seed", 1), pruner)

    def run(self, trials: int, minutes: float | None, watcher: Watcher) -> TrainingResult:
        """Run trials until there are `trials`, or they took `minutes`; return the result of the best model.

        Raises: Interrupted if it was stopped; RunError if no trial is complete; as `driver.train`.
        """
        self._tidy()
        while True:
            done = self.study.trials
            running = any(state_of(trial) == "stopped" for trial in done)
            spent = minutes is not None and seconds_of(done) >= 60 * minutes
            if not running and (len(done) >= trials or spent):
                break
            with _stoppable(f"stopped in trial {len(done) - running}"):
                self._trial(watcher)
            self._tidy()
            done, best = self.study.trials, self.study.best
            left = _left(len(done), trials, seconds_of(done), minutes)
            watcher.on_trial_end(self.row(done[-1]), None if best is None else best.number, left)
        best = self.study.best
        if best is None:
            reasons = [str(trial.user_attrs.get("reason", state_of(trial))) for trial in self.study.trials]
            raise RunError(
                f"{self.folder.path}: no trial is complete: {reasons[0] if reasons else 'none ran'}"
            )
        watcher.on_best(best.number)
        with _stoppable(f"stopped at the best model, of trial {best.number}"):
            return self._best(best, watcher)

    def rows(self) -> list[dict[str, Any]]:
        """Return one flat row per trial, best first, then those without a criterion by number."""
        found = [self.row(trial) for trial in self.study.trials]
        return sorted(found, key=lambda row: (row["criterion"] is None, row["criterion"] or 0.0))

    def row(self, trial: "FrozenTrial") -> dict[str, Any]:
        """Return a trial as a flat row of plain values; options that did not apply are None."""
        facts = trial.user_attrs
        state = state_of(trial)
        return {
            "trial": trial.number,
            "state": state if "same_as" not in facts else f"{state}, as trial {facts['same_as']}",
            "criterion": trial.value if state == "complete" else None,
            **facts.get("figures", {}),
            "seconds": round(float(facts.get("seconds", 0.0)), 2),
            **{name: facts.get("values", {}).get(name) for name in self.plan.space},
            "reason": facts.get("reason"),
        }

    def _trial(self, watcher: Watcher) -> None:
        """Run the next trial to its end."""
        first = self.plan.defaults() if self.plan.has_defaults() else None
        trial = self.study.next(first)
        values = self.study.values_of(trial)
        try:
            config = self.plan.trial(values)
        except ConfigError as error:
            if trial.number == 0 and first is not None:
                raise
            watcher.on_trial(trial.number, values)
            self.study.note(trial, values=values, reason=str(error))
            self.study.end(trial, "failed")
            return
        used = self.plan.used(config)
        watcher.on_trial(trial.number, used)
        content = json_line(config.resolved().model_dump())
        self.study.note(trial, values=used, content=content)
        before = self._same(trial.number, content)
        if before is None:
            self._trained(trial, config, watcher)
            return
        facts = {"figures": before.user_attrs.get("figures", {}), "reason": before.user_attrs.get("reason")}
        self.study.note(trial, same_as=before.number, **facts)
        self.study.end(trial, state_of(before), before.value if state_of(before) == "complete" else None)

    def _same(self, number: int, content: str) -> "FrozenTrial | None":
        """Return the first trial with the same configuration."""
        same = (one for one in self.study.trials[:number] if one.user_attrs.get("content") == content)
        return next(same, None)

    def _value(self, config: TaskConfig, result: TrainingResult) -> float:
        """Return the value by which trials are compared; lower is better.

        It is the one that selected the best checkpoint or, with folds, the same measure on the fold's rows if
        these have it.
        """
        of_fold = self.task.criterion(config, result.figures) if self.plan.has_folds else None
        return result.outcome.best if of_fold is None else of_fold

    def _figures(self, result: TrainingResult) -> dict[str, float]:
        """Return the main figures of a model, and the metric that selected its best checkpoint."""
        selected = result.outcome.selected
        if selected is None or selected.by in (SCORE, LOSS) or self.plan.has_folds:
            return result.figures.main()
        return result.figures.main() | dict(selected.figures)

    def _trained(self, trial: "Trial", config: TaskConfig, watcher: Watcher) -> None:
        """Train the models of a trial and end it."""
        began, parts, values = time.monotonic(), config.parts(), []
        before = float(trial.user_attrs.get("seconds", 0.0))
        figures: dict[str, list[float]] = {}

        def took() -> float:
            return before + time.monotonic() - began

        try:
            if trial.number == 0:
                check_selection(self.task, parts)
            for step, (name, part) in enumerate(parts.items(), start=1):
                result = self._model(trial, name, part, watcher, alone=len(parts) == 1)
                values.append(self._value(part, result))
                for figure, value in self._figures(result).items():
                    figures.setdefault(figure, []).append(value)
                mean = sum(values) / len(values)
                if 1 < len(parts) != step and self.study.report(trial, mean, step):
                    raise _Pruned
        except _Pruned:
            self.study.note(trial, seconds=took())
            self.study.end(trial, "pruned")
        except (TrainingDiverged, OutOfMemoryError, ConfigError, VocabularyError) as error:
            own = isinstance(error, TrainingDiverged | OutOfMemoryError)
            if trial.number == 0 and not own:  # it concerns every trial
                raise
            # The rest of the message is about the run of the trial, which is removed.
            reason = str(error).split("; ")[0] if own else str(error)
            self.study.note(trial, seconds=took(), reason=reason)
            self.study.end(trial, "failed")
        except BaseException:
            self.study.note(trial, seconds=took())
            raise
        else:
            means = {name: sum(each) / len(each) for name, each in figures.items()}
            self.study.note(trial, seconds=took(), figures=means)
            nan = mean != mean
            self.study.end(trial, "failed" if nan else "complete", None if nan else mean)

    def _model(
        self, trial: "Trial", name: str, config: TaskConfig, watcher: Watcher, *, alone: bool
    ) -> TrainingResult:
        """Train one model of a trial, or go on with it; a single model of a trial may be pruned."""
        pruning = _Pruning(lambda value, step: alone and self.study.report(trial, value, step))

        def ready(trainer: Trainer, corpus: Any) -> None:
            pruning.trainer = trainer
            self.folder.check_data(name, corpus.facts())

        listeners = [*watcher.listeners(), pruning]
        run = self.folder.trial(trial.number) / name
        test = self.plan.has_folds  # the rows of the fold
        if os.path.exists(run / "run.toml"):
            return driver.resume(run, listeners=listeners, on_ready=ready, test=test)
        return driver.train(self.task, config, run, listeners=listeners, on_ready=ready, test=test)

    def _best(self, best: "FrozenTrial", watcher: Watcher) -> TrainingResult:
        """Make the run of the best trial OUT/best, and evaluate it on the test data."""
        run, target = self._best_run(best), self.folder.best
        config = self.plan.best(best.user_attrs["values"])
        if run is not None:  # evaluated before it is moved, so that OUT/best is always whole
            _refuse_changed(target)
            result = driver.resume(run)
            _remove_run(target)
            if self._keep:
                RunFolder.open(run).copy_to(target)
            else:
                os.rename(run, target)
                _remove_runs(self.folder.trial(best.number))
            return TrainingResult(
                target, result.outcome, result.validation, result.test, result.is_main_process
            )
        if self.plan.has_folds:
            there = os.path.exists(target / "run.toml")
            if there and not opening.holds_same(RunFolder.open(target), config):
                _remove_run(target)
            if not os.path.exists(target / "run.toml"):
                return driver.train(self.task, config, target, listeners=watcher.listeners())
        _refuse_changed(target)
        return driver.resume(target, listeners=watcher.listeners())

    def _best_run(self, best: "FrozenTrial") -> Path | None:
        """Return the run of the best trial if it is not OUT/best yet; of several seeds the first one."""
        if self.plan.has_folds:
            return None
        part = next(iter(self.plan.trial(best.user_attrs["values"]).parts()))
        run = self.folder.trial(best.number) / part
        return run if os.path.exists(run / "run.toml") else None

    def _tidy(self) -> None:
        """Remove the runs of all ended trials but the best, unless they are kept."""
        if self._keep:
            return
        best = self.study.best
        for trial in self.study.trials:
            needed = best is not None and trial.number == best.number and not self.plan.has_folds
            folder = self.folder.trial(trial.number)
            if state_of(trial) != "stopped" and not needed and folder.is_dir():
                _remove_runs(folder)


def _remove_runs(folder: Path) -> None:
    """Remove the run of a trial, or those of its folds and seeds."""
    for run in [folder, *(sorted(folder.iterdir()) if folder.is_dir() else ())]:
        _remove_run(run)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _remove_run(run: Path) -> None:
    if os.path.exists(run / "run.toml"):
        RunFolder(run).remove()


def _left(done: int, trials: int, seconds: float, minutes: float | None) -> str:
    """Return the remaining time of a search, for a progress bar."""
    left = seconds / max(1, done) * (trials - done)
    if minutes is not None:
        left = min(left, max(0.0, 60 * minutes - seconds))
    return f"{left:,.0f} s" if left < 120 else f"{left / 60:,.0f} min"


@contextmanager
def _stoppable(where: str) -> Iterator[None]:
    """Say how to go on if the search is stopped. Raises: Interrupted."""
    try:
        yield
    except Interrupted as stop:
        raise Interrupted(f"{where}, saved; continue with the same command", stop.signal_number) from stop
    except KeyboardInterrupt as stop:
        raise Interrupted(f"{where}; continue with the same command", signal.SIGINT) from stop


def _refuse_changed(best: Path) -> None:
    """Refuse a best run that was trained further after the search: it is no longer that of the trial.

    Raises: RunError.
    """
    if os.path.exists(best / "run.toml") and RunFolder.open(best).read_settings().get("continued"):
        raise RunError(
            f"{best}: was trained further after the search, so its figures are not those of the trial; "
            "search into another folder."
        )
