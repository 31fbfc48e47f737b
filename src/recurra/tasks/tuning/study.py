"""The trials of a search in Optuna's study: OUT/study.db, an SQLite file that survives a kill.

Each value is drawn with its own seed, computed from the search's seed, the trial and the option, so a search
that was stopped draws the same values as one that was not.
"""

import hashlib
import sqlite3
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from recurra.config.search import Pruner
from recurra.errors import MissingExtra, RunError, StorageError
from recurra.plain import finite, reason_of
from recurra.tasks.tuning.folder import STUDY
from recurra.tasks.tuning.space import Space

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.trial import FrozenTrial, Trial

_NAME = "search"


def optuna_module() -> ModuleType:
    """Return the module optuna, which searches. Raises: MissingExtra if it is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import optuna
    except ImportError as error:
        raise MissingExtra(
            "tune: needs the package optuna; install it with `pip install 'recurra[tune]'`."
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


class Study:
    """The trials of a search, in a folder."""

    def __init__(self, folder: Path, space: Space, seed: int, pruner: Pruner) -> None:
        self._path, self._space, self._seed, self._pruner = folder / STUDY, space, seed, pruner

    @cached_property
    def _storage(self) -> Any:
        from sqlalchemy.pool import StaticPool

        # The file is opened here: a URL would give some characters of the path a meaning.
        own = {"creator": self._connected, "poolclass": StaticPool}
        return optuna_module().storages.RDBStorage("sqlite://", engine_kwargs=own)

    @cached_property
    def _study(self) -> Any:
        optuna = optuna_module()
        with self._named_faults():
            return optuna.create_study(
                study_name=_NAME,
                storage=self._storage,
                load_if_exists=True,
                direction="minimize",
                pruner=self._made_pruner(optuna),
            )

    def _connected(self) -> sqlite3.Connection:
        """Open the file for this process alone, with a log that survives a kill and needs few syncs."""
        connection = sqlite3.connect(self._path, check_same_thread=False)
        for setting in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=NORMAL"):
            connection.execute(f"PRAGMA {setting}").fetchall()
        return connection

    def close(self) -> None:
        """Close the file."""
        if "_storage" in vars(self):
            self._storage.engine.dispose()

    def _made_pruner(self, optuna: ModuleType) -> "BasePruner":
        match self._pruner:
            case "median":
                found: BasePruner = optuna.pruners.MedianPruner(n_startup_trials=4)
            case "halving":
                found = optuna.pruners.SuccessiveHalvingPruner()
            case "none":
                found = optuna.pruners.NopPruner()
        return found

    @property
    def trials(self) -> list["FrozenTrial"]:
        """All trials that were started, by number."""
        with self._named_faults():
            every = self._study.get_trials(deepcopy=False)
        return [trial for trial in every if trial.state.name != "WAITING"]

    @property
    def best(self) -> "FrozenTrial | None":
        """The trial with the lowest criterion, the first of several; None if no trial is complete."""
        complete = [trial for trial in self.trials if trial.state.name == "COMPLETE"]
        return min(complete, key=lambda trial: (trial.value, trial.number), default=None)

    def next(self, first: Mapping[str, Any] | None) -> "Trial":
        """Return the trial that was stopped, or a new one; `first` are the values of the very first."""
        optuna = optuna_module()
        with self._named_faults():
            for trial in self.trials:
                if trial.state.name == "RUNNING":
                    return optuna.trial.Trial(self._study, trial._trial_id)  # type: ignore[no-any-return]
            if first is not None and not self._study.get_trials(deepcopy=False):
                self._study.enqueue_trial(dict(first))
            return self._study.ask()  # type: ignore[no-any-return]

    def values_of(self, trial: "Trial") -> dict[str, Any]:
        """Return the values of a trial; those that it does not have yet are drawn."""
        sampler, found = optuna_module().samplers.TPESampler, {}
        with self._named_faults():
            for name, values in self._space.items():
                text = f"{self._seed} {trial.number} {name}".encode()
                seed = int.from_bytes(hashlib.sha256(text).digest()[:4])
                self._study.sampler = sampler(seed=seed)
                found[name] = values.suggest(trial, name)
        return found

    def report(self, trial: "Trial", value: float, step: int) -> bool:
        """Report a value of a running trial; return whether the trial is to be pruned."""
        with self._named_faults():
            frozen = self._study.trials[trial.number]
            if step not in frozen.intermediate_values:
                trial.report(value, step)
            return trial.should_prune()

    def note(self, trial: "Trial", **facts: Any) -> None:
        """Store facts about a trial."""
        with self._named_faults():
            for name, value in facts.items():
                trial.set_user_attr(name, finite(value))

    def end(self, trial: "Trial", state: str, value: float | None = None) -> None:
        """End a trial: "complete" with its value, "pruned" or "failed"."""
        states = optuna_module().trial.TrialState
        named = {"complete": states.COMPLETE, "pruned": states.PRUNED, "failed": states.FAIL}
        with self._named_faults():
            self._study.tell(trial, value, state=named[state])

    def importance(self, least: int = 8) -> dict[str, float]:
        """Return the importance of each option by PED-ANOVA; empty if fewer than `least` are complete."""
        if sum(trial.state.name == "COMPLETE" for trial in self.trials) < least:
            return {}
        optuna = optuna_module()
        evaluator = optuna.importance.PedAnovaImportanceEvaluator
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return dict(optuna.importance.get_param_importances(self._study, evaluator=evaluator()))
            except (ValueError, RuntimeError):  # for example if all criteria are the same
                return {}

    @contextmanager
    def _named_faults(self) -> Iterator[None]:
        from sqlalchemy.exc import DatabaseError, SQLAlchemyError

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of steps, and of features that may change
                yield
        except (optuna_module().exceptions.StorageInternalError, SQLAlchemyError, sqlite3.Error) as error:
            cause = error.__cause__ if isinstance(error.__cause__, DatabaseError) else error
            told = reason_of(getattr(cause, "orig", None) or cause)
            if "full" in told or "readonly" in told or "unable to open" in told or "I/O" in told:
                raise StorageError(
                    f"{self._path}: cannot be written ({told}); check the disk and the permissions."
                ) from error
            raise RunError(
                f"{self._path}: is damaged ({told}); restore it from a copy, or choose another output folder."
            ) from error


def state_of(trial: "FrozenTrial") -> str:
    """Return the state of a trial in a word."""
    return {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}.get(trial.state.name, "stopped")


def seconds_of(trials: Sequence["FrozenTrial"]) -> float:
    """Return the time that trials took together."""
    return sum(float(trial.user_attrs.get("seconds", 0.0)) for trial in trials)
