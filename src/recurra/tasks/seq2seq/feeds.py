"""Pairs encoded as numbers, and batches of them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recurra.data.batches import PairBatch, pad
from recurra.data.readers.pairs import Pair
from recurra.tasks.seq2seq.symbols import PairSymbols

Ids = NDArray[np.int64]


class EncodedPairs:
    """Encoded pairs, with one row per target of each pair; `pair_of` maps a row to its pair.

    `longest` is the maximum number of symbols of a source and of a target; rows with more are left out and
    counted in `too_long`.
    """

    def __init__(
        self, pairs: Sequence[Pair], symbols: PairSymbols, longest: tuple[int, int] | None = None
    ) -> None:
        self.pairs, self.symbols = pairs, symbols
        self.pair_of: list[int] = []
        self.too_long = 0
        self._targets: list[Ids] = []
        text = symbols.source is not None
        every = [symbols.encode_source(pair.source) if text else [] for pair in pairs]
        self.sources: list[Ids] = [np.array(ids, dtype=np.int64) for ids in every]
        for number, pair in enumerate(pairs):
            for target in pair.targets:
                ids = np.array(symbols.encode_target(target, pair.source), dtype=np.int64)
                if longest is not None and (len(every[number]) > longest[0] or len(ids) > longest[1]):
                    self.too_long += 1
                else:
                    self.pair_of.append(number)
                    self._targets.append(ids)

    def pieces(self, pair: int) -> tuple[str, ...]:
        """Return the text of each symbol of a pair's source."""
        return self.symbols.pieces(self.pairs[pair].source)

    @property
    def lengths(self) -> list[int]:
        """Length of each row for sorting: by target, which costs more, then by source."""
        return [
            1000 * len(target) + min(999, len(self.sources[pair]))
            for pair, target in zip(self.pair_of, self._targets, strict=True)
        ]

    def targets(self, chosen: Sequence[int]) -> int:
        """Return the number of target symbols of some rows, including their ends."""
        return sum(len(self._targets[i]) + 1 for i in chosen)

    def batch(self, chosen: Sequence[int], *, count: int | None = None) -> PairBatch:
        """Return some rows as a batch."""
        targets = [self._targets[i] for i in chosen]
        batch = self.sources_of([self.pair_of[i] for i in chosen])
        return replace(
            batch,
            target=torch.from_numpy(pad(targets)),
            target_lengths=_lengths(targets),
            count=self.targets(chosen) if count is None else count,
        )

    def sources_of(self, pairs: Sequence[int]) -> PairBatch:
        """Return the sources of some pairs as a batch, with empty targets."""
        none = torch.zeros(len(pairs), 0, dtype=torch.int64)
        source = vectors = None
        lengths = torch.ones(len(pairs), dtype=torch.int64)
        if self.symbols.source is None:
            vectors = torch.from_numpy(np.stack([np.asarray(self.pairs[i].vectors) for i in pairs]))
        else:
            sources = [self.sources[i] for i in pairs]
            source, lengths = torch.from_numpy(pad(sources)), _lengths(sources)
        return PairBatch(source, lengths, none, lengths * 0, self.symbols.end, vectors)

    def blank(self, batch: PairBatch) -> PairBatch:
        """Return the batch with all targets ignored, so that nothing is learnt from it."""
        return replace(batch, blank=True)


def _lengths(rows: Sequence[Ids]) -> Tensor:
    return torch.tensor([len(row) for row in rows], dtype=torch.int64)
