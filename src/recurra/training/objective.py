"""What is learnt by a gradient: segments, and what is to be made small on them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from recurra.layers import State
from recurra.training.learner import Moment


class TrainingBatch(Protocol):
    """What one update is made from. `count` is the number of its targets over all processes."""

    @property
    def count(self) -> int:
        """Its targets over all processes."""
        ...

    def to(self, device: torch.device) -> "TrainingBatch":
        """The same on another device."""
        ...


class Feed(Protocol):
    """What is trained on: the segments of a pass, found by number, so that a run goes on in mid-pass."""

    def __len__(self) -> int:
        """How many segments a pass has."""
        ...

    @property
    def batch_rows(self) -> int:
        """Rows of a batch that are this process's own."""
        ...

    def window(self, first: int, last: int, epoch: int) -> tuple[TrainingBatch, int]:
        """Segments `first` … `last` of a pass as one, and how many of its steps are before the last."""
        ...


class Objective(ABC):
    """What a gradient is taken of.

    `loss_method` names the method of the network that `loss` calls: with several processes it must go through
    the wrapper that sums gradients.
    """

    loss_method: ClassVar[str] = "total_loss"

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    @abstractmethod
    def loss(
        self, network: nn.Module, segment: Any, state: State | None, context: int
    ) -> tuple[Tensor, State | None, Tensor | None]:
        """The summed loss over the segment's real targets but those of its first `context` steps, the
        state after it, and a penalty that is added to the mean loss, not reported. `network` is
        `self.network`, wrapped for several processes."""

    @abstractmethod
    def validate(self, network: nn.Module) -> dict[str, float]:
        """Figures on held-out data, `loss` among them: the mean over all targets. The
        network is in evaluation mode, and no gradients are taken; batches are moved to its device here."""

    def before_update(self, moment: Moment) -> None:
        """Told before each loss when it is: for what changes in the course of training."""
        return

    def criterion(self, figures: Mapping[str, float]) -> float:
        """The value that the best checkpoint minimises, from the figures of a validation; the loss."""
        return figures["loss"]

    def training_figures(self, loss: float) -> dict[str, float]:
        """What is logged of training beside its mean loss."""
        return {}

    def initial_state(self, batch_size: int) -> State | None:
        """The state before anything is read; None where nothing is carried from segment to segment."""
        return None
