"""The training objective of taggers and classifiers."""

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from recurra.data.batches import SequenceBatch, Turns
from recurra.layers import State
from recurra.models.evaluating import evaluating
from recurra.models.sequence_encoder import RecurrentEncoder
from recurra.tasks.labelling.choosing import criterion_of_score, score_of
from recurra.tasks.labelling.config import LabellingConfig
from recurra.tasks.labelling.feeds import ConversationFeed, EncodedRows
from recurra.tasks.labelling.figures import measure_rows
from recurra.tasks.labelling.predicting import LabellingNetwork
from recurra.tasks.pretrained import tune_later
from recurra.training import Moment, Objective
from recurra.training.rows import RowFeed


class LabellingObjective(Objective):
    """The loss of the labels; in conversations the state is carried from turn to turn."""

    def __init__(
        self, network: LabellingNetwork, valid: EncodedRows, config: LabellingConfig, *, in_turns: bool
    ) -> None:
        super().__init__(network)
        self._in_turns = in_turns
        self._valid_feed: RowFeed[SequenceBatch] | ConversationFeed
        if in_turns:
            self._valid_feed = ConversationFeed(valid.rows, valid.symbols, config)
        else:
            self._valid_feed = RowFeed(valid, config.batch_size, config.seed)
        self._network, self._valid, self._config = network, valid, config

    def loss(
        self, network: nn.Module, segment: SequenceBatch | Turns, state: State | None, context: int
    ) -> tuple[Tensor, State | None, Tensor | None]:
        """Return the summed loss over a batch, and the state after it if the next batch continues it."""
        turns = segment.turns if isinstance(segment, Turns) else (segment,)
        return *self._total(cast(LabellingNetwork, network), turns, state), None

    def _total(
        self, network: LabellingNetwork, turns: Sequence[SequenceBatch], state: State | None
    ) -> tuple[Tensor, State | None]:
        """Return the summed loss over turns and the final state, which is carried from turn to turn."""
        totals = []
        for turn in turns:
            found = network.total_loss(turn, None if turn.fresh else state)
            state = found.state if self._in_turns else None
            totals.append(found.total)
        return torch.stack(totals).sum(), state

    def before_update(self, moment: Moment) -> None:
        """Train pretrained vectors only after `tune_after` epochs, if it is set."""
        words = self._network.reader.words
        if words is None or not isinstance(words.words, nn.Embedding):
            return
        tune_later(words.words.weight, self._config.tune_after, moment.epoch)

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Return the mean loss per target and the metrics on the validation rows."""
        device = next(self._network.parameters()).device
        total = count = 0.0
        state: State | None = None
        with evaluating(self._network):
            for number in range(len(self._valid_feed)):
                segment = self._valid_feed.window(number, number, 0)[0].to(device)
                turns = segment.turns if isinstance(segment, Turns) else (segment,)
                of_segment, state = self._total(self._network, turns, state)
                total += float(of_segment)
                count += segment.count
        figures = measure_rows(self._network, self._valid).of_validation(self._config.keep_best)
        return {"loss": total / max(1.0, count), **figures}

    def criterion(self, figures: Mapping[str, float]) -> float:
        """Return the sum of 1 - metric over the metrics of the score; the loss breaks ties."""
        return criterion_of_score(figures, score_of(self._valid.symbols))

    def initial_state(self, batch_size: int) -> State | None:
        """Return the state at the start of a conversation; None if rows are independent."""
        encoder = self._network.reader.encoder
        if not self._in_turns or not isinstance(encoder, RecurrentEncoder):
            return None
        return encoder.recurrent.initial_state(batch_size)
