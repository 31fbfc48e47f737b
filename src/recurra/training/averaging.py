"""The mean of the weights over the last part of a training (Polyak & Juditsky 1992)."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def stopped_improving(losses: Sequence[float], after: int) -> bool:
    """The non-monotone criterion: whether the last loss is no better than the best of all that are older
    than the `after` before it.

    Source: S. Merity et al., Regularizing and optimizing LSTM language models (2018), algorithm 1.
    """
    older = losses[: -after - 1]
    return bool(older) and losses[-1] > min(older)


class WeightAverage:
    """The mean of a network's weights after each update since it began; nothing before that."""

    def __init__(self) -> None:
        self.count = 0
        self._mean: dict[str, Tensor] = {}

    @property
    def begun(self) -> bool:
        """Whether there is a mean."""
        return bool(self._mean)

    def begin(self, network: nn.Module) -> None:
        """Begin with the weights as they are, which count until the first update."""
        self.count = 0
        self._mean = {name: weight.detach().clone() for name, weight in network.named_parameters()}

    def update(self, network: nn.Module) -> None:
        """Take note of the weights after an update: mean += (weights - mean) / count."""
        if not self.begun:
            return
        self.count += 1
        named = dict(network.named_parameters())  # by name: what was restored may be in another order
        with torch.no_grad():
            means, weights = [self._mean[name] for name in named], list[Tensor](named.values())
            torch._foreach_lerp_(means, weights, 1.0 / self.count)

    @contextmanager
    def in_place(self, network: nn.Module) -> Iterator[None]:
        """Let the network have the mean of its weights, if there is one."""
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
        """The means by the names of the weights."""
        return dict(self._mean)

    def restore(self, tensors: Mapping[str, Tensor], count: int, device: torch.device) -> None:
        """Go on from what `tensors` and `count` were. Shapes: as the weights'."""
        self._mean = {name: tensor.to(device) for name, tensor in tensors.items()}
        self.count = count

    @staticmethod
    def _copy(source: Mapping[str, Tensor], to: Mapping[str, nn.Parameter]) -> None:
        with torch.no_grad():
            for name, weight in to.items():
                weight.copy_(source[name])
