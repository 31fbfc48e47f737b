"""Metrics of an encoder-decoder: the loss of the references, and the quality of its outputs."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recurra.data.batches import BucketedOrder
from recurra.data.readers.pairs import Pair
from recurra.metrics.translation import TextFigures, TextScore, count_texts, score_of_texts
from recurra.models.evaluating import evaluating
from recurra.models.seq2seq import Seq2SeqNetwork
from recurra.results import Result
from recurra.tasks.seq2seq.config import Seq2SeqConfig
from recurra.tasks.seq2seq.feeds import EncodedPairs
from recurra.tasks.seq2seq.searching import search
from recurra.tasks.seq2seq.texts import texts_of
from recurra.training.selection import LOSS, SCORE, Metric, with_ties

METRICS = {"bleu": Metric("bleu", 100.0), "chrf": Metric("chrf", 100.0), "exact": Metric("exact")}
"""The metrics of outputs that can select the best checkpoint, by their names as options."""


@dataclass(frozen=True, repr=False)
class PairFigures(Result):
    """Metrics on pairs: the loss of the references, and the quality of the outputs.

    `loss` is the mean -log P per reference symbol, including the ends, in nats; `texts` compares the outputs
    `answers` with `references`.
    """

    loss: float
    symbols: int
    texts: TextFigures
    answers: tuple[str, ...] = ()
    references: tuple[tuple[str, ...], ...] = ()

    @property
    def perplexity(self) -> float:
        """exp of the loss; infinite if it is too large."""
        return math.exp(self.loss) if self.loss < 700 else math.inf

    def sentence(self) -> str:
        """Return the metrics as one readable line."""
        return f"{self.texts.sentence()}; perplexity {self.perplexity:,.3f} per symbol"

    def main(self) -> dict[str, float]:
        """Return the main metrics: BLEU, or chrF if most references are short, and exact match."""
        return self.texts.main()

    def criterion(self, keep_best: str) -> float:
        """Return the criterion of the option `keep_best`, score, loss or a metric; lower is better."""
        if keep_best == LOSS:
            return self.loss
        texts = self.texts
        figures = {LOSS: self.loss, "bleu": texts.bleu, "chrf": texts.chrf, "exact": texts.exact}
        if keep_best == SCORE:
            return criterion_of_score(figures, texts.score.figure)
        return METRICS[keep_best].criterion(figures)

    @classmethod
    def pooled(cls, parts: Sequence["PairFigures"]) -> "PairFigures":
        """Return the metrics over the outputs of several models together."""
        symbols = sum(one.symbols for one in parts)
        loss = sum(one.loss * one.symbols for one in parts) / max(1, symbols)
        answers = tuple(text for one in parts for text in one.answers)
        references = tuple(texts for one in parts for texts in one.references)
        return cls(loss, symbols, count_texts(answers, references), answers, references)

    def lines(self) -> list[str]:
        """Return the metrics as readable lines."""
        return [self.sentence(), *(f"{note}." for note in self.texts.score.notes())]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        found = {"loss": self.loss, "perplexity": self.perplexity, "symbols": self.symbols}
        return found | self.texts.to_dict()


def measure(network: Seq2SeqNetwork, pairs: EncodedPairs, config: Seq2SeqConfig) -> PairFigures:
    """Compute the metrics of a network on pairs, with the search options of the configuration."""
    total, count = 0.0, 0
    order = BucketedOrder(pairs.lengths, config.batch_size, 0, shuffle=False)
    with evaluating(network):
        for number in range(len(order)):
            batch = pairs.batch(order.batch(number).tolist()).to(network.device)
            total += float(network.token_losses(batch).double().sum())
            count += batch.count
        answers = search(network, pairs, config)
        texts = tuple(texts_of(network, pairs, (found[0].symbols for found in answers), config))
    references = tuple(tuple(pair.targets) for pair in pairs.pairs)
    return PairFigures(total / max(1, count), count, count_texts(texts, references), texts, references)


def score_of_pairs(pairs: Iterable[Pair]) -> TextScore:
    """Return the metric to report for pairs, by their references."""
    return score_of_texts(target for pair in pairs for target in pair.targets)


def criterion_of_score(figures: Mapping[str, float], metric: str) -> float:
    """Return (1 - BLEU / 100) + (1 - exact match), where the loss breaks ties.

    `metric` is "bleu", or "chrf" in its place. Without figures of outputs, return the loss.
    """
    if metric not in figures:
        return figures[LOSS]
    return with_ties(2.0 - figures[metric] / 100 - figures["exact"], figures)
