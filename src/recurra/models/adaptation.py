"""Models that adapt to the text they are evaluated on: by a cache of recent symbols, or by updates of the
weights. Each symbol is predicted before the model learns from it, so the losses are valid."""

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from recurra.arguments import checks_arguments
from recurra.data import Segment, TokenStreams
from recurra.errors import ConfigError
from recurra.layers import detach_state
from recurra.models import NextSymbolNetwork, NGramNetwork
from recurra.models.reading import NetworkReader, Reader

_STATISTICS_STREAMS = 20
_STATISTICS_STEPS = 35
_MOST_STATISTICS = 1500  # maximum number of training segments for the sizes of the gradients


@checks_arguments
@dataclass(frozen=True)
class CacheOptions:
    """Options of a neural cache.

        p = (1 - weight)·p_model + weight·p_cache;   p_cache(w) ∝ Σ_{i: x_{i+1} = w} exp(sharpness · h_t·h_i)

    over the last `size` hidden states h_i, each with the symbol that followed it.

    Source: E. Grave, A. Joulin & N. Usunier, Improving neural language models with a continuous cache (2017).
    """

    size: int = 500
    sharpness: float = 0.3
    weight: float = 0.1

    def __post_init__(self) -> None:
        if self.size < 1 or not 0 < self.weight < 1 or self.sharpness < 0:
            raise ConfigError(
                f"cache: got size {self.size}, sharpness {self.sharpness}, weight {self.weight}, expected "
                "size >= 1, sharpness >= 0 and weight between 0 and 1."
            )


@checks_arguments
@dataclass(frozen=True)
class DynamicOptions:
    """Options of dynamic evaluation: after every `steps` symbols one update makes them more probable,

        θ ← θ - rate·g / (s + 0.002) + decay·(θ_trained - θ)·s / mean(s)

    with s the root mean square of each weight's gradient on the training text.

    Source: B. Krause et al., Dynamic evaluation of neural sequence models (2018), the RMS form.
    """

    rate: float = 1e-4
    decay: float = 1e-3
    steps: int = 5

    def __post_init__(self) -> None:
        if self.rate <= 0 or self.decay < 0 or self.steps < 1:
            raise ConfigError(
                f"dynamic: got rate {self.rate}, decay {self.decay}, steps {self.steps}, expected rate > 0, "
                "decay >= 0 and steps >= 1."
            )


class _Cache:
    """The last hidden states, each with the symbol that followed it."""

    def __init__(self, options: CacheOptions) -> None:
        self.options = options
        self._hidden: Tensor | None = None
        self._symbols: Tensor | None = None

    def mix(self, losses: Tensor, hidden: Tensor, targets: Tensor) -> Tensor:
        """Return the losses of the mixture, and add the segment to the cache.

        Shapes: losses, targets (1, T); hidden (1, T, H).
        """
        size, own, symbols = self.options.size, hidden[0].float(), targets[0]
        if self._hidden is None or self._symbols is None:
            self._hidden, self._symbols = own[:0], symbols[:0]
        before = len(self._symbols)
        self._hidden, self._symbols = torch.cat([self._hidden, own]), torch.cat([self._symbols, symbols])
        places = torch.arange(len(self._symbols), device=own.device)
        now = places[before:, None]
        seen = (places < now) & (places >= now - size)
        scores = (self.options.sharpness * own @ self._hidden.t()).masked_fill(~seen, -torch.inf)
        # A row that sees no earlier symbol is all -inf: its softmax is NaN, and its weight is zero.
        shares = scores.double().softmax(dim=-1).nan_to_num(0.0)
        p_cache = (shares * (self._symbols == symbols[:, None])).sum(dim=-1)
        weight = torch.where(seen.any(dim=-1), self.options.weight, 0.0).double()
        mixed = torch.log((1 - weight) * torch.exp(-losses[0].double()) + weight * p_cache)
        self._hidden, self._symbols = self._hidden[-size:], self._symbols[-size:]
        return -mixed.unsqueeze(0)


class CachedReader(NetworkReader[NextSymbolNetwork]):
    """Reads a text with a neural cache; one stream only."""

    segment_length = 128

    def __init__(self, network: NextSymbolNetwork, options: CacheOptions) -> None:
        super().__init__(network)
        self._cache = _Cache(options)

    @torch.no_grad()
    def read(self, segment: Segment, state: Any) -> tuple[Tensor, Any]:
        """Return -log P of each target under the mixture, and the final state. Shapes: losses (1, T)."""
        features, state = self.network.features(segment.inputs, state, segment.lengths, segment.resets)
        losses = self.network.losses(features.read, segment.targets)
        return self._cache.mix(losses, features.read, segment.targets), state


class DynamicReader(NetworkReader[NextSymbolNetwork]):
    """Reads a text while a copy of the network learns from it, optionally with a cache; one stream only."""

    def __init__(
        self,
        network: NextSymbolNetwork,
        options: DynamicOptions,
        sizes: dict[str, Tensor],
        cache: CacheOptions | None = None,
    ) -> None:
        super().__init__(copy.deepcopy(network).eval())
        self.options, self.segment_length = options, options.steps
        self._cache = None if cache is None else _Cache(cache)
        self._trained = {name: weight.detach().clone() for name, weight in self.network.named_parameters()}
        self._slowness = {name: 1.0 / (size + 0.002) for name, size in sizes.items()}
        mean = torch.cat([size.flatten() for size in sizes.values()]).mean()
        self._pull = {name: (options.decay * size / mean).clamp(max=1.0) for name, size in sizes.items()}

    def read(self, segment: Segment, state: Any) -> tuple[Tensor, Any]:
        """Return -log P of each target, before the network learns from it, and the state after the last step.

        Shapes: losses (1, T).
        """
        # cuDNN has no backward in evaluation mode.
        with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
            features, state = self.network.features(segment.inputs, state, segment.lengths, segment.resets)
            losses = self.network.losses(features.read, segment.targets)
            losses.mean().backward()
        self._learn()
        read, losses = features.read.detach(), losses.detach()
        if self._cache is not None:
            losses = self._cache.mix(losses, read, segment.targets)
        return losses, detach_state(state)

    @torch.no_grad()
    def _learn(self) -> None:
        for name, weight in self.network.named_parameters():
            weight.addcmul_(self._pull[name], self._trained[name] - weight)
            if weight.grad is not None:
                weight.addcmul_(weight.grad, self._slowness[name], value=-self.options.rate)
                weight.grad = None


def gradient_sizes(network: NextSymbolNetwork, streams: TokenStreams) -> dict[str, Tensor]:
    """Return the root mean square of each weight's gradient over segments of a text.

    Shapes: the same as the weights.
    """
    network = copy.deepcopy(network).eval()
    squares = {name: torch.zeros_like(weight) for name, weight in network.named_parameters()}
    state, count = None, min(len(streams), _MOST_STATISTICS)
    for index in range(count):
        segment = streams.segment(index).to(network.device)
        with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
            total, after, _ = network.total_loss(
                segment.inputs, segment.targets, state, segment.lengths, segment.resets
            )
            (total / segment.count).backward()
        state = detach_state(after)
        with torch.no_grad():
            for name, weight in network.named_parameters():
                if weight.grad is not None:
                    squares[name].addcmul_(weight.grad, weight.grad)
                    weight.grad = None
    return {name: (square / max(1, count)).sqrt() for name, square in squares.items()}


def statistics_streams(ids: Any, start_id: int) -> TokenStreams:
    """Return the training text as streams for `gradient_sizes`. Shapes: ids (N,)."""
    return TokenStreams(
        ids,
        start_id=start_id,
        batch_size=max(1, min(_STATISTICS_STREAMS, len(ids) // _STATISTICS_STEPS)),
        segment_length=min(_STATISTICS_STEPS, len(ids)),
    )


def adapting_reader(
    network: NextSymbolNetwork | NGramNetwork,
    cache: CacheOptions | None,
    dynamic: DynamicOptions | None,
    training_streams: Any,
) -> Reader | None:
    """Return the reader for the options, or None if there are no options; `training_streams()` is called only
    if the training text is needed.

    Raises: ConfigError for an n-gram model.
    """
    if cache is None and dynamic is None:
        return None
    if isinstance(network, NGramNetwork):
        raise ConfigError("cache and dynamic: apply to neural networks, not to n-gram models; remove them.")
    if dynamic is None:
        assert cache is not None
        return CachedReader(network, cache)
    return DynamicReader(network, dynamic, gradient_sizes(network, training_streams()), cache)
