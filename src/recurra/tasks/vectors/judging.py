"""The likelihood of held-out words over the whole vocabulary, and the figures of word vectors."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.data.word_files import WordFile
from recurra.kernels.word_vectors import WordContexts, WordLoss
from recurra.kernels.word_vectors_reference import Position
from recurra.models.word_vectors.likelihood import (
    Calibration,
    Pairs,
    calibrated,
    one_thread,
    softmax_loss,
    tree_loss,
)
from recurra.plain import counted
from recurra.tasks.vectors.config import VectorReadingPart, VectorsConfig
from recurra.tasks.vectors.corpus import WordSymbols, WordText, nothing_to_predict
from recurra.tasks.vectors.networks import Tables, VectorNetwork, make_trainer, word_rows
from recurra.tasks.vectors.softmax import text_loss

PAIRS = VectorReadingPart.model_fields["pairs"].default
"""Number of pairs of a text that the likelihood over the whole vocabulary is computed for, if not given."""
_SHUFFLED = 1 << 20  # tokens of a text that are put into a random order
# Training pairs that the scale and the bias are fitted on; fewer if the vocabulary is large.
_TO_FIT, _LEAST_TO_FIT, _SCORES_TO_FIT = 500, 100, 1 << 25


@dataclass(frozen=True)
class VectorFigures:
    """Figures of word vectors on a text.

    `loss` is the mean of the objective per prediction (per pair of words for GloVe); None for GloVe on a text
    that it was not trained on. `word_loss` is the mean of -log P(word | context) over the vocabulary for
    `pairs` drawn pairs, in nats, which is comparable between objectives; `unigram_loss` is that of the words'
    frequencies alone. `calibration` is what was fitted on training pairs, if the objective leaves it free.
    """

    objective: str
    loss: float | None
    predictions: int
    word_loss: float
    unigram_loss: float
    pairs: int
    known: int
    words: int
    calibration: Calibration | None = None

    def main(self) -> dict[str, float]:
        """Return the main figures by name."""
        own = {} if self.loss is None else {"loss": self.loss}
        return own | {"word_loss": self.word_loss}

    def sentence(self) -> str:
        """Return the figures as a sentence."""
        own = "" if self.loss is None else f"loss {self.loss:.4f} nats per prediction ({self.objective}), "
        fitted = self.calibration
        free = "" if fitted is None else f" with scale {fitted.scale:.3f} and bias {fitted.bias:.3f}"
        return (
            f"{own}{self.word_loss:.4f} nats per word over the whole vocabulary{free} "
            f"({counted(self.pairs, 'pair')}; by frequency alone {self.unigram_loss:.4f}); "
            f"{1 - self.known / max(1, self.words):.1%} of the words are unknown"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as plain values."""
        found: dict[str, Any] = {
            "word_loss": self.word_loss,
            "unigram_loss": self.unigram_loss,
            "pairs": self.pairs,
            "words": self.words,
            "known_words": self.known,
        }
        if self.loss is not None:
            found |= {"loss": self.loss, "predictions": self.predictions}
        if self.calibration is not None:
            found |= {"scale": self.calibration.scale, "bias": self.calibration.bias}
        return found


class Judge:
    """Computes the figures of a network whose vectors may change, with the tables that they need.

    The network may be on any device; the likelihood over the whole vocabulary is computed on the CPU.
    """

    def __init__(
        self,
        config: VectorsConfig,
        symbols: WordSymbols,
        network: VectorNetwork,
        tables: Tables | None = None,
    ) -> None:
        self._config, self._symbols, self._network = config, symbols, network
        self._tables = Tables.of(config, symbols) if tables is None else tables
        self._trainer = make_trainer(config, symbols, network, self._tables, held_out=True)
        self._drawn: dict[tuple[str, int], list[Position]] = {}
        if config.objective == "glove":
            self._trainer.contexts = WordContexts("each", "nearby", config.window, shrink=False)

    @property
    def is_free(self) -> bool:
        """Whether the objective leaves the scale and the bias of the scores free."""
        return self._config.objective in ("negative-sampling", "glove")

    def check(self, *texts: WordText) -> None:
        """Refuse texts without predictions. Raises: DataError."""
        for text in texts:
            self.pairs(text, 1)

    def loss(self, text: WordText) -> WordLoss | None:
        """Return the objective's loss on a text; None for GloVe, which depends on the counts of the text."""
        if self._config.objective == "glove":
            return None
        if self._config.objective == "softmax":
            return text_loss(self._network, text, self._tables.contexts, self._config.seed)
        words = text.words
        return self._trainer.run(words.tokens, words.starts, 0, words.sentences, update=False)

    def pairs(self, text: WordText, count: int) -> Pairs:
        """Draw pairs of a context and its word, at most one per position, uniformly from the whole text.

        Raises: DataError if no two known words of the text are in one line.
        """
        key = (text.words.fingerprint, count)
        if key not in self._drawn:  # they are the same at each validation
            self._drawn[key] = list(islice(self._positions(text.words, count), count))
        if not self._drawn[key]:
            raise nothing_to_predict(text)
        rows, how = word_rows(self._network, self._tables.parts).cpu(), self._trainer.contexts.hidden
        hidden: list[Tensor] = []
        for position in self._drawn[key]:
            context = rows[position.context]
            if how == "each":
                hidden.append(context[position.token % len(position.context)])
            else:
                hidden.append(context.mean(0) if how == "mean" else context.flatten())
        return Pairs(torch.stack(hidden), torch.tensor([each.word for each in self._drawn[key]]))

    def _positions(self, words: WordFile, count: int) -> Iterator[Position]:
        """Yield positions that have a context, in a random order."""
        for token in _drawn_tokens(len(words), count, self._config.seed):
            position = self._trainer.position_at(words.tokens, words.starts, token)
            if position is not None:
                yield position

    def calibrate(self, train: WordText) -> None:
        """Fit the scale and the bias, if they are free, on pairs of the training text; store them."""
        if not self.is_free:
            return
        output = self._output()
        pairs = self.pairs(train, max(_LEAST_TO_FIT, min(_TO_FIT, _SCORES_TO_FIT // len(output))))
        with one_thread():
            fitted = calibrated(pairs, output, self._biases(), self._log_shares())
        self._network.calibration.copy_(torch.tensor(fitted))

    def word_loss(self, pairs: Pairs) -> float:
        """Return the mean of -log P(target | context) over the whole vocabulary, in nats."""
        output = self._output()
        with one_thread():
            if self._tables.outputs.is_tree:
                return tree_loss(pairs, output, self._tables.outputs)
            scale, bias = self._network.calibration.tolist()
            offsets = scale * self._biases() + bias * self._log_shares()
            return softmax_loss(pairs, output, offsets, scale)

    def figures(self, text: WordText, count: int) -> VectorFigures:
        """Return all figures on a text, with `count` pairs for the likelihood over the whole vocabulary.

        Raises: DataError as `pairs`.
        """
        pairs, own = self.pairs(text, count), self.loss(text)
        return VectorFigures(
            self._config.objective,
            own.total / own.predictions if own is not None and own.predictions else None,
            0 if own is None else own.predictions,
            self.word_loss(pairs),
            -float(self._log_shares().double()[pairs.targets].mean()),
            len(pairs.targets),
            len(text.words),
            text.words.words,
            Calibration(*self._network.calibration.tolist()) if self.is_free else None,
        )

    def _log_shares(self) -> Tensor:
        """Return the logarithm of each word's share of the training text. Shapes: result (V,)."""
        counts = torch.from_numpy(self._symbols.counts).double()
        return (counts / counts.sum()).log().float()

    def _output(self) -> Tensor:
        """Return the vectors of predicted words on the CPU, like all that the likelihood is computed from."""
        return self._network.output.data.cpu()

    def _biases(self) -> Tensor:
        bias: Tensor | None = getattr(self._network, "output_bias", None)
        return torch.zeros(len(self._network.output)) if bias is None else bias.data.cpu()


def _drawn_tokens(tokens: int, count: int, seed: int) -> Iterator[int]:
    """Yield all tokens in a random order, or of a large text some, of which some may have no context."""
    draws = np.random.default_rng(seed)
    if tokens <= _SHUFFLED:
        yield from draws.permutation(tokens).tolist()
        return
    drawn = draws.choice(tokens, min(tokens, 8 * count), replace=False).tolist()
    yield from drawn
    seen = set(drawn)  # nearly all lines have one word: look at every token before the text is refused
    yield from (token for token in range(tokens) if token not in seen)
