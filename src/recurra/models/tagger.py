"""The tagger network: a label for each step of a sequence and, optionally, one for the whole sequence."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.config import EncoderConfig
from recurra.data.batches import SequenceBatch, WordBatch
from recurra.layers import ConditionalRandomField, Constraints, State
from recurra.layers.pooling import pool_steps, real_steps
from recurra.models.sequence_encoder import SequenceReader
from recurra.models.word_input import InputSizes

ABSENT = -1  # where there is no label


class LabelLoss(NamedTuple):
    """The summed loss over a batch's targets, and the state after it. Shapes: total is a scalar."""

    total: Tensor
    state: State | None


class TagScores(NamedTuple):
    """The scores of a tagger for a batch, and its final state.

    Shapes: labels (B, T, K); classes (B, classes), or None without sentence labels.
    """

    labels: Tensor
    classes: Tensor | None
    state: State | None


class TaggerNetwork(nn.Module):
    """P(label_t | all words):

        h_t = encoder(x)_t;   e_t = W h_t + b;   softmax(e_t), or a CRF over all e, or for two labels σ(e_t)

    With `num_classes` also a sentence label, by max pooling over the steps: softmax(V max_t h_t + c).

    Shapes: emissions e (B, T, K).
    """

    def __init__(
        self,
        config: EncoderConfig,
        num_labels: int,
        *,
        kind: str = "recurrent",
        decoder: str = "softmax",
        num_classes: int = 0,
        sentence_loss_weight: float = 1.0,
        sizes: InputSizes | None = None,
        vector_shape: tuple[int, ...] = (),
        constraints: Constraints | None = None,
        label_weights: Tensor | None = None,
        class_weights: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.decoder, self.sentence_loss_weight = decoder, sentence_loss_weight
        self.smoothing = config.label_smoothing
        self.reader = SequenceReader(config, kind, sizes, vector_shape)
        self.output = nn.Linear(self.reader.output_size, 1 if decoder == "sigmoid" else num_labels)
        self.crf = ConditionalRandomField(num_labels, constraints) if decoder == "crf" else None
        self.classes = nn.Linear(self.reader.output_size, num_classes) if num_classes else None
        # Not buffers: they are used in training only, and not saved with the weights.
        self.label_weights, self.class_weights = label_weights, class_weights

    def forward(
        self, given: Tensor | WordBatch, lengths: Tensor | None = None, state: State | None = None
    ) -> TagScores:
        """Return the scores of each label at each step and of each sentence label, and the final state.

        Shapes: given: ids (B, T) or a WordBatch, or vectors (B, T, F); lengths (B,), None where all rows have
        T steps; see TagScores.
        """
        read = self.reader(given, lengths, state)
        classes = None
        if self.classes is not None:
            classes = self.classes(pool_steps(read.steps, lengths, "max"))
        return TagScores(self.output(read.steps), classes, read.state)

    def total_loss(self, batch: SequenceBatch, state: State | None = None) -> LabelLoss:
        """Return the summed loss of all labels, with sentence labels weighted, and the final state.

        Shapes: batch.labels (B, T); batch.label (B,).
        """
        emissions, classes, after = self(*batch.inputs, state=state)
        assert batch.labels is not None, "a tagger learns from labels"
        total = self._steps_loss(emissions, batch.labels, batch.lengths)
        if classes is not None:
            assert batch.label is not None, "a tagger with classes learns from sentence labels"
            weights = None if self.class_weights is None else self.class_weights.to(classes.device)
            loss = F.cross_entropy(classes, batch.label, weights, reduction="sum", ignore_index=ABSENT)
            total = total + self.sentence_loss_weight * loss
        return LabelLoss(total, after)

    def _steps_loss(self, emissions: Tensor, labels: Tensor, lengths: Tensor) -> Tensor:
        if self.crf is not None:
            # A row with an unseen label has no probability, so it does not count.
            unseen = (labels == ABSENT) & real_steps(emissions, lengths)
            losses = self.crf.losses(emissions, labels.clamp(min=0), lengths)
            return losses.masked_fill(unseen.any(1), 0.0).sum()
        weights = None if self.label_weights is None else self.label_weights.to(emissions.device)
        if self.decoder == "sigmoid":
            weight = None if weights is None else weights[1] / weights[0]
            losses = F.binary_cross_entropy_with_logits(
                emissions.squeeze(2), (labels == 1).to(emissions.dtype), pos_weight=weight, reduction="none"
            )
            return losses.masked_fill(labels == ABSENT, 0.0).sum()
        return F.cross_entropy(
            emissions.flatten(0, 1),
            labels.flatten(),
            weights,
            ignore_index=ABSENT,
            reduction="sum",
            label_smoothing=self.smoothing,
        )

    def probabilities(self, emissions: Tensor, temperature: float = 1.0) -> Tensor:
        """Return P(label) at each step independently, without a CRF, from emissions / temperature.

        Shapes: (B, T, K) in and out; with decoder sigmoid, emissions (B, T, 1).
        """
        scores = emissions if temperature == 1.0 else emissions / temperature
        if self.decoder == "sigmoid":
            yes = torch.sigmoid(scores)
            return torch.cat([1 - yes, yes], dim=2)
        return scores.softmax(2)
