"""The interface of a task: how files become a trained and evaluated model, without the command line.

`registry.py` lists all tasks, `driver.py` trains them all in the same way, `model.py` is the base class of
trained models.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from lightning_fabric import Fabric
from torch import Tensor, nn

from recurra.config import TaskConfig
from recurra.data.rows_in_memory import FileContent
from recurra.errors import ConfigError
from recurra.models.recurrent import check_backends
from recurra.plain import counted, shell
from recurra.runs import RunFolder
from recurra.tasks.starting import Offer, Source, Start
from recurra.training import (
    Choice,
    GradientLearner,
    Learner,
    Objective,
    Outcome,
    Selection,
    TrainingConfig,
    selection_of,
)
from recurra.training.objective import Feed
from recurra.training.session import best_network, check_shares, first_network

if TYPE_CHECKING:
    from recurra.tasks.model import Model


class Figures(Protocol):
    """The figures of a model on a data set.

    Two further methods are optional: the class method `pooled(parts)` returns the figures over the
    predictions of several models together, or None if they do not fit; `lines()` returns all figures as lines
    of text.
    """

    def main(self) -> dict[str, float]:
        """Return the main figures by name."""
        ...

    def sentence(self) -> str:
        """Return the figures as a sentence."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as plain values, for metrics.jsonl and JSON."""
        ...


class Corpus(Protocol):
    """The training, validation and test data of a model.

    The task's `measure` accepts `train`, `valid` and `test`; `test` may be None.
    """

    @property
    def symbols(self) -> Any:
        """The vocabularies, labels and the like that a model needs to read inputs and write answers."""
        ...

    @property
    def valid(self) -> Any:
        """The validation data."""
        ...

    @property
    def test(self) -> Any:
        """The test data, which are evaluated after training."""
        ...

    def facts(self) -> dict[str, Any]:
        """Return what run.toml stores about each part, to find it again and to detect changes.

        Each part has a `fingerprint` and the `path` of its file.
        """
        ...

    def split(self) -> Mapping[str, Sequence[int]]:
        """Return the row indices of the parts held out from --data; empty if there are none."""
        ...


class Known(NamedTuple):
    """What a run saved of its corpus, from `Corpus.facts` and `split`; runs of format 1 have no split."""

    facts: Mapping[str, Any]
    split: Mapping[str, Sequence[int]] | None


Join = Callable[[Any], Any]
"""Returns the symbols of a run from those learnt from its data; see `Start.join`."""


def unchanged(symbols: Any) -> Any:
    """Return the symbols as they are."""
    return symbols


class Setup(NamedTuple):
    """Training setup of a network: the objective, the batches, and how many of them the gradient spans."""

    objective: Objective
    feed: Feed
    window: int = 1


class Task(ABC):
    """Defines how one kind of model is trained and evaluated; see CONTRIBUTING.md, "How to add a task"."""

    name: ClassVar[str]
    config: ClassVar[type[TaskConfig]]
    model: "ClassVar[type[Model]]"
    # Whether `read` stores its result in the cache; if so, the first of several processes reads first.
    reads_into_cache: ClassVar[bool] = False
    # Options that the configuration must have, in addition to the files and batch_size.
    options: ClassVar[tuple[str, ...]] = ()
    # Options that `settle` sets from the files.
    settled: ClassVar[tuple[str, ...]] = ()
    # Whether exp(loss) is shown during training, and the unit of the loss.
    perplexity: ClassVar[bool] = False
    loss_unit: ClassVar[str] = "nats"

    @abstractmethod
    def read(self, config: Any, join: Join = unchanged) -> Corpus:
        """Read, check and split the files of a configuration, and learn the symbols from the training data.

        `join` returns the symbols to use: those of the run that this one starts from, with the new ones.

        Raises: DataError, VocabularyError for files that cannot be used; ConfigError for options that do not
        fit.
        """

    @abstractmethod
    def read_again(self, config: Any, symbols: Any, known: Known) -> Corpus:
        """Read the corpus of an earlier run, with the symbols and the split that the run saved.

        Raises: DataError if a part is missing or has changed.
        """

    @abstractmethod
    def read_part(self, config: Any, symbols: Any, known: Known, part: str) -> Any:
        """Read one part of an earlier run's corpus, "valid" or "test", and no other.

        Raises: DataError if it is missing or has changed.
        """

    @abstractmethod
    def save_symbols(self, symbols: Any, folder: Path) -> None:
        """Write the files that `load_symbols` reads."""

    @abstractmethod
    def load_symbols(self, folder: Path, facts: Mapping[str, Any]) -> Any:
        """Load the symbols of a run; `facts` are the run's facts about its data.

        Raises: VocabularyError if a file is missing or damaged.
        """

    @abstractmethod
    def build(self, config: Any, symbols: Any, corpus: Any = None) -> nn.Module:
        """Build a network with initial weights; `corpus` is given if the network is about to be trained.

        Raises: ConfigError if the configuration and the symbols do not fit.
        """

    @abstractmethod
    def setup(self, config: Any, corpus: Any, network: Any, rank: int, processes: int) -> Setup:
        """Return the training setup of a network; process `rank` gets its share of each batch."""

    @abstractmethod
    def measure(self, network: Any, symbols: Any, config: Any, part: Any) -> Figures:
        """Evaluate a network on a part of a corpus."""

    @abstractmethod
    def unit(self, config: Any) -> str:
        """Return the unit that is counted during training, for example "word" or "row"."""

    def criterion(self, config: Any, figures: Any) -> float | None:
        """Return a value to compare models by their figures, by the option `keep_best`; lower is better.

        None if the figures do not have it; a search then compares models by their best validation.
        """
        return None

    def files_of_rows(self, data: Any, part: str) -> Mapping[str, FileContent]:
        """Return data in memory as the files of a part, "data", "valid" or "test", by option.

        Raises: ConfigError if they have another form, or the task reads files only.
        """
        raise ConfigError(f"{part}: the task {self.name} reads files only; give the path of one.")

    def start_from(self, config: Any, source: Source) -> Start:
        """Return how a run starts with the weights and symbols of another one.

        A task that defines it takes `join` in `read`. Raises: ConfigError if the run does not fit.
        """
        raise ConfigError(
            f"from_run: a run of {self.name!r} cannot start with the weights of another one; remove it."
        )

    def offer(self, config: Any, symbols: Any, weights: Mapping[str, Tensor]) -> Offer | None:
        """Return what a run offers to runs of other tasks that start from it; None for nothing.

        Shapes: see `Offer`.
        """
        return None

    def files_beside(self, config: Any, part: str) -> Sequence[str]:
        """Return the files that a part is read from, in addition to the one that option `part` names."""
        return ()

    def settle(self, config: Any, corpus: Any) -> Any:
        """Return the configuration with the options set that depend on the files."""
        return config

    def introduce(self, corpus: Any) -> Iterable[str]:
        """Return sentences that describe the training data."""
        return ()

    def choice(self, config: Any, corpus: Any) -> Choice:
        """Return the metrics that can select the best checkpoint, in addition to score and loss."""
        return Choice({})

    def selection(self, config: Any, corpus: Any) -> Selection | None:
        """Return how the best checkpoint is selected, by the option `keep_best`; None without the option.

        Raises: ConfigError for a metric that the data cannot give.
        """
        by = getattr(config, "keep_best", None)
        return None if by is None else selection_of(by, self.choice(config, corpus))

    def next_commands(self, config: Any, run: Path) -> Sequence[str]:
        """Return the commands that are useful after training."""
        return (f"recurra evaluate {shell(run)}", f"recurra predict {shell(run)} FILE")

    def ending(self, config: Any, outcome: Outcome) -> str:
        """Return a sentence about the outcome of a training."""
        early = ", stopped early" if outcome.stopped_early else ""
        selected = "" if outcome.selected is None else f", selected by {outcome.selected}"
        return (
            f"trained {counted(outcome.steps, 'step')}, {self.amount(outcome)} in "
            f"{outcome.elapsed_s:,.0f} s{early}; best weights at step {outcome.best_step:,}{selected}"
        )

    def amount(self, outcome: Outcome) -> str:
        """Return the amount of training data seen, as text."""
        return counted(outcome.epochs, "epoch")

    def check_resumable(self, config: Any, run: Path) -> None:
        """Refuse a run that cannot be resumed. Raises: RunError."""
        return

    def load_network(self, config: Any, symbols: Any, run: RunFolder) -> nn.Module:
        """Load the network of a run with its best weights.

        Raises: RunError if they are missing, damaged or belong to another network; OutOfMemoryError.
        """
        return best_network(run, lambda: self.build(config, symbols))

    def learner(self, config: Any, corpus: Any, fabric: Fabric) -> Learner:
        """Return the learner that the loop trains; by default it uses gradients, with `build` and `setup`."""
        check_shares(config.batch_size, fabric)
        selection = self.selection(config, corpus)
        network = first_network(fabric, config.seed, lambda: self.build(config, corpus.symbols, corpus))
        made = self.setup(config, corpus, network, fabric.global_rank, fabric.world_size)
        learner = GradientLearner(
            made.objective,
            made.feed,
            config,
            fabric,
            window=made.window,
            unit=self.unit(config),
            selection=selection,
        )
        check_backends(network)
        return learner

    def loop_config(self, config: Any) -> TrainingConfig:
        """Return the part of a configuration that the loop needs."""
        return TrainingConfig(**{name: getattr(config, name) for name in TrainingConfig.model_fields})
