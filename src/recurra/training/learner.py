"""The learner interface: what the training loop trains, by any kind of updates.

Gradient-based training of a network is one learner (`recurra.training.gradient`); counting n-grams is
another.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from recurra.training.selection import Selected
from recurra.training.weights import restore_weights, weights_of


@dataclass(frozen=True)
class Moment:
    """The position of an update: number `step` overall, number `index` within `epoch`, all from 0.

    The schedule gives the learning rate.
    """

    step: int
    epoch: int
    index: int
    learning_rate: float


@dataclass(frozen=True)
class Update:
    """Result of an update: `count` targets over all processes, their summed loss, and the gradient norm.

    The norm is taken before clipping. Values that the learner does not have are None.
    """

    count: int
    loss_sum: float | None = None
    gradient_norm: float | None = None


@dataclass(frozen=True)
class Outcome:
    """The outcome of a training."""

    steps: int
    epochs: int
    tokens: int
    best: float  # lowest Learner.criterion over all validations, or that of the last, if its weights are kept
    best_step: int  # that of the weights that are kept
    stopped_early: bool
    elapsed_s: float
    selected: Selected | None = None  # the metric that selected the best checkpoint, if there is a choice


class Learner(ABC):
    """The object that the loop trains. No result depends on the clock.

    `network` is the trained module; it has the best weights once training has ended.
    """

    network: nn.Module
    # Whether updates use the learning rate of the schedule.
    has_learning_rate: ClassVar[bool] = True
    # Whether the weights of the last validation are kept, instead of those of the best one.
    keeps_last: bool = False

    @abstractmethod
    def __len__(self) -> int:
        """Number of updates per epoch."""

    @abstractmethod
    def update(self, moment: Moment) -> Update:
        """Run one update."""

    @abstractmethod
    def validate(self) -> dict[str, float]:
        """Return held-out figures; `loss` is the mean over all targets. Called within `evaluating`."""

    @abstractmethod
    def checkpoint(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return everything needed to resume bit for bit, as plain values and tensors.

        Each process calls this; the result of the first one is kept.
        """

    @abstractmethod
    def restore(self, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Restore the state of `checkpoint`. Raises: RunError if it does not fit."""

    def evaluating(self) -> AbstractContextManager[None]:
        """Return a context in which the network is in the state that is validated and saved."""
        return nullcontext()

    def after_validation(self, criteria: Sequence[float]) -> dict[str, float]:
        """Called with the criterion of each validation so far; return further figures to log."""
        return {}

    def criterion(self, figures: Mapping[str, float]) -> float:
        """Return the value that the best checkpoint minimises, by default the validation loss."""
        return figures["loss"]

    def selected(self, figures: Mapping[str, float]) -> Selected | None:
        """Return the metric that selected the best checkpoint, from the figures of its validation.

        None if there is no choice.
        """
        return None

    def training_figures(self, loss: float) -> dict[str, float]:
        """Return training figures to log in addition to the mean loss."""
        return {}

    def weights(self) -> Mapping[str, Tensor]:
        """Return the tensors for model.safetensors. Shapes: as the network's."""
        return weights_of(self.network)

    def load_weights(self, tensors: Mapping[str, Tensor], *, source: str) -> None:
        """Load the tensors of `weights` into the network. Raises: RunError if they do not fit."""
        restore_weights(self.network, tensors, source=source)

    def sentences(self, steps: int) -> Iterable[str]:
        """Return sentences about the training that is about to run for `steps` updates."""
        return ()

    def remedies(self) -> str:
        """Return the remedy to suggest if the loss is not finite."""
        return "Check the data for errors"
