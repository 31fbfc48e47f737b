"""The likelihood of held-out words over the whole vocabulary, and the figures of word vectors."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.errors import DataError
from recurra.kernels.word_vectors import WordContexts, WordLoss
from recurra.models.word_vectors.likelihood import Calibration, Pairs, calibrated, softmax_loss, tree_loss
from recurra.plain import counted
from recurra.tasks.vectors.config import VectorsConfig
from recurra.tasks.vectors.corpus import WordSymbols, WordText
from recurra.tasks.vectors.networks import VectorNetwork, make_trainer, word_rows

_TO_FIT = 500  # training pairs that the scale and the bias are fitted on


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


def drawn_pairs(
    config: VectorsConfig, symbols: WordSymbols, network: VectorNetwork, text: WordText, count: int
) -> Pairs:
    """Draw pairs of a context and its word from a text, one per position, sentences in a random order.

    Raises: DataError if no two known words of the text are in one line.
    """
    trainer = make_trainer(config, symbols, network, held_out=True)
    if config.objective == "glove":
        trainer.contexts = WordContexts("each", "nearby", config.window, shrink=False)
    rows = word_rows(network, config, symbols)
    order = np.random.default_rng(config.seed).permutation(text.words.sentences)
    hidden: list[Tensor] = []
    targets: list[int] = []
    for sentence in order.tolist():
        for position in trainer.positions(text.words.tokens, text.words.starts, sentence):
            context = rows[position.context]
            if trainer.contexts.hidden == "each":
                drawn = position.token % len(position.context)
                hidden.append(context[drawn])
            else:
                hidden.append(context.mean(0) if trainer.contexts.hidden == "mean" else context.flatten())
            targets.append(position.word)
        if len(targets) >= count:
            break
    if not targets:
        raise DataError(
            f"{text.source.path}: has no two known words in a line, so nothing can be predicted; give more "
            "text."
        )
    return Pairs(torch.stack(hidden[:count]), torch.tensor(targets[:count]))


def is_free(config: VectorsConfig) -> bool:
    """Whether the objective leaves the scale and the bias of the scores free."""
    return config.objective in ("negative-sampling", "glove")


def calibrate(config: VectorsConfig, symbols: WordSymbols, network: VectorNetwork, train: WordText) -> None:
    """Fit the scale and the bias, if they are free, on pairs of the training text; store them."""
    if not is_free(config):
        return
    pairs = drawn_pairs(config, symbols, network, train, _TO_FIT)
    fitted = calibrated(pairs, network.output.data, _own_biases(network), log_shares(symbols))
    network.calibration.copy_(torch.tensor(fitted))


def word_loss(config: VectorsConfig, symbols: WordSymbols, network: VectorNetwork, pairs: Pairs) -> float:
    """Return the mean of -log P(target | context) over the whole vocabulary, in nats."""
    if config.objective == "hierarchical-softmax":
        tree = make_trainer(config, symbols, network).outputs
        return tree_loss(pairs, network.output.data, tree)
    scale, bias = network.calibration.tolist()
    offsets = scale * _own_biases(network) + bias * log_shares(symbols)
    return softmax_loss(pairs, network.output.data, offsets, scale)


def log_shares(symbols: WordSymbols) -> Tensor:
    """Return the logarithm of each word's share of the training text. Shapes: result (V,)."""
    counts = torch.from_numpy(symbols.counts).double()
    return (counts / counts.sum()).log().float()


def _own_biases(network: VectorNetwork) -> Tensor:
    bias: Tensor | None = getattr(network, "output_bias", None)
    return torch.zeros(len(network.output)) if bias is None else bias.data


def judged(
    config: VectorsConfig, symbols: WordSymbols, network: VectorNetwork, text: WordText, count: int
) -> VectorFigures:
    """Evaluate vectors on a text."""
    pairs = drawn_pairs(config, symbols, network, text, count)
    found, fitted = WordLoss(0.0, 0), None
    if config.objective in ("negative-sampling", "hierarchical-softmax"):
        trainer, words = make_trainer(config, symbols, network, held_out=True), text.words
        found = trainer.run(words.tokens, words.starts, 0, words.sentences, update=False)
    if is_free(config):
        fitted = Calibration(*network.calibration.tolist())
    return VectorFigures(
        config.objective,
        found.total / found.predictions if found.predictions else None,
        found.predictions,
        word_loss(config, symbols, network, pairs),
        -float(log_shares(symbols).double()[pairs.targets].mean()),
        len(pairs.targets),
        len(text.words),
        text.words.words,
        fitted,
    )
