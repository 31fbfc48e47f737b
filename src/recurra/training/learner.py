"""What the training loop trains: something that makes update after update, in any way it likes.

A network that learns by its gradient is one (`recurra.training.gradient`); a model that counts is another.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from recurra.training.weights import restore_weights, weights_of


@dataclass(frozen=True)
class Moment:
    """When an update is made: number `step` of all, number `index` of pass `epoch`, all from 0, at a learning
    rate that the schedule gives."""

    step: int
    epoch: int
    index: int
    learning_rate: float


@dataclass(frozen=True)
class Update:
    """What an update was made from: `count` targets over all processes, their summed loss, and the norm of
    the gradient before clipping; None of what the learner does not have."""

    count: int
    loss_sum: float | None = None
    gradient_norm: float | None = None


@dataclass(frozen=True)
class Outcome:
    """How a training ended."""

    steps: int
    epochs: int
    tokens: int
    best: float  # the least value of Learner.criterion over all validations
    best_step: int
    stopped_early: bool
    elapsed_s: float


class Learner(ABC):
    """What the loop trains. Nothing that it computes depends on the clock.

    `network` is what is trained, with its best weights once training has ended.
    """

    network: nn.Module
    # Whether updates have a size, which the schedule gives.
    has_learning_rate: ClassVar[bool] = True

    @abstractmethod
    def __len__(self) -> int:
        """How many updates a pass has."""

    @abstractmethod
    def update(self, moment: Moment) -> Update:
        """Make one update."""

    @abstractmethod
    def validate(self) -> dict[str, float]:
        """Figures on held-out data, `loss` among them: the mean over all targets. Within `evaluating`."""

    @abstractmethod
    def checkpoint(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """All that is needed to go on bit for bit, as plain values and tensors; of several processes each
        calls it, and the first one's is kept."""

    @abstractmethod
    def restore(self, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `checkpoint` gave. Raises: RunError if it does not fit."""

    def evaluating(self) -> AbstractContextManager[None]:
        """Where the network is as it is validated and kept."""
        return nullcontext()

    def after_validation(self, criteria: Sequence[float]) -> dict[str, float]:
        """Told of the criterion of each validation so far; what is to be logged beside the last one's."""
        return {}

    def criterion(self, figures: Mapping[str, float]) -> float:
        """The value that the best checkpoint minimises, from the figures of a validation; the loss."""
        return figures["loss"]

    def training_figures(self, loss: float) -> dict[str, float]:
        """What is logged of training beside its mean loss."""
        return {}

    def weights(self) -> Mapping[str, Tensor]:
        """What model.safetensors holds. Shapes: the network's own."""
        return weights_of(self.network)

    def load_weights(self, tensors: Mapping[str, Tensor], *, source: str) -> None:
        """Give the network weights that `weights` gave. Raises: RunError if they do not fit."""
        restore_weights(self.network, tensors, source=source)

    def sentences(self, steps: int) -> Iterable[str]:
        """What is about to be trained in so many updates, for people."""
        return ()

    def remedies(self) -> str:
        """What to try where the loss is no finite number."""
        return "Look for faults in the data"
