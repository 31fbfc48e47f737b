"""Rows encoded as numbers, and the batches that the training loop reads."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recurra.data.batches import SequenceBatch, Turns, WordBatch, pad, word_batch
from recurra.data.examples import Example, conversations
from recurra.errors import ConfigError
from recurra.models.tagger import ABSENT
from recurra.tasks.labelling.config import LabellingConfig
from recurra.tasks.labelling.corpus import texts_of
from recurra.text.label_symbols import ScoreScale, Symbols
from recurra.text.word_table import WordTable


class EncodedRows:
    """Rows encoded as numbers, and batches of them."""

    def __init__(self, rows: Sequence[Example], symbols: Symbols, max_words: int | None = None) -> None:
        self.symbols = symbols
        self.rows = rows if max_words is None else [shortened(row, max_words) for row in rows]
        rows = self.rows
        self.lengths = [len(row) + (len(row.second) if row.second is not None else 0) for row in rows]
        self._table: WordTable | None = None
        self._words: list[NDArray[np.int64]] = []
        self._seconds: list[NDArray[np.int64]] = []
        self._lists: list[NDArray[np.int8]] = []
        self._second_lists: list[NDArray[np.int8]] = []
        if symbols.words is not None:
            self._table = WordTable(symbols.words, (word for words in texts_of(rows) for word in words))
            self._words = [self._table.rows_of(row.words) for row in rows]
            self._seconds = [self._table.rows_of(row.second or ()) for row in rows]
        if symbols.gazetteer is not None:
            self._lists = [symbols.gazetteer.codes(row.words) for row in rows]
            self._second_lists = [symbols.gazetteer.codes(row.second or ()) for row in rows]
        self._labels = [self._label_ids(row) for row in rows] if symbols.labels is not None else []
        self._scores = None if symbols.scale is None else _standardised(rows, symbols.scale)
        self._features: Tensor | None = None
        if symbols.features is not None:
            pairs = [(row.words, row.second or ()) for row in rows]
            self._features = torch.from_numpy(symbols.features.of_pairs(pairs))

    def _label_ids(self, row: Example) -> NDArray[np.int64]:
        assert self.symbols.labels is not None, "only called if words have labels"
        ids = self.symbols.labels.ids
        return np.array([ids.get(tag, ABSENT) for tag in row.labels or [""] * len(row)], dtype=np.int64)

    def batch(self, chosen: Sequence[int], *, count: int | None = None, fresh: bool = True) -> SequenceBatch:
        """Return some rows as a batch.

        `count` is the number of targets over all processes; by default that of these rows.
        """
        rows = [self.rows[i] for i in chosen]
        vectors = None
        if self._table is None:
            vectors = torch.from_numpy(pad([np.asarray(row.vectors) for row in rows]))
        labels = None
        if self.symbols.labels is not None:
            labels = torch.from_numpy(pad([self._labels[i] for i in chosen], fill=ABSENT))
        label = None
        if self.symbols.classes is not None:
            ids = self.symbols.classes.ids
            label = torch.tensor([ids.get(row.label or "", ABSENT) for row in rows])
        return SequenceBatch(
            words=self._batch_of(self._words, self._lists, chosen),
            vectors=vectors,
            lengths=torch.tensor([len(row) for row in rows], dtype=torch.int64),
            second=self._batch_of(self._seconds, self._second_lists, chosen)
            if rows[0].second is not None
            else None,
            labels=labels,
            label=label,
            score=None if self._scores is None else self._scores[list(chosen)],
            features=None if self._features is None else self._features[list(chosen)],
            count=self.targets(chosen) if count is None else count,
            rows=tuple(int(i) for i in chosen),
            fresh=fresh,
        )

    def targets(self, chosen: Sequence[int]) -> int:
        """Return the number of targets of some rows: words for word labels, otherwise rows."""
        if self.symbols.labels is None:
            return len(chosen)
        return max(1, sum(len(self.rows[i]) for i in chosen))

    def blank(self, batch: SequenceBatch) -> SequenceBatch:
        """Return the batch with all targets ignored, so that nothing is learnt from it."""
        labels, label = (
            None if part is None else torch.full_like(part, ABSENT) for part in (batch.labels, batch.label)
        )
        score = None if batch.score is None else torch.full_like(batch.score, math.nan)
        return replace(batch, labels=labels, label=label, score=score)

    def _batch_of(
        self, words: Sequence[NDArray[np.int64]], lists: Sequence[NDArray[np.int8]], chosen: Sequence[int]
    ) -> WordBatch | None:
        if self._table is None:
            return None
        return word_batch(
            self._table, [words[i] for i in chosen], [lists[i] for i in chosen] if lists else None
        )


def _standardised(rows: Sequence[Example], scale: ScoreScale) -> Tensor:
    """Return the standardised scores of rows, nan where there is none. Shapes: result (N,)."""
    return torch.tensor(
        [math.nan if row.score is None else scale.standardised(row.score) for row in rows],
        dtype=torch.float32,
    )


def shortened(row: Example, most: int) -> Example:
    """Return a row of at most `most` words; a longer row keeps its first and last words, half each."""

    def cut(words: tuple[str, ...]) -> tuple[str, ...]:
        return words if len(words) <= most else words[: most - most // 2] + words[-(most // 2) :]

    return replace(row, words=cut(row.words), second=None if row.second is None else cut(row.second))


class ConversationFeed:
    """Feeds batches of conversations turn by turn; a batch groups conversations of similar numbers of turns.

    A segment has the next `turns_together` turns. A conversation that has ended takes no more steps. The
    batches stay the same; their order is shuffled in each epoch.

    Raises: ConfigError for several processes.
    """

    def __init__(
        self, rows: Sequence[Example], symbols: Symbols, config: LabellingConfig, *, processes: int = 1
    ) -> None:
        if processes > 1:
            raise ConfigError("conversations: training works with one process only; start without torchrun.")
        groups = sorted(([rows[i] for i in group] for group in conversations(rows)), key=len)
        # A row without steps and labels, for conversations that have ended.
        no_vectors = np.zeros((0, *symbols.vector_shape), dtype=np.float32) if symbols.vector_shape else None
        every = [*(row for group in groups for row in group), Example(vectors=no_vectors)]
        self._encoded = EncodedRows(every, symbols, config.max_words)
        firsts = np.cumsum([0, *map(len, groups)]).tolist()
        self._nothing = firsts[-1]
        size = config.batch_size
        self._batches = [
            [(firsts[i], len(groups[i])) for i in range(at, min(at + size, len(groups)))]
            for at in range(0, len(groups), size)
        ]
        self._turns = [max(turns for _, turns in batch) for batch in self._batches]
        self._together = config.turns_together
        self._segments = [-(-turns // self._together) for turns in self._turns]
        self._seed = config.seed
        self.batch_rows = size

    def __len__(self) -> int:
        """Number of segments per epoch."""
        return sum(self._segments)

    def window(self, first: int, last: int, epoch: int) -> tuple[Turns, int]:
        """Return segment `last` of an epoch; earlier segments are not joined to it."""
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self._batches))
        ends = np.cumsum([self._segments[i] for i in order])
        place = int(np.searchsorted(ends, last, side="right"))
        group = int(order[place])
        begin = (last - int(ends[place]) + self._segments[group]) * self._together
        end = min(begin + self._together, self._turns[group])
        return Turns(tuple(self._turn(group, turn) for turn in range(begin, end))), 0

    def _turn(self, group: int, turn: int) -> SequenceBatch:
        chosen = [begin + turn if turn < turns else self._nothing for begin, turns in self._batches[group]]
        real = [row for row in chosen if row != self._nothing]
        return self._encoded.batch(chosen, count=self._encoded.targets(real), fresh=turn == 0)
