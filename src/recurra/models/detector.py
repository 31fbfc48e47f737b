"""The network that detects words in a stream of frames, one decision per step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.config import RecurrentNetworkConfig
from recurra.layers import State
from recurra.models.recurrent import build_recurrent


@dataclass(frozen=True)
class FrameBatch:
    """Segments of streams: stacked frames with a label per step and word.

    `count` is the number of targets over all processes. Shapes: frames (B, T, I); labels (B, T, K), 1 after a
    word's end, 0 elsewhere, -1 where it does not matter.
    """

    frames: Tensor
    labels: Tensor
    count: int

    def to(self, device: torch.device) -> "FrameBatch":
        """Return the batch on another device."""
        return FrameBatch(self.frames.to(device), self.labels.to(device), self.count)


class DetectorNetwork(nn.Module):
    """A recurrent network over frames x_t with a probability per word k and step:

        h_t = recurrent(x_t, h_{t-1});   P(word k has just ended | x_1 … x_t) = sigmoid(w_k . h_t + b_k)

    `thresholds` are the probabilities at which a word is detected; they are saved with the weights.

    Shapes: frames (B, T, I); logits (B, T, K); thresholds (K,).
    """

    thresholds: Tensor

    def __init__(
        self, config: RecurrentNetworkConfig, input_size: int, words: int, positive_weight: float = 1.0
    ) -> None:
        super().__init__()
        self.positive_weight = positive_weight  # used in training only
        self.input_dropout = nn.Dropout(config.input_dropout)
        self.recurrent = build_recurrent(config, input_size, config.hidden_size, config.num_layers)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(self.recurrent.output_size, words)
        self.register_buffer("thresholds", torch.full((words,), 0.5))

    def forward(self, frames: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Return the logits of each step, and the state after the last one.

        Shapes: frames (B, T, I); logits (B, T, K).
        """
        output, state = self.recurrent(self.input_dropout(frames), state)
        logits: Tensor = self.output(self.dropout(output))
        return logits, state

    def total_loss(self, batch: FrameBatch, state: State | None = None) -> tuple[Tensor, State]:
        """Return the summed loss of a batch and the state after it.

        The loss of a label y with probability p is -(y c log p + (1 - y) log(1 - p)), where c is
        `positive_weight`. Shapes: the loss is a scalar.
        """
        logits, state = self(batch.frames, state)
        return self.loss_of(logits, batch.labels), state

    def loss_of(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the summed loss of logits; labels of -1 do not count. Shapes: (B, T, K); a scalar."""
        weight = torch.full((), self.positive_weight, device=logits.device)
        losses = F.binary_cross_entropy_with_logits(
            logits, labels.clamp(min=0).to(logits.dtype), pos_weight=weight, reduction="none"
        )
        return losses.masked_fill(labels < 0, 0.0).sum()

    def set_thresholds(self, thresholds: Sequence[float]) -> None:
        """Set the probability of each word at which it is detected."""
        with torch.no_grad():
            self.thresholds.copy_(torch.tensor(thresholds))

    def initial_state(self, batch_size: int) -> Any:
        """Return the state before a stream."""
        return self.recurrent.initial_state(batch_size)
