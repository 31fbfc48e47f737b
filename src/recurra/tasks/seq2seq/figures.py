"""Metrics of an encoder-decoder: the loss of the references, and the quality of its outputs."""

import math
from dataclasses import dataclass
from typing import Any

from recurra.data.batches import BucketedOrder
from recurra.metrics.translation import TextFigures, count_texts
from recurra.models.evaluating import evaluating
from recurra.models.seq2seq import Seq2SeqNetwork
from recurra.results import Result
from recurra.tasks.seq2seq.config import Seq2SeqConfig
from recurra.tasks.seq2seq.feeds import EncodedPairs
from recurra.tasks.seq2seq.searching import search
from recurra.tasks.seq2seq.texts import texts_of


@dataclass(frozen=True, repr=False)
class PairFigures(Result):
    """Metrics on pairs: the loss of the references, and the quality of the outputs.

    `loss` is the mean -log P per reference symbol, including the ends, in nats; `texts` compares the outputs
    `answers` with the references.
    """

    loss: float
    symbols: int
    texts: TextFigures
    answers: tuple[str, ...] = ()

    @property
    def perplexity(self) -> float:
        """exp of the loss; infinite if it is too large."""
        return math.exp(self.loss) if self.loss < 700 else math.inf

    def sentence(self) -> str:
        """Return the metrics as one readable line."""
        return f"{self.texts.sentence()}; perplexity {self.perplexity:,.3f} per symbol"

    def main(self) -> dict[str, float]:
        """Return the main metrics."""
        return {"bleu": self.texts.bleu, "exact": self.texts.exact}

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
    figures = count_texts(texts, [pair.targets for pair in pairs.pairs])
    return PairFigures(total / max(1, count), count, figures, texts)
