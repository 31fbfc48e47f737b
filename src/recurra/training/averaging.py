"""The mean of the weights over the last part of a training (Polyak & Juditsky 1992)."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def stopped_improving(losses: Sequence[float], after: int) -> bool:
    """Non-monotone criterion: whether the last loss is worse than the best loss before the previous `after`.

    Source: S. Merity et al., Regularizing and optimizing LSTM language models (2018), algorithm 1.
    """
    older = losses[: -after - 1]
    return bool(older) and losses[-1] > min(older)


class WeightAverage:
    """The mean of a network's weights over all updates since averaging began."""

    def __init__(self) -> None:
        self.count = 0
        self._mean: dict[str, Tensor] = {}

    @property
    def begun(self) -> bool:
        """Whether averaging has begun."""
        return bool(self._mean)

    def begin(self, network: nn.Module) -> None:
        """Begin averaging; until the first update the mean is the current weights."""
        self.count = 0
        self._mean = {name: weight.detach().clone() for name, weight in network.named_parameters()}

    def update(self, network: nn.Module) -> None:
        """Include the weights after an update: mean += (weights - mean) / count."""
        if not self.begun:
            return
        self.count += 1
        named = dict(network.named_parameters())  # by name: restored tensors may be in another order
        with torch.no_grad():
            means, weights = [self._mean[name] for name in named], list[Tensor](named.values())
            torch._foreach_lerp_(means, weights, 1.0 / self.count)

    @contextmanager
    def in_place(self, network: nn.Module) -> Iterator[None]:
        """Replace the network's weights by their mean within the context, if averaging has begun."""
        if not self.begun:
            yield
            return
        weights = dict(network.named_parameters())
        kept = {name: weight.detach().clone() for name, weight in weights.items()}
        self._copy(self._mean, weights)
        try:
            yield
        finally:
            self._copy(kept, weights)

    def tensors(self) -> dict[str, Tensor]:
        """Return the means by weight name."""
        return dict(self._mean)

    def restore(self, tensors: Mapping[str, Tensor], count: int, device: torch.device) -> None:
        """Restore `tensors` and `count` from a checkpoint. Shapes: as the weights'."""
        self._mean = {name: tensor.to(device) for name, tensor in tensors.items()}
        self.count = count

    @staticmethod
    def _copy(source: Mapping[str, Tensor], to: Mapping[str, nn.Parameter]) -> None:
        with torch.no_grad():
            for name, weight in to.items():
                weight.copy_(source[name])
