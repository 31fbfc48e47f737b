"""The networks of pairs: a label, or a score, for two texts."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.config import EncoderConfig
from recurra.data.batches import SequenceBatch, WordBatch
from recurra.layers import State
from recurra.layers.pooling import pool_steps, real_steps
from recurra.models.classifier import Pooled, summed_loss
from recurra.models.sequence_encoder import NoEncoder, RecurrentEncoder, SequenceReader
from recurra.models.tagger import LabelLoss
from recurra.models.word_input import InputSizes

Text = Tensor | WordBatch
_LIKENESS = 10.0  # initial weight of the cosine in the scores of an alignment


class Steps(NamedTuple):
    """The input vectors of texts. Shapes: vectors (B, T, I); lengths (B,), None where all have T steps."""

    vectors: Tensor
    lengths: Tensor | None


@dataclass(frozen=True)
class PairShape:
    """What a network of pairs computes, and from what.

    `outputs` is the number of labels; with `scores` the network has one output, the standardised score.
    `features` is the number of features of a pair that join the compared texts. With `symmetric`, the outputs
    do not depend on the order of the two texts.
    """

    outputs: int
    sizes: InputSizes | None = None
    kind: str = "recurrent"
    pooling: str = "max"
    scores: bool = False
    features: int = 0
    symmetric: bool = False


class PairNetwork(nn.Module):
    """Base class of the networks of pairs. Of a comparison v of both texts and features f, if there are any:

        z = relu(W1 [v; f] + b1);   outputs = W2 z + b2 + W3 f

    The outputs are the logits of the labels, or one standardised score.

    Shapes: result (B, K).
    """

    def __init__(self, config: EncoderConfig, shape: PairShape, compared_size: int) -> None:
        super().__init__()
        self.shape, self.smoothing = shape, config.label_smoothing
        self.class_weights: Tensor | None = None  # used in training only
        self.hidden = nn.Linear(compared_size + shape.features, config.hidden_size)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(config.hidden_size, shape.outputs)
        self.direct = nn.Linear(shape.features, shape.outputs, bias=False) if shape.features else None

    @property
    @abstractmethod
    def reader(self) -> SequenceReader:
        """The encoder of both texts."""

    @abstractmethod
    def compare(self, x: Steps, y: Steps, same: Tensor) -> Tensor:
        """Return one vector per pair of texts, from their input vectors.

        Shapes: same (B, T1, T2) bool, whether the texts have the same word; result (B, compared_size).
        """

    def forward(
        self,
        first: Text,
        first_lengths: Tensor | None,
        second: Text,
        second_lengths: Tensor | None = None,
        features: Tensor | None = None,
        state: None = None,
    ) -> tuple[Tensor, None]:
        """Return the outputs; there is no state.

        Shapes: texts: ids (B, T) or a WordBatch; lengths (B,), None where all rows have T steps; features
        (B, F); outputs (B, K).
        """
        x, y = self.reader.vectors(first), self.reader.vectors(second)
        same = same_words(first, second)
        return self.outputs_of(Steps(x, first_lengths), Steps(y, second_lengths), same, features), None

    def outputs_of(self, x: Steps, y: Steps, same: Tensor, features: Tensor | None = None) -> Tensor:
        """Return the outputs from the input vectors of both texts. Shapes: as `compare`; result (B, K)."""
        compared = self.compare(x, y, same)
        if self.direct is None:
            found: Tensor = self.output(self.dropout(torch.relu(self.hidden(compared))))
            return found
        assert features is not None, "the network has features"
        hidden = self.hidden(torch.cat([compared, features], dim=1))
        joined: Tensor = self.output(self.dropout(torch.relu(hidden))) + self.direct(features)
        return joined

    def total_loss(self, batch: SequenceBatch, state: State | None = None) -> LabelLoss:
        """The summed loss over the batch's rows: -log P of the labels, or the squared error of the scores.

        Shapes: the loss is a scalar.
        """
        outputs, _ = self(*batch.inputs)
        if not self.shape.scores:
            return LabelLoss(summed_loss(outputs, batch.label, self.class_weights, self.smoothing), None)
        assert batch.score is not None, "a network of scores learns from scores"
        known = ~batch.score.isnan()
        return LabelLoss(F.mse_loss(outputs.squeeze(1)[known], batch.score[known], reduction="sum"), None)


class SiameseNetwork(PairNetwork):
    """Compares two texts that one encoder has read apart:

        u, v = pooled(encoder(x)), pooled(encoder(y));   [u; v; |u - v|; u * v]

    With `symmetric`, u + v takes the place of u and v.

    Shapes: as `PairNetwork`.
    Source: A. Conneau et al., Supervised learning of universal sentence representations (2017).
    """

    def __init__(self, config: EncoderConfig, shape: PairShape) -> None:
        pooled = Pooled(config, shape.kind, shape.pooling, shape.sizes, ())
        super().__init__(config, shape, (3 if shape.symmetric else 4) * pooled.output_size)
        self.pooled = pooled

    @property
    def reader(self) -> SequenceReader:
        """The encoder of both texts."""
        return self.pooled.reader

    def compare(self, x: Steps, y: Steps, same: Tensor) -> Tensor:
        """Return the compared texts; `same` has no use. Shapes: result (B, compared_size)."""
        u, v = (self.pooled.pool(self.reader.encode(*text)) for text in (x, y))
        both = [u + v] if self.shape.symmetric else [u, v]
        return torch.cat([*both, (u - v).abs(), u * v], dim=1)


class Alignment(NamedTuple):
    """How much each word of a text attends to each word of the other one; rows sum to 1.

    Padding has weight 0. Shapes: first (B, T1, T2); second (B, T2, T1).
    """

    first: Tensor
    second: Tensor


class AlignedNetwork(PairNetwork):
    """Aligns two texts word by word, and composes the compared words. For the encoder's steps a, b:

        e_ij = a_i . b_j / sqrt(D) + t cos(x_i, y_j)
        a'_i = Σ_j softmax_j(e_ij) b_j;   b'_j = Σ_i softmax_i(e_ij) a_i
        c_i = relu(W [a_i; a'_i; |a_i - a'_i|; a_i * a'_i; s_i; m_i] + b)
        v = [mean and max of composer(c) of the first text; the same of the second text]

    x_i, y_j are the input vectors of the words, and t is learnt, from 10 on: without it, the scores of an
    untrained encoder are near 0, and few pairs of texts do not teach it where to attend. s_i is the largest
    cosine of x_i with a word of the other text, and m_i is 1 if the other text has the word too. The composer
    is a recurrent layer or, with kind "average", the identity; the scores e_ij are then of relu(W' a_i) and
    relu(W' b_j). With `symmetric`, v has the sum and the absolute difference of both texts.

    Shapes: as `PairNetwork`.
    Source: A. Parikh et al., A decomposable attention model for natural language inference (2016); Q. Chen et
    al., Enhanced LSTM for natural language inference (2017).
    """

    def __init__(self, config: EncoderConfig, shape: PairShape) -> None:
        reader = SequenceReader(config, shape.kind, shape.sizes, ())
        width, hidden = reader.output_size, config.hidden_size
        composer = RecurrentEncoder(config, hidden) if shape.kind == "recurrent" else NoEncoder(hidden)
        super().__init__(config, shape, 4 * composer.output_size)
        self.encoder, self.composer = reader, composer
        self.projection = nn.Linear(width, hidden) if shape.kind == "average" else None
        self.compared = nn.Linear(4 * width + 2, hidden)
        self.likeness = nn.Parameter(torch.tensor(_LIKENESS))

    @property
    def reader(self) -> SequenceReader:
        """The encoder of both texts."""
        return self.encoder

    def compare(self, x: Steps, y: Steps, same: Tensor) -> Tensor:
        """Return the compared texts. Shapes: as `PairNetwork.compare`."""
        a, b = self.reader.encode(*x).steps, self.reader.encode(*y).steps
        there, alike = _real_pairs(x, y), _cosines(x, y)
        weights = self._alignment(a, b, alike, there)
        alike, match = alike.masked_fill(~there, -1.0), (same & there).to(a.dtype)
        u = self._composed(a, weights.first @ b, alike, match, x.lengths)
        v = self._composed(b, weights.second @ a, alike.transpose(1, 2), match.transpose(1, 2), y.lengths)
        return torch.cat([u + v, (u - v).abs()] if self.shape.symmetric else [u, v], dim=1)

    def alignment(
        self, first: Text, first_lengths: Tensor | None, second: Text, second_lengths: Tensor | None
    ) -> Alignment:
        """Return the alignment of both texts. Shapes: as `forward`."""
        x = Steps(self.reader.vectors(first), first_lengths)
        y = Steps(self.reader.vectors(second), second_lengths)
        a, b = self.reader.encode(*x).steps, self.reader.encode(*y).steps
        return self._alignment(a, b, _cosines(x, y), _real_pairs(x, y))

    def _alignment(self, a: Tensor, b: Tensor, alike: Tensor, there: Tensor) -> Alignment:
        if self.projection is not None:
            a, b = torch.relu(self.projection(a)), torch.relu(self.projection(b))
        scores = a @ b.transpose(1, 2) / a.shape[2] ** 0.5 + self.likeness * alike
        return Alignment(_softmax(scores, there), _softmax(scores.transpose(1, 2), there.transpose(1, 2)))

    def _composed(
        self, steps: Tensor, aligned: Tensor, alike: Tensor, match: Tensor, lengths: Tensor | None
    ) -> Tensor:
        """Return mean and maximum of the composed comparisons of a text. Shapes: result (B, 2C)."""
        parts = [steps, aligned, (steps - aligned).abs(), steps * aligned]
        parts += [_largest(alike, -1.0).unsqueeze(2), _largest(match, 0.0).unsqueeze(2)]
        compared = self.dropout(torch.relu(self.compared(torch.cat(parts, dim=2))))
        composed, _ = self.composer(compared, lengths, None)
        return torch.cat([pool_steps(composed, lengths, how) for how in ("mean", "max")], dim=1)


def same_words(first: Text, second: Text) -> Tensor:
    """Return which known words are the same; 0 is <unk>. Shapes: result (B, T1, T2) bool."""
    a, b = (text.ids if isinstance(text, WordBatch) else text for text in (first, second))
    return (a.unsqueeze(2) == b.unsqueeze(1)) & (a > 0).unsqueeze(2)


def _cosines(x: Steps, y: Steps) -> Tensor:
    """Return the cosines of the input vectors of both texts. Shapes: result (B, T1, T2)."""
    return F.normalize(x.vectors, dim=2) @ F.normalize(y.vectors, dim=2).transpose(1, 2)


def _real_pairs(x: Steps, y: Steps) -> Tensor:
    """Return which pairs of steps are not padding. Shapes: result (B, T1, T2) bool."""
    return real_steps(*x).unsqueeze(2) & real_steps(*y).unsqueeze(1)


def _largest(values: Tensor, empty: float) -> Tensor:
    """Return the maximum over the last axis, `empty` where it has no steps. Shapes: (B, T1, T2), (B, T1)."""
    return values.amax(2) if values.shape[2] else values.new_full(values.shape[:2], empty)


def _softmax(scores: Tensor, there: Tensor) -> Tensor:
    """Return weights over the pairs that are `there`, zero elsewhere. Shapes: scores (B, T1, T2)."""
    # Minus infinity would give NaN where there are no words.
    lowest = torch.finfo(scores.dtype).min
    return scores.masked_fill(~there, lowest).softmax(2).masked_fill(~there, 0.0)
