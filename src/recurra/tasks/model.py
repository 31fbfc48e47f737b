"""The base class of trained models: train, resume, load, evaluate, predict, save, report."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeVar, cast, overload

import torch

from recurra.arguments import AtLeastOne, checks_arguments
from recurra.config import Part, without_none
from recurra.config.conditions import unmet
from recurra.data.inputs import Input
from recurra.errors import ArgumentTypeError, ConfigError, RunError
from recurra.metrics.names import metric_name
from recurra.models.description import described
from recurra.models.recurrent import ready_for_use
from recurra.models.word_vectors.keyed import KeyedVectors
from recurra.plain import quoted, shell
from recurra.reports import write_report
from recurra.runs import RunFolder
from recurra.tasks import driver, opening, registry
from recurra.tasks.data_in_memory import DataInMemory
from recurra.tasks.repeats import Repeats, train_repeatedly
from recurra.tasks.shown import (
    PARTS,
    Evaluation,
    InputPrediction,
    Page,
    best_checkpoint,
    ignored,
    resumable,
)
from recurra.tasks.task import Known
from recurra.training import Listener, device_named, named_memory_faults, progress_bars

ModelT = TypeVar("ModelT", bound="Model")
_NOT_MEASURED = "not measured: training has not ended, or the last lines of metrics.jsonl are missing"


class Model:
    """A trained model; the base class of the models of all tasks.

    `network` is the torch module, `symbols` the vocabularies and labels that it needs to read inputs and
    write answers, `config` the training configuration, and `run` the run folder. The recurrent layers keep
    packed weights (`RecurrentLayer.keep_packed`) for the many short calls of predictions.
    """

    task: ClassVar[str]

    def __init__(self, network: Any, symbols: Any, config: Any, run: RunFolder | None = None) -> None:
        self.network = ready_for_use(network)
        self.symbols, self.config, self.run = symbols, config, run
        self._settings = None if run is None or not run.settings.exists() else run.read_settings()

    def __repr__(self) -> str:
        return described(self)

    @overload
    @classmethod
    def train(
        cls, data: Any = None, *, out: str | Path, folds: int, fold: None = None, **options: Any
    ) -> Repeats[Self]: ...

    @overload
    @classmethod
    def train(cls, data: Any = None, *, out: str | Path, seeds: int, **options: Any) -> Repeats[Self]: ...

    @overload
    @classmethod
    def train(
        cls,
        data: Any = None,
        *,
        out: str | Path,
        preset: str | None = None,
        config: str | Path | None = None,
        overwrite: bool = False,
        progress: bool | None = None,
        listeners: Sequence[Listener] = (),
        **options: Any,
    ) -> Self: ...

    @classmethod
    @checks_arguments
    def train(
        cls,
        data: Any = None,
        *,
        out: str | Path,
        preset: str | None = None,
        config: str | Path | None = None,
        overwrite: bool = False,
        progress: bool | None = None,
        listeners: Sequence[Listener] = (),
        **options: Any,
    ) -> Self | Repeats[Self]:
        """Train on a file or on data in memory, write the run folder `out`, and return the model.

        `preset`, `config` (a TOML file) and `options` are those of `recurra train`, including the files
        `valid` and `test`; later ones take precedence. All three data sets may also be in memory, in the
        forms of `recurra.data.rows_in_memory`: lists of rows, generators, data frames. They are then written
        to files in the folder OUT-rows next to `out`, which the run reads again to resume and to evaluate.

        With `folds` or several `seeds`, train one model for each and return all of them as `Repeats`; after
        an interruption the same call continues.

        `progress` shows a progress bar; if None, only in a notebook. An interrupted training (Ctrl-C,
        "interrupt kernel") is saved, and `resume` continues it.

        Raises: ConfigError for an unknown option or value, or rows of another form; DataError for a file that
        cannot be used; RunError if `out` exists already; Interrupted.
        """
        task = registry.get(cls.task)
        options |= {} if data is None else {"data": data}
        files = DataInMemory(task, Path(out), options)
        built = task.config.build(preset, None if config is None else Path(config), files.options)

        def watchers() -> Sequence[Listener]:
            return [*listeners, *progress_bars(progress, task.unit(built), perplexity=task.perplexity)]

        with files.written(), resumable(cls.__name__, out):
            if built.is_repeated:
                return train_repeatedly(task, built, Path(out), overwrite=overwrite, listeners=watchers)
            driver.train(task, built, Path(out), overwrite=overwrite, listeners=watchers())
        return cls.load(out)

    @classmethod
    @checks_arguments
    def resume(
        cls,
        run: str | Path,
        *,
        epochs: int | None = None,
        max_steps: int | None = None,
        patience: int | None = None,
        learning_rate: float | None = None,
        progress: bool | None = None,
        listeners: Sequence[Listener] = (),
    ) -> Self:
        """Resume a training that was stopped; the weights are the same as without the stop.

        With other `epochs`, `max_steps` or `patience`, all in total, a finished run goes on. The schedules
        cosine and linear are then computed for the new total; `learning_rate` is a new peak. `progress` as in
        `train`.

        Raises: RunError if there is no run to resume, or it belongs to another task; ConfigError if the run
        would end where it is; as `train`.
        """
        check_kind(Path(run), cls)
        given = {
            "epochs": epochs,
            "max_steps": max_steps,
            "patience": patience,
            "learning_rate": learning_rate,
        }
        changes = {name: value for name, value in given.items() if value is not None}
        task, config = opening.task_and_config(RunFolder.open(Path(run)))
        watchers = [*listeners, *progress_bars(progress, task.unit(config), perplexity=task.perplexity)]
        with resumable(task.model.__name__, run):
            driver.resume(Path(run), changes=changes, listeners=watchers)
        return cls.load(run)

    @classmethod
    @checks_arguments
    def load(cls, run: str | Path, *, device: str | torch.device = "cpu") -> Self:
        """Load the model of a run folder with its best weights.

        Raises: RunError if there is no run, it is damaged or it belongs to another task; ConfigError for a
        device that cannot be used here.
        """
        place = device_named(device)
        check_kind(Path(run), cls)
        folder = RunFolder.open(Path(run))
        task, config = opening.task_and_config(folder)
        if not hasattr(cls, "task"):  # the base class of several tasks
            return cast(Self, task.model.load(run, device=place))
        with named_memory_faults("use a machine with more memory"):
            symbols = opening.symbols_of(task, folder)
            network = task.load_network(config, symbols, folder).to(place)
        return cls(network, symbols, config, folder)

    @checks_arguments
    def evaluate(self, data: str | Path | None = None) -> Any:
        """Return the model's figures on a file, or on the validation data of the run if no file is given.

        Raises: DataError if the file cannot be used; ConfigError if the model has no run folder.
        """
        part = self.held_out() if data is None else self.read_file(data)
        return registry.get(self.task).measure(self.network, self.symbols, self.config, part)

    @checks_arguments
    def read_file(self, data: str | Path) -> Any:
        """Read a file for `evaluate`.

        Raises: DataError if it cannot be used.
        """
        raise NotImplementedError

    @checks_arguments
    def held_out(self, part: str = "valid") -> Any:
        """Return the validation data of the run ("valid"), or its test data ("test").

        Raises: DataError if they are missing or have changed; ConfigError if the model has no run folder.
        """
        if part not in ("valid", "test"):
            raise ConfigError(f"part: got {part!r}, expected 'valid' or 'test'.")
        known = self.known(part)
        assert self.run is not None, "checked"
        task, config = opening.task_and_config(self.run)
        return task.read_part(config, self.symbols, known, part)

    @checks_arguments
    def known(self, part: str, remedy: str = "name another file with --data") -> Known:
        """Return what the run saved about its data, after checking that the files of `part` exist.

        `remedy` is what the message suggests besides restoring the file. Raises: as `held_out`.
        """
        if self.run is None:
            raise ConfigError("data: the model has no run folder, so it has no data of its own; name a file.")
        known = driver.known_of(self.run)
        if self._settings not in (None, self.run.read_settings()):
            raise RunError(
                f"{self.run.path}: the run was overwritten after this model was loaded; load it again."
            )
        if part not in known.facts:
            raise ConfigError(f"{self.run.path}: the run has no {part!r} data; name a file.")
        driver.check_there(self.run, known, part, remedy)
        return known

    @checks_arguments
    def not_shown(self, what: str, part: Literal["train", "valid", "test"] = "valid") -> str:
        """Return the note on a report page that lacks `what`, because a part of the data cannot be read."""
        assert self.run is not None, "only runs have reports"
        files = ", ".join(map(str, driver.files_of(self.run, driver.known_of(self.run), part)))
        name = opening.PART_NAMES[part]
        return (
            f"{what} not shown: the {name} data are missing or have changed since training ({files}); "
            f"restore them and run `recurra report {shell(self.run.path)}`."
        )

    @checks_arguments
    def evaluation(self, data: Path | None, options: Any) -> Evaluation:
        """Return what `recurra evaluate` shows; `options` has the type `config.evaluation`.

        Raises: as `evaluate`.
        """
        if not isinstance(options, Part):
            got = quoted(options)
            raise ArgumentTypeError(f"evaluation: options: got {got}, expected options of `evaluate`.")
        figures = self.evaluate(data, **options.given())
        return Evaluation(figures.to_dict(), [figures.sentence()])

    @checks_arguments
    def predictions(
        self,
        source: Input,
        options: Any,
        *,
        as_json: bool = False,
        tell: Callable[[str], None] = ignored,
    ) -> Iterator[InputPrediction]:
        """Yield one answer per input for `recurra predict`.

        `options` has the type `config.prediction`. `tell` is called with one sentence for
        each input that is skipped; see `CountedNote`.

        Raises: DataError for input that cannot be read.
        """
        raise NotImplementedError

    @checks_arguments
    def word_vectors(
        self,
        kind: Literal["input", "output", "contextual"] = "input",
        data: str | Path | None = None,
        *,
        min_count: AtLeastOne = 1,
    ) -> KeyedVectors:
        """Return the vectors that the model has for words, if it has some.

        `kind` is "input" (the embedding), "output" (rows of the output layer) or "contextual": the mean of
        the last layer's states over the occurrences of a word in the file `data` or, without one, in the
        training data, of words that occur at least `min_count` times.

        Raises: ConfigError for a model without such vectors; DataError for data that cannot be read.
        """
        return self._word_vectors(kind, None if data is None else Path(data), min_count)

    def _word_vectors(self, kind: str, data: Path | None, min_count: int) -> KeyedVectors:
        raise ConfigError(f"word_vectors: a run of the task {self.task} has none; name another run.")

    @checks_arguments
    def inputs(
        self, source: Input, options: Any, *, tell: Callable[[str], None] = ignored
    ) -> Iterator[Sequence[Any]]:
        """Yield the inputs that `predictions` reads, in groups that one worker has to predict together.

        By default, each line is a group. A model that does not read lines returns what it does read, and
        `predictions` takes it from `Input.inputs` instead of reading the file. The arguments are those of
        `predictions`.

        Raises: as `predictions`.
        """
        return ([line] for line in source.lines())

    def page(self) -> Page:
        """Contents of report.html besides curves and configuration: by default the last records' figures."""
        assert self.run is not None, "a page needs a run"
        figures = {
            f"{PARTS[record['kind']]} {metric_name(name)}": f"{value:,.4g}"
            for record in self.run.read_metrics()
            if record["kind"] in PARTS
            for name, value in record.items()
            if isinstance(value, float)
        }
        return Page(registry.get(self.task).unit(self.config), figures)

    def report(self) -> Path:
        """Write report.html (curves, figures, samples, configuration) to the run folder; return its path.

        Raises: RunError if the run has no metrics yet, or they are damaged; StorageError if the page cannot
        be written; ConfigError if the model has no run folder.
        """
        if self.run is None:
            raise ConfigError(
                "report: the model has no run folder to write the report to; train it into one."
            )
        with self.run.locked():
            unmeasured = {PARTS[kind]: _NOT_MEASURED for kind in driver.not_measured(self.run)}
            page = self.page()
            page = replace(page, figures=best_checkpoint(self.run) | page.figures | unmeasured)
            task, config = opening.task_and_config(self.run)
            settled = self.run.read_settings().get("settled", ())
            changed = [name for name in config.chosen() if name not in settled]
            options = without_none(config.model_dump())
            return write_report(
                self.run,
                title=config.title,
                loss_unit=task.loss_unit,
                options={n: v for n, v in options.items() if n in changed or unmet(config, n) is None},
                changed=changed,
                **vars(page),
            )

    @checks_arguments
    def save(self, out: str | Path) -> None:
        """Copy the files needed to load, evaluate and report the model into another folder.

        Raises: RunError if the target exists already; ConfigError if the model has no run folder.
        """
        if self.run is None:
            raise ConfigError("save: the model has no run folder to copy; train it into one.")
        self.run.copy_to(Path(out))


@overload
def load(run: str | Path) -> Any: ...


@overload
def load(run: str | Path, kind: type[ModelT]) -> ModelT: ...


@checks_arguments
def load(run: str | Path, kind: type[Model] = Model) -> Any:
    """Load the trained model of a run folder as the model class of its task.

    Raises: RunError if there is no run, it is damaged, its task is unknown, or its model is not of the
    requested `kind`.
    """
    check_kind(Path(run), kind)
    return registry.task_of(RunFolder.open(Path(run))).model.load(run)


@checks_arguments
def check_kind(run: Path, kind: type[Model]) -> None:
    """Check that the model of a run is an instance of `kind`.

    Raises: RunError if it is not, or if there is no run.
    """
    task = registry.task_of(RunFolder.open(run))
    if not issubclass(task.model, kind):
        raise RunError(
            f"{run}: is a run of task {task.name!r}, expected {' or '.join(map(repr, _tasks_of(kind)))}; use "
            "`recurra evaluate` and `recurra predict`, or recurra.load."
        )


def _tasks_of(kind: type[Model]) -> list[str]:
    """Return the names of the tasks with models of a kind, skipping tasks that cannot be loaded."""
    found = []
    for name in registry.names():
        with suppress(ConfigError):
            if issubclass(registry.get(name).model, kind):
                found.append(name)
    return found
