"""Training, the same for every task: start, resume, several processes, and the final evaluation.

    read → build → start the run folder → fit → evaluate the best weights → write the last records

A process that writes into a run folder holds its lock, from before the first byte to after the last.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from lightning_fabric import Fabric

from recurra.config import TaskConfig, without_none
from recurra.config.building import refuse_misfits
from recurra.errors import ConfigError, DataError, RunError
from recurra.files import is_of_hub
from recurra.plain import finite, shell
from recurra.runs import RunFolder
from recurra.runs.split_file import SPLIT, read_split, write_split
from recurra.tasks import going_on
from recurra.tasks.opening import PART_NAMES, symbols_of, task_and_config
from recurra.tasks.starting import Start, open_again, open_start
from recurra.tasks.task import Corpus, Figures, Known, Task
from recurra.text_files import exists
from recurra.training import Listener, Outcome, Trainer, make_fabric, named_memory_faults
from recurra.training.session import all_listeners

T = TypeVar("T")
# Called once everything is built, before the first update.
OnReady = Callable[[Trainer, Any], None]
LAST = {"final": "valid", "test": "test"}
"""The kinds of the last records in metrics.jsonl, and the part of the data that each describes."""


@dataclass(frozen=True)
class TrainingResult:
    """A finished training: its outcome, and the figures of the best weights on validation and test data."""

    run: Path
    outcome: Outcome
    validation: Figures
    test: Figures | None
    is_main_process: bool

    @property
    def figures(self) -> Figures:
        """The figures on the test set, or on the validation set if there is no test set."""
        return self.validation if self.test is None else self.test


def train(
    task: Task,
    config: TaskConfig,
    out: Path,
    *,
    overwrite: bool = False,
    listeners: Sequence[Listener] = (),
    on_ready: OnReady | None = None,
    test: bool = True,
) -> TrainingResult:
    """Train one model into the folder `out`; without `test`, the test set is left for a later `resume`.

    Raises: RunError if `out` exists already or another process is writing to it; DataError if a file cannot
    be used; ConfigError, OutOfMemoryError, StorageError, TrainingDiverged, Interrupted.
    """
    if config.is_repeated:
        raise ConfigError(
            "folds, seeds: train several models; use `recurra train`, Model.train or train_repeatedly."
        )
    RunFolder.check_free(out, overwrite=overwrite)
    asked = config.resolved()
    with named_memory_faults():
        start = open_start(task, config, out)
        config = (config if start is None else start.configured(config)).resolved()
        refuse_misfits(config)
        fabric = make_fabric(config)
        with _claimed(fabric, out, overwrite=overwrite) as run:
            corpus = _first_process_first(fabric, task, partial(_read, task, config, start))
            config = task.settle(config, corpus)
            trainer = _trainer(task, config, corpus, run, fabric, listeners, start)
            if fabric.is_global_zero:
                run.begin(
                    task.name,
                    config.with_absolute_paths().model_dump(),
                    _facts_of(corpus, start),
                    partial(_save_artefacts, task, corpus),
                    settled=_settled(task, config, asked, start),
                )
            return _fit(task, config, corpus, trainer, on_ready, resume=False, test=test)


def resume(
    out: Path,
    *,
    changes: Mapping[str, Any] | None = None,
    listeners: Sequence[Listener] = (),
    on_ready: OnReady | None = None,
    test: bool = True,
) -> TrainingResult:
    """Resume the run in `out` from its latest checkpoint.

    The weights are the same, bit for bit, as those of a run that was never stopped. A finished run is only
    evaluated, without `test` not on the test set, unless `changes` has more epochs or other options that may
    change (`going_on.CHANGEABLE`).

    Raises: RunError if there is no run or no checkpoint; DataError if its data have changed; ConfigError for
    changes with which it would not go on; as `train`.
    """
    run = RunFolder.open(out)
    task, before = task_and_config(run)
    task.check_resumable(before, out)
    config = going_on.changed_config(before, run, changes or {})
    with named_memory_faults():
        fabric = make_fabric(config)
        with run.locked() if fabric.is_global_zero else nullcontext():
            if task_and_config(run) != (task, before):
                raise RunError(f"{out}: another process has just overwritten this run; try again.")
            from_start = run.begun_only
            if not from_start and not run.checkpoints.exists():
                raise RunError(
                    f"{run.checkpoints.path}: has no checkpoint to resume from (the run was copied without "
                    "it, or it was lost); restore it from a copy, or train again with --overwrite."
                )
            start = open_again(task, config, run) if from_start else None
            again = partial(_read_anew, start) if from_start else _read_again
            corpus = _first_process_first(fabric, task, partial(again, task, config, run))
            trainer = _trainer(task, config, corpus, run, fabric, listeners, start)
            if changes:
                place = going_on.place_of(run)
                going_on.check_further(run, trainer, place, changes)
                trainer.notes = (*trainer.notes, *going_on.notes_on(trainer, before, place))
                if fabric.is_global_zero and config != before:
                    going_on.change(run, before, config, place)
            trainer.notes = (*trainer.notes, *going_on.notes_on_calibration(run, changed=bool(changes)))
            return _fit(task, config, corpus, trainer, on_ready, resume=not from_start, test=test)


def known_of(run: RunFolder) -> Known:
    """Return what a run saved about its corpus. Raises: RunError if it is damaged."""
    run.check_artefacts()
    return Known(run.read_settings()["data"], read_split(run))


def not_measured(run: RunFolder) -> list[str]:
    """Return the last records that a run does not have yet: "final", and "test" if there is a test set.

    Raises: RunError if training has ended and they were lost, or if other lines are missing or damaged.
    """
    kinds = {record["kind"] for record in run.read_metrics()}
    parts = run.read_settings()["data"]
    missing = [kind for kind, part in LAST.items() if part in parts and kind not in kinds]
    if missing and run.has_ended:
        raise RunError(
            f"{run.metrics.path}: the figures of the final evaluation are missing; add them with "
            f"`recurra train --resume {shell(run.path)}`."
        )
    return missing


def _settled(task: Task, config: TaskConfig, asked: TaskConfig, start: Start | None) -> list[str]:
    """Return the options that the files or the run to start from have set, not the caller."""
    taken = () if start is None else tuple(start.options)
    found = []
    for name in dict.fromkeys((*task.settled, *taken)):
        value = getattr(config, name)
        # A search builds its configurations with the options of the run to start from.
        is_taken = name in taken and name not in asked.given() and value != config.default_of(name)
        if is_taken or value != getattr(asked, name):
            found.append(name)
    return found


def _save_artefacts(task: Task, corpus: Corpus, folder: Path) -> None:
    task.save_symbols(corpus.symbols, folder)
    write_split(folder / SPLIT, corpus.split())


def _facts_of(corpus: Corpus, start: Start | None) -> dict[str, Any]:
    """Return the facts of a corpus and of a start, as run.toml stores them and as they are read back."""
    return without_none(finite(corpus.facts() | ({} if start is None else start.facts)))


def check_there(run: RunFolder, known: Known, part: str, remedy: str = "") -> None:
    """Check that the files of one part of a run's data exist.

    `remedy` is what the message suggests besides restoring the file.

    Raises: DataError naming the file and the run.
    """
    for path in files_of(run, known, part):
        if not is_of_hub(path) and not exists(Path(path)):
            raise DataError.advising(
                f"{path}: does not exist, and the {PART_NAMES[part]} data of {run.path} are read from it",
                "restore it",
                *([remedy] if remedy else []),
            )


def files_of(run: RunFolder, known: Known, part: str) -> list[str]:
    """Return the files that one part of a run's data is read from."""
    task, config = task_and_config(run)
    cut = part == "train" or part in (known.split or ())
    return [str(known.facts[part]["path"]), *task.files_beside(config, "data" if cut else part)]


def _read_again(task: Task, config: TaskConfig, run: RunFolder) -> Corpus:
    known = known_of(run)
    for part in known.facts.keys() & PART_NAMES.keys():
        check_there(run, known, part, "train a new run on other data")
    return task.read_again(config, symbols_of(task, run), known)


def _read(task: Task, config: TaskConfig, start: Start | None) -> Corpus:
    return task.read(config) if start is None else task.read(config, start.join)


def _read_anew(start: Start | None, task: Task, config: TaskConfig, run: RunFolder) -> Corpus:
    """Read the corpus of a run that was stopped before its first checkpoint, so it starts over."""
    run.check_artefacts()
    corpus = _read(task, config, start)
    same = run.has_artefacts_of(partial(_save_artefacts, task, corpus))
    if not same or _facts_of(corpus, start) != run.read_settings()["data"]:
        raise RunError(
            f"{run.path}: its data, or the symbols learnt from them, have changed since it began; restore "
            "them, or train again with --overwrite."
        )
    return corpus


def _trainer(
    task: Task,
    config: TaskConfig,
    corpus: Corpus,
    run: RunFolder,
    fabric: Fabric,
    listeners: Sequence[Listener],
    start: Start | None,
) -> Trainer:
    watchers = all_listeners(listeners, run, fabric)
    learner = task.learner(config, corpus, fabric)
    trainer = Trainer(learner, task.loop_config(config), run, fabric, watchers, loss_unit=task.loss_unit)
    if start is not None:
        trainer.notes = start.take(learner.network, corpus.symbols)
    return trainer


def _fit(
    task: Task,
    config: TaskConfig,
    corpus: Corpus,
    trainer: Trainer,
    on_ready: OnReady | None,
    *,
    resume: bool,
    test: bool,
) -> TrainingResult:
    """Train to the end, then evaluate the best weights on the validation and, with `test`, the test data."""
    is_main_process, run = trainer.fabric.is_global_zero, trainer.run_folder
    if on_ready is not None and is_main_process:
        on_ready(trainer, corpus)
    outcome = trainer.fit(resume=resume)
    measure = partial(task.measure, trainer.learner.network, corpus.symbols, config)
    validation = measure(corpus.valid)
    tested = measure(corpus.test) if test and corpus.test is not None else None
    if is_main_process:
        _log_final(run, outcome, {"final": validation, "test": tested})
    return TrainingResult(run.path, outcome, validation, tested, is_main_process)


def _log_final(run: RunFolder, outcome: Outcome, results: dict[str, Figures | None]) -> None:
    """Log the last records once: the best weights on the validation data ("final") and the test data."""
    logged = {record["kind"] for record in run.metrics.read()}
    for kind, result in results.items():
        if result is not None and kind not in logged:
            # Infinite figures are omitted, as everywhere in the log.
            figures = {name: value for name, value in finite(result.to_dict()).items() if value is not None}
            record = {"kind": kind, "step": outcome.best_step, "epoch": outcome.epochs, **figures}
            if kind == "final" and outcome.selected is not None:
                record["selected"] = outcome.selected.to_dict()
            run.metrics.append(record)


def _claimed(fabric: Fabric, out: Path, *, overwrite: bool) -> AbstractContextManager[RunFolder]:
    """Claim the folder of a new run; only the first process writes to it."""
    if fabric.is_global_zero:
        return RunFolder.claimed(out, overwrite=overwrite)
    return nullcontext(RunFolder(out))


def _first_process_first(fabric: Fabric, task: Task, work: Callable[[], T]) -> T:
    """Let the first process fill the cache; the others then read from it."""
    if fabric.world_size == 1 or not task.reads_into_cache:
        return work()
    result = work() if fabric.is_global_zero else None
    fabric.barrier()
    return work() if result is None else result
