"""What a person holds of any task: train, go on, load, evaluate, predict, save, report."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, TypeVar, cast, overload

from recurra.data.inputs import Input
from recurra.errors import ConfigError, RunError
from recurra.models.description import described
from recurra.models.recurrent import ready_for_use
from recurra.reports import Sample, Table, write_report
from recurra.runs import RunFolder
from recurra.tasks import driver, registry
from recurra.tasks.task import Known
from recurra.training import Listener, named_memory_faults

ModelT = TypeVar("ModelT", bound="Model")
PARTS = {"final": "validation", "test": "test"}
"""The kinds of last records in metrics.jsonl, and what the part that they are of is called."""
_NOT_MEASURED = "not measured: training has not ended, or metrics.jsonl has lost its last lines"


def ignored(sentence: str) -> None:
    """Tell nobody."""


class InputPrediction(Protocol):
    """What a model predicts for one input."""

    def line(self) -> str:
        """For people and pipes: a line, or several where several answers were asked for."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        ...


@dataclass(frozen=True)
class Evaluation:
    """What `recurra evaluate` found: figures as plain values, the same as lines for people, and what is to be
    said of the data beside."""

    figures: dict[str, Any]
    lines: Sequence[str]
    left_out: Sequence[str] = ()


@dataclass(frozen=True)
class Page:
    """What report.html holds beside curves and configuration. `pictures` are SVG of ours, by their titles."""

    unit: str
    figures: dict[str, str]
    samples: Sequence[Sample] = ()
    tables: Sequence[Table] = ()
    pictures: dict[str, str] = field(default_factory=dict)


class Model:
    """A trained model of some task; the base of those that a person holds.

    `network` is the torch module inside, `symbols` what it must know to read and to answer, `config` what it
    was trained with, `run` the folder that it lies in. Its recurrent layers keep packed weights
    (`RecurrentLayer.keep_packed`), as uses make many short calls.
    """

    task: ClassVar[str]

    def __init__(self, network: Any, symbols: Any, config: Any, run: RunFolder | None = None) -> None:
        self.network = ready_for_use(network)
        self.symbols, self.config, self.run = symbols, config, run
        self._settings = None if run is None or not run.settings.exists() else run.read_settings()

    def __repr__(self) -> str:
        return described(self)

    @classmethod
    def train(
        cls,
        data: str | Path | None = None,
        *,
        out: str | Path,
        preset: str | None = None,
        overwrite: bool = False,
        listeners: Sequence[Listener] = (),
        **options: Any,
    ) -> Self:
        """Train on a file into the run folder `out`; `preset` and `options` are those of `recurra train`, the
        files `valid` and `test` among them.

        Raises: ConfigError for an unknown option or value, DataError for a file that cannot be used, RunError
        if `out` is in the way.
        """
        task = registry.get(cls.task)
        if data is not None:
            options["data"] = data
        config = task.config.build(preset, options=options)
        driver.train(task, config, Path(out), overwrite=overwrite, listeners=listeners)
        return cls.load(out)

    @classmethod
    def resume(cls, run: str | Path, *, listeners: Sequence[Listener] = ()) -> Self:
        """Go on with a training that was stopped, to the same weights as one that never was.

        Raises: RunError if there is none to go on with, or it is of another task; as `train`.
        """
        check_kind(Path(run), cls)
        driver.resume(Path(run), listeners=listeners)
        return cls.load(run)

    @classmethod
    def load(cls, run: str | Path, *, device: str = "cpu") -> Self:
        """The model that lies in a run folder, with its best weights.

        Raises: RunError if there is none, it is damaged or of another task.
        """
        check_kind(Path(run), cls)
        folder = RunFolder.open(Path(run))
        task, config = driver.task_and_config(folder)
        if not hasattr(cls, "task"):  # what several tasks have in common
            return cast(Self, task.model.load(run, device=device))
        with named_memory_faults("use a machine with more memory"):
            symbols = driver.symbols_of(task, folder)
            network = task.load_network(config, symbols, folder)
        return cls(network.to(device), symbols, config, folder)

    def evaluate(self, data: str | Path | None = None) -> Any:
        """The model's figures on a file, or without one on the part held out in training.

        Raises: DataError if the file cannot be used; ConfigError if the model is of no run.
        """
        part = self.held_out() if data is None else self.read_file(data)
        return registry.get(self.task).measure(self.network, self.symbols, self.config, part)

    def read_file(self, data: str | Path) -> Any:
        """A file as `evaluate` takes it.

        Raises: DataError if it cannot be used.
        """
        raise NotImplementedError

    def held_out(self, part: str = "valid") -> Any:
        """The part that was held out in training, or that of --test ("test").

        Raises: DataError if it is gone or has changed since; ConfigError if the model is of no run.
        """
        if part not in ("valid", "test"):
            raise ConfigError(f"part: got {part!r}, expected 'valid' or 'test'.")
        known = self.known(part)
        assert self.run is not None, "checked"
        task, config = driver.task_and_config(self.run)
        return task.read_part(config, self.symbols, known, part)

    def known(self, part: str, remedy: str = "name another file with --data") -> Known:
        """What the run kept of its data, a part of which is there. `remedy`: what to do if it is not, beside
        putting it back. Raises: as `held_out`."""
        if self.run is None:
            raise ConfigError("data: the model is of no run, so it has no data of its own; name a file.")
        known = driver.known_of(self.run)
        if self._settings not in (None, self.run.read_settings()):
            raise RunError(f"{self.run.path}: was overwritten since this model was loaded; load it again.")
        if part not in known.facts:
            raise ConfigError(f"{self.run.path}: keeps no part {part!r} of its data; name a file.")
        driver.check_there(self.run, known, part, remedy)
        return known

    def evaluation(self, data: Path | None, options: Any) -> Evaluation:
        """What `recurra evaluate` shows; `options` is of the configuration's `evaluation`.

        Raises: as `evaluate`.
        """
        figures = self.evaluate(data, **options.given())
        return Evaluation(figures.to_dict(), [figures.sentence()])

    def predictions(
        self,
        source: Input,
        options: Any,
        *,
        as_json: bool = False,
        tell: Callable[[str], None] = ignored,
    ) -> Iterator[InputPrediction]:
        """What `recurra predict` answers, an answer for each input; `options` is of the configuration's
        `prediction`. `tell` is handed sentences about input that is left out.

        Raises: DataError for input that cannot be read.
        """
        raise NotImplementedError

    def page(self) -> Page:
        """What report.html holds beside curves and configuration: the figures of the last records."""
        assert self.run is not None, "a page is of a run"
        figures = {
            f"{PARTS[record['kind']]} {name.replace('_', ' ')}": f"{value:,.4g}"
            for record in self.run.read_metrics()
            if record["kind"] in PARTS
            for name, value in record.items()
            if isinstance(value, float)
        }
        return Page(registry.get(self.task).unit(self.config), figures)

    def report(self) -> Path:
        """Write report.html into the run's folder: curves, figures, samples, configuration; returns its path.

        Raises: RunError if the run has no metrics yet, or they are damaged; StorageError if the page cannot
        be written; ConfigError if the model is of no run.
        """
        if self.run is None:
            raise ConfigError("report: the model is of no run, so there is no folder to write it to.")
        with self.run.locked():
            unmeasured = {PARTS[kind]: _NOT_MEASURED for kind in driver.not_measured(self.run)}
            page = self.page()
            page = replace(page, figures=page.figures | unmeasured)
            unit = registry.get(self.task).loss_unit
            return write_report(
                self.run,
                title=self.config.title,
                loss_unit=unit,
                changed=self.config.chosen(),
                **vars(page),
            )

    def save(self, out: str | Path) -> None:
        """Copy what is needed to load, evaluate and report the model into another folder.

        Raises: RunError if something is in the way; ConfigError if the model is of no run.
        """
        if self.run is None:
            raise ConfigError("save: the model is of no run, so there is nothing to copy; train it into one.")
        self.run.copy_to(Path(out))


@overload
def load(run: str | Path) -> Any: ...


@overload
def load(run: str | Path, kind: type[ModelT]) -> ModelT: ...


def load(run: str | Path, kind: type[Model] = Model) -> Any:
    """The trained model in a run folder, as the facade of its task.

    Raises: RunError if there is none, it is damaged, of a task that is not known here, or not of the `kind`
    asked for.
    """
    check_kind(Path(run), kind)
    return registry.task_of(RunFolder.open(Path(run))).model.load(run)


def check_kind(run: Path, kind: type[Model]) -> None:
    """Refuse a run whose model is of another kind.

    Raises: RunError, also if there is no run.
    """
    task = registry.task_of(RunFolder.open(run))
    if not issubclass(task.model, kind):
        raise RunError(
            f"{run}: is a run of task {task.name!r}, expected {' or '.join(map(repr, _tasks_of(kind)))}; use "
            "`recurra evaluate` and `recurra predict`, or recurra.load."
        )


def _tasks_of(kind: type[Model]) -> list[str]:
    """The tasks whose models are of some kind, as far as they can be loaded."""
    found = []
    for name in registry.names():
        with suppress(ConfigError):
            if issubclass(registry.get(name).model, kind):
                found.append(name)
    return found
