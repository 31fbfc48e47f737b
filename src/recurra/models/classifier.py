"""The classifier network: a label for one sequence."""

from collections import Counter
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.config import EncoderConfig
from recurra.data.batches import SequenceBatch, WordBatch
from recurra.layers import AttentionPooling, State, ends_of_state
from recurra.layers.pooling import pool_steps
from recurra.models.sequence_encoder import Encoded, SequenceReader
from recurra.models.tagger import ABSENT, LabelLoss
from recurra.models.word_input import InputSizes
from recurra.text import Vocabulary


class Pooled(nn.Module):
    """Encodes a sequence as one vector: its last state, mean, maximum, middle step, or attention pooling.

    Shapes: result (B, output_size).
    """

    def __init__(
        self,
        config: EncoderConfig,
        kind: str,
        pooling: str,
        sizes: InputSizes | None,
        vector_shape: tuple[int, ...],
    ) -> None:
        super().__init__()
        self.pooling = pooling if kind != "average" else "mean"
        self._bidirectional = config.bidirectional
        self.reader = SequenceReader(config, kind, sizes, vector_shape)
        self.output_size = self.reader.output_size
        self.attention = AttentionPooling(self.output_size) if self.pooling == "attention" else None

    def pool(self, read: Encoded) -> Tensor:
        """Return one vector per row. Shapes: result (B, output_size)."""
        if self.attention is not None:
            pooled: Tensor = self.attention(read.steps, read.lengths)
            return pooled
        if self.pooling == "last":
            assert read.state is not None, "pooling by the last state needs a recurrent network"
            ends = ends_of_state(read.state, bidirectional=self._bidirectional)
            last: Tensor = self.reader.dropout(ends.unsqueeze(1)).squeeze(1)
            return last
        return pool_steps(read.steps, read.lengths, self.pooling)


class ClassifierNetwork(nn.Module):
    """P(label | the whole sequence) = softmax(W pooled(encoder(x)) + b).

    Shapes: logits (B, K).
    """

    def __init__(
        self,
        config: EncoderConfig,
        num_labels: int,
        *,
        kind: str = "recurrent",
        pooling: str = "max",
        sizes: InputSizes | None = None,
        vector_shape: tuple[int, ...] = (),
        class_weights: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.smoothing = config.label_smoothing
        self.pooled = Pooled(config, kind, pooling, sizes, vector_shape)
        self.output = nn.Linear(self.pooled.output_size, num_labels)
        self.class_weights = class_weights  # used in training only

    @property
    def reader(self) -> SequenceReader:
        """The encoder of the sequence."""
        return self.pooled.reader

    def forward(
        self, given: Tensor | WordBatch, lengths: Tensor | None = None, state: State | None = None
    ) -> tuple[Tensor, State | None]:
        """Return the logits of each label, and the state after the last step.

        Shapes: given: ids (B, T) or a WordBatch, or vectors (B, T, …); lengths (B,), None where all rows have
        T steps; logits (B, K).
        """
        read = self.reader(given, lengths, state)
        return self.scores_of(read), read.state

    def scores_of(self, read: Encoded) -> Tensor:
        """Return the logits of each label from the encoder's output. Shapes: (B, K)."""
        logits: Tensor = self.output(self.pooled.pool(read))
        return logits

    def total_loss(self, batch: SequenceBatch, state: State | None = None) -> LabelLoss:
        """The summed loss over the batch's rows, and the state after it. Shapes: the loss is a scalar."""
        logits, after = self(*batch.inputs, state=state)
        return LabelLoss(summed_loss(logits, batch.label, self.class_weights, self.smoothing), after)


def summed_loss(logits: Tensor, label: Tensor | None, weights: Tensor | None, smoothing: float) -> Tensor:
    """Return the sum of -log P over the rows' labels. Shapes: logits (B, K); label (B,); weights (K,)."""
    assert label is not None, "a classifier learns from labels"
    weights = None if weights is None else weights.to(logits.device)
    return F.cross_entropy(
        logits, label, weights, reduction="sum", label_smoothing=smoothing, ignore_index=ABSENT
    )


def balanced_weights(labels: Iterable[str], names: Vocabulary) -> Tensor:
    """Return one weight per label, inversely proportional to its count; the mean over occurrences is 1.

        w_k = N / (K n_k)

    Shapes: result (K,).
    """
    counts = Counter(labels)
    total = sum(counts.values())
    return torch.tensor([total / (len(names) * max(1, counts[name])) for name in names.symbols])
