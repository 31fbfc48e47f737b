"""The training objective of an encoder-decoder."""

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from recurra.data.batches import PairBatch
from recurra.layers import State
from recurra.metrics.translation import count_texts
from recurra.models.seq2seq import Seq2SeqNetwork
from recurra.tasks.pretrained import tune_later
from recurra.tasks.seq2seq.config import Seq2SeqConfig
from recurra.tasks.seq2seq.feeds import EncodedPairs
from recurra.tasks.seq2seq.figures import criterion_of_score, score_of_pairs
from recurra.tasks.seq2seq.pretrained import pretrained_embeddings
from recurra.tasks.seq2seq.searching import search
from recurra.tasks.seq2seq.texts import texts_of
from recurra.training import Moment, Objective
from recurra.training.rows import RowFeed
from recurra.training.selection import LOSS, SCORE


class Seq2SeqObjective(Objective):
    """-log P of each reference symbol; validation also scores the outputs of a greedy search."""

    def __init__(self, network: Seq2SeqNetwork, valid: EncodedPairs, config: Seq2SeqConfig) -> None:
        super().__init__(network)
        self._network, self._config = network, config
        self._valid, self._sampled = valid, 0.0
        self._feed = RowFeed(valid, config.batch_size, config.seed)
        rows = config.validation_rows
        self._decoded = EncodedPairs(valid.pairs[:rows], valid.symbols) if rows else None
        self._score = score_of_pairs(valid.pairs).figure

    def loss(
        self, network: nn.Module, segment: PairBatch, state: State | None, context: int
    ) -> tuple[Tensor, State | None, Tensor | None]:
        """Return the summed loss over a batch; no state is carried over."""
        total_loss: Any = network.total_loss
        return total_loss(segment, self._sampled, self._config.label_smoothing), None, None

    def before_update(self, moment: Moment) -> None:
        """Set the scheduled sampling of the epoch, and whether pretrained vectors are trained."""
        config = self._config
        for embedding in pretrained_embeddings(self._network, config):
            tune_later(embedding.weight, config.tune_after, moment.epoch)
        self._sampled = config.scheduled_sampling * moment.epoch / max(1, config.epochs - 1)

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Return the mean loss per symbol on the validation pairs, and metrics of the greedy outputs for the
        first of them."""
        device = self._network.device
        total = count = 0.0
        for number in range(len(self._feed)):
            batch = self._feed.window(number, number, 0)[0]
            total += float(self._network.token_losses(batch.to(device)).sum())
            count += batch.count
        loss = total / max(1.0, count)
        figures = {"loss": loss, "perplexity": math.exp(min(loss, 700.0))}
        if self._decoded is not None and math.isfinite(loss):
            greedy = self._config.model_copy(update={"beam_width": 1, "beam_groups": 1})
            found = search(self._network, self._decoded, greedy)
            best = (answers[0].symbols for answers in found)
            texts = texts_of(self._network, self._decoded, best, greedy)
            scores = count_texts(texts, [pair.targets for pair in self._decoded.pairs])
            names = dict.fromkeys((self._score, "exact", self._config.keep_best))
            figures |= {name: getattr(scores, name) for name in names if name not in (SCORE, LOSS)}
        return figures

    def criterion(self, figures: Mapping[str, float]) -> float:
        """Return (1 - BLEU or chrF / 100) + (1 - exact match), where the loss breaks ties."""
        return criterion_of_score(figures, self._score)
