"""Base class of the networks that predict the next symbol: from features to logits and losses."""

from abc import abstractmethod
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from recurra.config import RecurrentPart
from recurra.errors import ConfigError
from recurra.layers import AdaptiveSoftmaxOutput, SoftmaxOutput

_IGNORED = -100
NetworkState = Any
"""The state that a network carries from step to step: nested tensors, each with the rows on axis 1."""


class Features(NamedTuple):
    """The input of the output layer at each step, and the same before dropout.

    Shapes: both (B, T, F).
    """

    read: Tensor
    raw: Tensor


class SegmentLoss(NamedTuple):
    """The sum of -log P over a segment's targets, the state after it, and a penalty that is added to the mean
    loss.

    Shapes: total and penalty are scalars.
    """

    total: Tensor
    state: NetworkState
    penalty: Tensor | None = None


class NextSymbolNetwork(nn.Module):
    """P(next symbol | all before it): logits_t = W features_t + b.

    A subclass defines `embedding` and `output`, and computes the features.

    Shapes: inputs (B, T) ids; logits (B, T, V); the state is the subclass's.
    """

    embedding: nn.Embedding
    output: SoftmaxOutput | AdaptiveSoftmaxOutput

    @property
    def vocabulary_size(self) -> int:
        """Vocabulary size V."""
        return self.embedding.num_embeddings

    @property
    def device(self) -> torch.device:
        """Device of the weights, on which inputs must be."""
        return self.embedding.weight.device

    @abstractmethod
    def initial_state(self, batch_size: int) -> NetworkState:
        """Return the state before the first symbol."""

    @abstractmethod
    def features(
        self, inputs: Tensor, state: NetworkState | None, lengths: Tensor | None, resets: Tensor | None
    ) -> tuple[Features, NetworkState]:
        """Return the input of the output layer at each step, and the state after the last step.

        Shapes: features (B, T, F), F the width that `output` takes.
        """

    def penalty(self, features: Features) -> Tensor | None:
        """Return a penalty that is added to the mean loss, a scalar; None for no penalty.

        Shapes: features (B, T, F).
        """
        return None

    def forward(
        self,
        inputs: Tensor,
        state: NetworkState | None = None,
        lengths: Tensor | None = None,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, NetworkState]:
        """Return the logits of each next symbol, and the state after the last step.

        Shapes: inputs (B, T) int64; lengths (B,), from 0 to T; resets (B, T) bool, True where the
        state is set to zero before that step; logits (B, T, V).
        """
        features, state = self.features(inputs, state, lengths, resets)
        logits: Tensor = self.output(features.read)
        return logits, state

    def token_losses(
        self,
        inputs: Tensor,
        targets: Tensor,
        state: NetworkState | None = None,
        lengths: Tensor | None = None,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, NetworkState]:
        """Return -log P of each target, zero in padding, and the state after the last step.

        Shapes: inputs, targets (B, T); losses (B, T), in nats.
        """
        features, state = self.features(inputs, state, lengths, resets)
        return self.losses(features.read, _without_padding(targets, lengths)), state

    def losses(self, features: Tensor, targets: Tensor, reduction: str = "none") -> Tensor:
        """Return -log P of each target, or their sum; zero where a target is -100.

        Shapes: features (B, T, F); targets (B, T); losses (B, T), or () for the sum.
        """
        return self.output.losses(features, targets, _IGNORED, reduction)

    def total_loss(
        self,
        inputs: Tensor,
        targets: Tensor,
        state: NetworkState | None = None,
        lengths: Tensor | None = None,
        resets: Tensor | None = None,
        context: int = 0,
    ) -> SegmentLoss:
        """Return the sum of `token_losses` without the first `context` steps, the state after the last step,
        and the penalty on the steps that count.

        Shapes: inputs, targets (B, T).
        """
        features, state = self.features(inputs, state, lengths, resets)
        counted = Features(*(part[:, context:] for part in features))
        total = self.losses(counted.read, _without_padding(targets, lengths)[:, context:], "sum")
        if lengths is not None and not lengths.any():
            # No row has a step: zero gradients are needed, as other processes wait for them.
            total = total + 0.0 * sum(parameter.sum() for parameter in self.parameters())
        return SegmentLoss(total, state, self.penalty(counted))


def output_layer(
    features: int, vocabulary_size: int, *, adaptive: bool
) -> SoftmaxOutput | AdaptiveSoftmaxOutput:
    """Build the output layer for a vocabulary sorted from most to least frequent symbol."""
    if adaptive:
        return AdaptiveSoftmaxOutput(features, vocabulary_size)
    return SoftmaxOutput(features, vocabulary_size)


def initialise(network: NextSymbolNetwork, config: RecurrentPart) -> None:
    """Tie the weights of the output layer, if configured, and draw the initial weights.

    Raises: ConfigError if tied weights do not fit.
    """
    if config.tie_weights:
        width = network.output.in_features
        if isinstance(network.output, AdaptiveSoftmaxOutput) or width != network.embedding.embedding_dim:
            raise ConfigError(
                f"tie_weights: needs an embedding size, {network.embedding.embedding_dim}, equal to the "
                f"output layer's input size, {width}, and no adaptive_softmax."
            )
        network.output.weight = network.embedding.weight
        # Small enough that the initial logits are near zero, as embedding and as output matrix.
        nn.init.normal_(network.embedding.weight, std=network.embedding.embedding_dim**-0.5)
    if config.init_scale is not None:
        for parameter in network.parameters():
            nn.init.uniform_(parameter, -config.init_scale, config.init_scale)


def _without_padding(targets: Tensor, lengths: Tensor | None) -> Tensor:
    """Return the targets with those in the padding set to -100."""
    if lengths is None:
        return targets
    steps = torch.arange(targets.shape[1], device=targets.device)
    return targets.masked_fill(steps >= lengths.to(targets.device)[:, None], _IGNORED)
