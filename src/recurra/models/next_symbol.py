"""What all networks that predict the next symbol share: from features at each step to logits and losses."""

from abc import abstractmethod
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from recurra.config import RecurrentPart
from recurra.errors import ConfigError
from recurra.layers import AdaptiveSoftmaxOutput, SoftmaxOutput

_IGNORED = -100
NetworkState = Any
"""What a network carries from step to step: any nest of tensors, with the rows on axis 1 of each."""


class Features(NamedTuple):
    """What the output layer reads at each step, and the same before dropout.

    Shapes: both (B, T, F).
    """

    read: Tensor
    raw: Tensor


class SegmentLoss(NamedTuple):
    """The sum of -log P over a segment's targets, the state after it, and what is to be minimised beside the
    mean of it.

    Shapes: total and penalty are scalars.
    """

    total: Tensor
    state: NetworkState
    penalty: Tensor | None = None


class NextSymbolNetwork(nn.Module):
    """P(next symbol | all before it): logits_t = W features_t + b.

    A subclass has `embedding` and `output`, and makes the features.

    Shapes: inputs (B, T) ids; logits (B, T, V); the state is the subclass's.
    """

    embedding: nn.Embedding
    output: SoftmaxOutput | AdaptiveSoftmaxOutput

    @property
    def vocabulary_size(self) -> int:
        """V."""
        return self.embedding.num_embeddings

    @property
    def device(self) -> torch.device:
        """Where the weights are, and inputs belong."""
        return self.embedding.weight.device

    @abstractmethod
    def initial_state(self, batch_size: int) -> NetworkState:
        """The state before anything is read."""

    @abstractmethod
    def features(
        self, inputs: Tensor, state: NetworkState | None, lengths: Tensor | None, resets: Tensor | None
    ) -> tuple[Features, NetworkState]:
        """What the output layer reads at each step, and the state after the last.

        Shapes: features (B, T, F), F the width that `output` takes.
        """

    def penalty(self, features: Features) -> Tensor | None:
        """What is to be minimised beside the mean loss, a scalar; None for nothing.

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
        """Logits of each next symbol, and the state after the last.

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
        """-log P of each target, zero in padding, and the state after the last.

        Shapes: inputs, targets (B, T); losses (B, T), in nats.
        """
        features, state = self.features(inputs, state, lengths, resets)
        return self.losses(features.read, _without_padding(targets, lengths)), state

    def losses(self, features: Tensor, targets: Tensor, reduction: str = "none") -> Tensor:
        """-log P of each target, or their sum; zero where a target is -100.

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
        """The sum of `token_losses` but for the first `context` steps, the state after the last step, and
        the penalty on those steps.

        Shapes: inputs, targets (B, T).
        """
        features, state = self.features(inputs, state, lengths, resets)
        counted = Features(*(part[:, context:] for part in features))
        total = self.losses(counted.read, _without_padding(targets, lengths)[:, context:], "sum")
        if lengths is not None and not lengths.any():
            # No row takes a step: zero gradients all the same, as other processes wait for them.
            total = total + 0.0 * sum(parameter.sum() for parameter in self.parameters())
        return SegmentLoss(total, state, self.penalty(counted))


def output_layer(
    features: int, vocabulary_size: int, *, adaptive: bool
) -> SoftmaxOutput | AdaptiveSoftmaxOutput:
    """The output layer over a vocabulary whose most frequent symbols come first."""
    if adaptive:
        return AdaptiveSoftmaxOutput(features, vocabulary_size)
    return SoftmaxOutput(features, vocabulary_size)


def initialise(network: NextSymbolNetwork, config: RecurrentPart) -> None:
    """Tie the weights of the output layer where that is asked for, and draw first weights.

    Raises: ConfigError where tied weights cannot fit.
    """
    if config.tie_weights:
        width = network.output.in_features
        if isinstance(network.output, AdaptiveSoftmaxOutput) or width != network.embedding.embedding_dim:
            raise ConfigError(
                f"tie_weights: a symbol's vector has {network.embedding.embedding_dim} numbers, the output "
                f"layer reads {width}; they must be as many, and without adaptive_softmax."
            )
        network.output.weight = network.embedding.weight
        # Small enough that the first logits are near zero, whichever role the matrix plays.
        nn.init.normal_(network.embedding.weight, std=network.embedding.embedding_dim**-0.5)
    if config.init_scale is not None:
        for parameter in network.parameters():
            nn.init.uniform_(parameter, -config.init_scale, config.init_scale)


def _without_padding(targets: Tensor, lengths: Tensor | None) -> Tensor:
    """Targets with those past the ends of their rows ignored."""
    if lengths is None:
        return targets
    steps = torch.arange(targets.shape[1], device=targets.device)
    return targets.masked_fill(steps >= lengths.to(targets.device)[:, None], _IGNORED)
