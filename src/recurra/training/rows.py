"""Rows of different lengths as the training loop is fed with them: batch by batch, near in length."""

from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

from torch import Tensor, nn

from recurra.data.batches import BucketedOrder
from recurra.layers import State
from recurra.training.objective import Objective

BatchT = TypeVar("BatchT", bound=Any)


class Rows(Protocol[BatchT]):
    """Rows as numbers. A batch has `count`, its targets over all processes."""

    @property
    def lengths(self) -> Sequence[int]:
        """How long each row is."""
        ...

    def batch(self, chosen: Sequence[int], *, count: int | None = None) -> BatchT:
        """Some rows as a batch; `count` is that of these rows if not given."""
        ...

    def targets(self, chosen: Sequence[int]) -> int:
        """How many targets rows have."""
        ...

    def blank(self, batch: BatchT) -> BatchT:
        """A batch of which nothing is to be learnt."""
        ...


class RowFeed(Generic[BatchT]):
    """Batches of rows for the training loop: near in length, in another order in each pass."""

    def __init__(
        self, rows: Rows[BatchT], batch_size: int, seed: int, *, rank: int = 0, processes: int = 1
    ) -> None:
        self._rows, self._rank, self._processes = rows, rank, processes
        self._order = BucketedOrder(rows.lengths, batch_size, seed)
        self.batch_rows = batch_size // processes

    def __len__(self) -> int:
        """How many batches a pass has."""
        return len(self._order)

    def window(self, first: int, last: int, epoch: int) -> tuple[BatchT, int]:
        """Batch `last` of a pass; there is nothing to join."""
        every = self._order.batch(last, epoch).tolist()
        own = every[self._rank :: self._processes]
        batch = self._rows.batch(own or every[:1], count=self._rows.targets(every))
        if not own:  # fewer rows than processes: zero gradients all the same, as the others wait for them
            batch = self._rows.blank(batch)
        return batch, 0


class RowObjective(Objective):
    """The summed losses of a batch's targets, `network.total_loss(batch)`; batches stand alone.
    Validated by the mean loss of held-out rows."""

    def __init__(self, network: nn.Module, valid: Rows[Any], batch_size: int) -> None:
        super().__init__(network)
        self._feed: RowFeed[Any] = RowFeed(valid, batch_size, 0)

    def loss(
        self, network: nn.Module, segment: Any, state: State | None, context: int
    ) -> tuple[Tensor, State | None, Tensor | None]:
        """The summed loss over a batch; no state and no penalty."""
        total_loss: Any = network.total_loss
        return total_loss(segment), None, None

    def validate(self, network: nn.Module) -> dict[str, float]:
        """The mean loss of a target on the held-out rows."""
        device = next(self.network.parameters()).device
        total = count = 0.0
        for number in range(len(self._feed)):
            batch = self._feed.window(number, number, 0)[0]
            total_loss: Any = self.network.total_loss
            total += float(total_loss(batch.to(device)))
            count += batch.count
        return {"loss": total / max(1.0, count)}
