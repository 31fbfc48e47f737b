"""What a task is: an object that says how files become a trained, measured model, and knows no command line.

`registry.py` names all tasks, `driver.py` trains each alike, `model.py` is what a person holds of it.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from lightning_fabric import Fabric
from torch import nn

from recurra.config import TaskConfig
from recurra.plain import counted
from recurra.runs import RunFolder
from recurra.training import GradientLearner, Learner, Objective, Outcome, TrainingConfig
from recurra.training.objective import Feed
from recurra.training.session import best_network, check_shares, first_network

if TYPE_CHECKING:
    from recurra.tasks.model import Model


class Figures(Protocol):
    """What was measured of a model."""

    def main(self) -> dict[str, float]:
        """The figures that count, by name."""
        ...

    def sentence(self) -> str:
        """For people."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """All of them as plain values, for metrics.jsonl and JSON."""
        ...


class Corpus(Protocol):
    """What a model is trained, validated and tested on.

    `train`, `valid` and `test` are parts as the task's `measure` takes them; `test` may be None.
    """

    @property
    def symbols(self) -> Any:
        """What a model must know to read and to answer."""
        ...

    @property
    def valid(self) -> Any:
        """The held-out part."""
        ...

    @property
    def test(self) -> Any:
        """The part that is only measured at the end."""
        ...

    def facts(self) -> dict[str, Any]:
        """What run.toml says of each part: enough to find it again and to notice a change. A part has a
        `fingerprint` and the `path` of its file."""
        ...

    def split(self) -> Mapping[str, Sequence[int]]:
        """Of parts cut from the rows of --data the rows' indices; empty where there are none."""
        ...


class Known(NamedTuple):
    """What a run kept of its corpus, from `Corpus.facts` and `split`; runs of format 1 have no split."""

    facts: Mapping[str, Any]
    split: Mapping[str, Sequence[int]] | None


class Setup(NamedTuple):
    """What a network learns by: what its gradient is of, the batches, over how many of them it flows back."""

    objective: Objective
    feed: Feed
    window: int = 1


class Task(ABC):
    """How one kind of model is made; see CONTRIBUTING.md, "How to add a task"."""

    name: ClassVar[str]
    config: ClassVar[type[TaskConfig]]
    model: "ClassVar[type[Model]]"
    # Whether `read` leaves its work in the cache, so that of several processes the first one reads alone.
    reads_into_cache: ClassVar[bool] = False
    # Options that the configuration must have, beside files and batch_size.
    options: ClassVar[tuple[str, ...]] = ()
    # Options that `settle` fills in from the files.
    settled: ClassVar[tuple[str, ...]] = ()
    # Whether exp(loss) is shown while training, and what the loss is counted in.
    perplexity: ClassVar[bool] = False
    loss_unit: ClassVar[str] = "nats"

    @abstractmethod
    def read(self, config: Any) -> Corpus:
        """Read, check and split the files of a configuration, and learn the symbols of the part to train on.

        Raises: DataError, VocabularyError for files that cannot be used; ConfigError for options that do not
        fit.
        """

    @abstractmethod
    def read_again(self, config: Any, symbols: Any, known: Known) -> Corpus:
        """The corpus of an earlier run, with the symbols and the split that the run kept.

        Raises: DataError if a part is gone or has changed.
        """

    @abstractmethod
    def read_part(self, config: Any, symbols: Any, known: Known, part: str) -> Any:
        """One part of an earlier run's corpus, "valid" or "test", and nothing beside it.

        Raises: DataError if it is gone or has changed.
        """

    @abstractmethod
    def save_symbols(self, symbols: Any, folder: Path) -> None:
        """Write the files that `load_symbols` reads."""

    @abstractmethod
    def load_symbols(self, folder: Path, facts: Mapping[str, Any]) -> Any:
        """The symbols of a run, whose facts of the data are given.

        Raises: VocabularyError if a file is missing or damaged.
        """

    @abstractmethod
    def build(self, config: Any, symbols: Any, corpus: Any = None) -> nn.Module:
        """A network with its first weights; `corpus` is there where it is about to be trained.

        Raises: ConfigError where configuration and symbols do not fit.
        """

    @abstractmethod
    def setup(self, config: Any, corpus: Any, network: Any, rank: int, processes: int) -> Setup:
        """What the loop is given to train a network with; process `rank` has its share of each batch."""

    @abstractmethod
    def measure(self, network: Any, symbols: Any, config: Any, part: Any) -> Figures:
        """The figures of a network on a part of a corpus."""

    @abstractmethod
    def unit(self, config: Any) -> str:
        """What is counted while training: "word", "row" …"""

    def files_beside(self, config: Any, part: str) -> Sequence[str]:
        """The files that a part is read from beside the one that option `part` names."""
        return ()

    def settle(self, config: Any, corpus: Any) -> Any:
        """The configuration with what the files decide filled in."""
        return config

    def introduce(self, corpus: Any) -> Iterable[str]:
        """What is about to be trained on, in sentences."""
        return ()

    def next_commands(self, config: Any, run: Path) -> Sequence[str]:
        """The commands that a person is likely to go on with."""
        return (f"recurra evaluate {run}", f"recurra predict {run} FILE")

    def ending(self, config: Any, outcome: Outcome) -> str:
        """How a training ended, for people."""
        early = ", stopped early" if outcome.stopped_early else ""
        return (
            f"trained {counted(outcome.steps, 'step')}, {self.amount(outcome)} in "
            f"{outcome.elapsed_s:,.0f} s{early}; best weights of step {outcome.best_step:,}"
        )

    def amount(self, outcome: Outcome) -> str:
        """How much was trained on, beside the steps."""
        return counted(outcome.epochs, "epoch")

    def shown(self, name: str, value: float) -> str:
        """One of the figures that count, for people."""
        return f"{value:.4g}"

    def check_resumable(self, config: Any, run: Path) -> None:
        """Refuse a run of a kind that cannot be gone on with. Raises: RunError."""
        return

    def load_network(self, config: Any, symbols: Any, run: RunFolder) -> nn.Module:
        """The network of a run with its best weights.

        Raises: RunError if they are missing, damaged or of another network; OutOfMemoryError.
        """
        return best_network(run, lambda: self.build(config, symbols))

    def learner(self, config: Any, corpus: Any, fabric: Fabric) -> Learner:
        """What the loop trains: a network by its gradient, over what `build` and `setup` give."""
        check_shares(config.batch_size, fabric)
        network = first_network(fabric, config.seed, lambda: self.build(config, corpus.symbols, corpus))
        made = self.setup(config, corpus, network, fabric.global_rank, fabric.world_size)
        return GradientLearner(
            made.objective, made.feed, config, fabric, window=made.window, unit=self.unit(config)
        )

    def loop_config(self, config: Any) -> TrainingConfig:
        """What of a configuration the loop needs to know."""
        return TrainingConfig(**{name: getattr(config, name) for name in TrainingConfig.model_fields})
