"""Gradient-based training: the segments, and the objective to minimise on them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from recurra.layers import State
from recurra.training.learner import Moment


class TrainingBatch(Protocol):
    """The data of one update. `count` is the number of its targets over all processes."""

    @property
    def count(self) -> int:
        """The number of its targets over all processes."""
        ...

    def to(self, device: torch.device) -> "TrainingBatch":
        """Return the batch on another device."""
        ...


class Feed(Protocol):
    """The training data: segments of an epoch by number, so that a run can resume within an epoch."""

    def __len__(self) -> int:
        """Number of segments per epoch."""
        ...

    @property
    def batch_rows(self) -> int:
        """Number of rows of a batch that belong to this process."""
        ...

    def window(self, first: int, last: int, epoch: int) -> tuple[TrainingBatch, int]:
        """Return segments `first` … `last` of an epoch joined, and the number of steps before `last`."""
        ...


class Objective(ABC):
    """The function to minimise.

    `loss_method` names the network method that `loss` calls: with several processes the call must go through
    the wrapper that sums gradients.
    """

    loss_method: ClassVar[str] = "total_loss"

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    @abstractmethod
    def loss(
        self, network: nn.Module, segment: Any, state: State | None, context: int
    ) -> tuple[Tensor, State | None, Tensor | None]:
        """Return the summed loss, the state after the segment, and a penalty.

        The loss covers the segment's real targets except those of its first `context` steps. The penalty is
        added to the mean loss but not reported. `network` is `self.network`, wrapped for several
        processes.
        """

    @abstractmethod
    def validate(self, network: nn.Module) -> dict[str, float]:
        """Return figures on held-out data, including `loss`, the mean over all targets.

        The network is in evaluation mode and gradients are off; this method moves batches to its device.
        """

    def before_update(self, moment: Moment) -> None:
        """Called before each loss, for objectives that change during training."""
        return

    def criterion(self, figures: Mapping[str, float]) -> float:
        """Return the value of the score, which the best checkpoint minimises: by default the loss."""
        return figures["loss"]

    def training_figures(self, loss: float) -> dict[str, float]:
        """Return training figures to log in addition to the mean loss."""
        return {}

    def initial_state(self, batch_size: int) -> State | None:
        """Return the initial state; None if no state is carried from segment to segment."""
        return None
