"""Batches of rows of similar length for the training loop."""

from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

from torch import Tensor, nn

from recurra.data.batches import BucketedOrder
from recurra.layers import State
from recurra.training.objective import Objective

BatchT = TypeVar("BatchT", bound=Any)


class Rows(Protocol[BatchT]):
    """Encoded rows. A batch has `count`, the number of its targets over all processes."""

    @property
    def lengths(self) -> Sequence[int]:
        """The length of each row."""
        ...

    def batch(self, chosen: Sequence[int], *, count: int | None = None) -> BatchT:
        """Return some rows as a batch; if `count` is not given, it is computed from these rows."""
        ...

    def targets(self, chosen: Sequence[int]) -> int:
        """Return the number of targets of some rows."""
        ...

    def blank(self, batch: BatchT) -> BatchT:
        """Return the batch with all targets ignored, so that its gradient is zero."""
        ...


class RowFeed(Generic[BatchT]):
    """Batches of rows of similar length for the training loop, in a new order in each epoch."""

    def __init__(
        self, rows: Rows[BatchT], batch_size: int, seed: int, *, rank: int = 0, processes: int = 1
    ) -> None:
        self._rows, self._rank, self._processes = rows, rank, processes
        self._order = BucketedOrder(rows.lengths, batch_size, seed)
        self.batch_rows = batch_size // processes

    def __len__(self) -> int:
        """Number of batches per epoch."""
        return len(self._order)

    def window(self, first: int, last: int, epoch: int) -> tuple[BatchT, int]:
        """Return batch `last` of an epoch; batches are never joined."""
        every = self._order.batch(last, epoch).tolist()
        own = every[self._rank :: self._processes]
        batch = self._rows.batch(own or every[:1], count=self._rows.targets(every))
        if not own:  # fewer rows than processes: send zero gradients, because the others wait for them
            batch = self._rows.blank(batch)
        return batch, 0


class RowObjective(Objective):
    """The summed loss over a batch's targets, `network.total_loss(batch)`; batches are independent.

    Validation computes the mean loss over the held-out rows.
    """

    def __init__(self, network: nn.Module, valid: Rows[Any], batch_size: int) -> None:
        super().__init__(network)
        self._feed: RowFeed[Any] = RowFeed(valid, batch_size, 0)

    def loss(
        self, network: nn.Module, segment: Any, state: State | None, context: int
    ) -> tuple[Tensor, State | None, Tensor | None]:
        """Return the summed loss over a batch, without state and penalty."""
        total_loss: Any = network.total_loss
        return total_loss(segment), None, None

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Return the mean loss per target on the held-out rows."""
        device = next(self.network.parameters()).device
        total = count = 0.0
        for number in range(len(self._feed)):
            batch = self._feed.window(number, number, 0)[0]
            total_loss: Any = self.network.total_loss
            total += float(total_loss(batch.to(device)))
            count += batch.count
        return {"loss": total / max(1.0, count)}
