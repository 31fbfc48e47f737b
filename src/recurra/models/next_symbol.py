"""What all networks that predict the next symbol share: from features at each step to logits and losses."""

from abc import abstractmethod

import torch
from torch import Tensor, nn

from recurra.layers import State, linear_cross_entropy

_IGNORED = -100


class NextSymbolNetwork(nn.Module):
    """P(next symbol | all before it): logits_t = W features_t + b.

    A subclass has `embedding` and `output`, and makes the features.

    Shapes: inputs (B, T) ids; logits (B, T, V); the state is the subclass's.
    """

    embedding: nn.Embedding
    output: nn.Linear

    @property
    def vocabulary_size(self) -> int:
        """V."""
        return self.embedding.num_embeddings

    @property
    def device(self) -> torch.device:
        """Where the weights are, and inputs belong."""
        return self.embedding.weight.device

    @abstractmethod
    def initial_state(self, batch_size: int) -> State:
        """The state before anything is read."""

    @abstractmethod
    def features(
        self, inputs: Tensor, state: State | None, lengths: Tensor | None, resets: Tensor | None
    ) -> tuple[Tensor, State]:
        """What the output layer reads at each step, and the state after the last.

        Shapes: features (B, T, F), F the width that `output` takes.
        """

    def forward(
        self,
        inputs: Tensor,
        state: State | None = None,
        lengths: Tensor | None = None,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """Logits of each next symbol, and the state after the last.

        Shapes: inputs (B, T) int64; lengths (B,), from 0 to T; resets (B, T) bool, True where the
        state is set to zero before that step; logits (B, T, V).
        """
        features, state = self.features(inputs, state, lengths, resets)
        logits: Tensor = self.output(features)
        return logits, state

    def token_losses(
        self,
        inputs: Tensor,
        targets: Tensor,
        state: State | None = None,
        lengths: Tensor | None = None,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """-log P of each target, zero in padding, and the state after the last.

        Shapes: inputs, targets (B, T); losses (B, T), in nats.
        """
        hidden, state = self.features(inputs, state, lengths, resets)
        return self._losses(hidden, _without_padding(targets, lengths), "none"), state

    def _losses(self, hidden: Tensor, targets: Tensor, reduction: str) -> Tensor:
        return linear_cross_entropy(
            hidden, self.output.weight, self.output.bias, targets, ignore_index=_IGNORED, reduction=reduction
        )

    def total_loss(
        self,
        inputs: Tensor,
        targets: Tensor,
        state: State | None = None,
        lengths: Tensor | None = None,
        resets: Tensor | None = None,
        context: int = 0,
    ) -> tuple[Tensor, State]:
        """The sum of `token_losses` but for the first `context` steps, a scalar, and the state after
        the last step. Shapes as `token_losses`."""
        hidden, state = self.features(inputs, state, lengths, resets)
        counted = _without_padding(targets, lengths)
        total = self._losses(hidden[:, context:], counted[:, context:], "sum")
        if lengths is not None and not lengths.any():
            # No row takes a step: zero gradients all the same, as other processes wait for them.
            total = total + 0.0 * sum(parameter.sum() for parameter in self.parameters())
        return total, state


def _without_padding(targets: Tensor, lengths: Tensor | None) -> Tensor:
    """Targets with those past the ends of their rows ignored."""
    if lengths is None:
        return targets
    steps = torch.arange(targets.shape[1], device=targets.device)
    return targets.masked_fill(steps >= lengths.to(targets.device)[:, None], _IGNORED)
