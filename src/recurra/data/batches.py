"""Batches of whole sequences of similar length (little padding), reproducible from a seed."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recurra.text.word_table import WordTable

Batch = TypeVar("Batch", "SequenceBatch", "PairBatch")
_POOL = 50  # number of batches that are sorted by length together


class WordBatch(NamedTuple):
    """Words of a batch; characters, trigrams, casing and shape are stored once per distinct word.

    `lists` has the codes of `Gazetteer` for the matches of word lists, or None without lists.

    Shapes: ids (B, T), 0 for <unk>; places (B, T), the row of each word in what follows: characters (U, C)
    and trigrams (U, G), -1 past the end; casing, shapes (U,); character_lengths (U,) and lengths (B,), on the
    CPU; lists (B, T, types).
    """

    ids: Tensor
    places: Tensor
    characters: Tensor
    character_lengths: Tensor
    trigrams: Tensor
    casing: Tensor
    lengths: Tensor
    shapes: Tensor | None = None
    lists: Tensor | None = None

    def to(self, device: torch.device) -> "WordBatch":
        """Return the batch on another device; lengths are not moved."""
        stay = ("lengths", "character_lengths")
        moved = {n: t for n, t in self._asdict().items() if t is not None and n not in stay}
        return self._replace(**{name: tensor.to(device) for name, tensor in moved.items()})


@dataclass(frozen=True)
class SequenceBatch:
    """Sequences of words or of vectors, with their labels where known.

    `count` is the number of targets over all processes; the summed loss is divided by it. `rows` holds the
    indices of the examples. `fresh` is false if the rows continue the conversations of the previous batch.

    Shapes: vectors (B, T, F) or (B, T, C, H, W); lengths (B,), on the CPU; labels (B, T), -1 where there is
    none; label (B,); score (B,), standardised, nan where there is none; features (B, F), of pairs.
    """

    words: WordBatch | None
    vectors: Tensor | None
    lengths: Tensor
    second: WordBatch | None = None
    labels: Tensor | None = None
    label: Tensor | None = None
    score: Tensor | None = None
    features: Tensor | None = None
    count: int = 1
    rows: tuple[int, ...] = ()
    fresh: bool = True

    @property
    def inputs(self) -> tuple[Any, ...]:
        """Arguments of a network's `forward`: words or vectors, and lengths; for pairs, of both texts, and
        their features, if there are any."""
        first = (self.vectors if self.words is None else self.words, self.lengths)
        if self.second is None:
            return first
        both = (*first, self.second, self.second.lengths)
        return both if self.features is None else (*both, self.features)

    def to(self, device: torch.device) -> "SequenceBatch":
        """Return the batch on another device; lengths are not moved."""
        return _moved(self, device, stay=("lengths",))


@dataclass(frozen=True)
class Turns:
    """Consecutive turns of the same conversations, one batch per turn."""

    turns: tuple[SequenceBatch, ...]

    @property
    def count(self) -> int:
        """Number of targets in all turns."""
        return sum(turn.count for turn in self.turns)

    def to(self, device: torch.device) -> "Turns":
        """Return the turns on another device; lengths are not moved."""
        return Turns(tuple(turn.to(device) for turn in self.turns))


@dataclass(frozen=True)
class PairBatch:
    """Sources (symbols or numbers) with their targets.

    `end` is the symbol that ends a target; `count` is the number of target symbols over all processes, end
    symbols included. The loss ignores all targets of a `blank` batch.

    Shapes: source (B, S) and target (B, T) ids, 0 in padding; their lengths (B,), on the CPU; vectors
    (B, …).
    """

    source: Tensor | None
    source_lengths: Tensor
    target: Tensor
    target_lengths: Tensor
    end: int
    vectors: Tensor | None = None
    count: int = 1
    blank: bool = False

    def to(self, device: torch.device) -> "PairBatch":
        """Return the batch on another device; lengths are not moved."""
        return _moved(self, device, stay=("source_lengths", "target_lengths"))

    @property
    def inputs(self) -> tuple[Tensor, Tensor]:
        """Inputs of a network: symbols or numbers, and their lengths. Shapes: (B, S) or (B, …); (B,)."""
        given = self.source if self.vectors is None else self.vectors
        assert given is not None, "a pair has a source"
        return given, self.source_lengths

    def steps(self, start: int, ignored: int = -100) -> tuple[Tensor, Tensor]:
        """Return the decoder's inputs (`start`, then the target) and targets (the target, then the end).

        Shapes: both (B, T + 1).
        """
        target, lengths = self.target, self.target_lengths.to(self.target.device).unsqueeze(1)
        inputs = nn.functional.pad(target, (1, 0), value=start)
        places = torch.arange(inputs.shape[1], device=target.device)
        wanted = nn.functional.pad(target, (0, 1)).masked_fill(places == lengths, self.end)
        return inputs, wanted.masked_fill((places > lengths) | self.blank, ignored)


def _moved(batch: Batch, device: torch.device, stay: Sequence[str]) -> Batch:
    if device.type == "cpu":
        return batch
    parts = {field.name: getattr(batch, field.name) for field in fields(batch)}
    moved: dict[str, Any] = {
        name: part.to(device)
        for name, part in parts.items()
        if isinstance(part, Tensor | WordBatch) and name not in stay
    }
    return replace(batch, **moved)


def pad(rows: Sequence[NDArray[Any]], fill: float = 0, width: int | None = None) -> NDArray[Any]:
    """Pad rows of different lengths into one array. Shapes: rows (T_b, …); result (B, T, …)."""
    longest = max(map(len, rows), default=0) if width is None else width
    dtype = np.result_type(*{row.dtype for row in rows})
    padded = np.full((len(rows), longest, *rows[0].shape[1:]), fill, dtype=dtype)
    for row, values in zip(padded, rows, strict=True):
        row[: len(values)] = values
    return padded


def word_batch(
    table: WordTable, rows: Sequence[NDArray[np.int64]], lists: Sequence[NDArray[np.int8]] | None = None
) -> WordBatch:
    """Make a batch of words from sequences that are given as rows of a word table, with the codes of their
    words in word lists, if there are any.

    Shapes: each of rows (T_b,); each of lists (T_b, types).
    """
    padded = pad(rows)
    used, places = np.unique(padded, return_inverse=True)
    lengths = table.lengths[used]
    of_characters = table.characters[used][:, : max(1, int(lengths.max(initial=1)))]
    trigrams = table.trigrams[used]
    widest = max(1, int((trigrams >= 0).sum(axis=1).max(initial=1)))
    return WordBatch(
        ids=torch.from_numpy(table.ids[padded]),
        places=torch.from_numpy(places.reshape(padded.shape)),
        characters=torch.from_numpy(of_characters),
        character_lengths=torch.from_numpy(lengths),
        trigrams=torch.from_numpy(np.ascontiguousarray(trigrams[:, :widest])),
        casing=torch.from_numpy(table.casing[used]),
        lengths=torch.tensor([len(row) for row in rows], dtype=torch.int64),
        shapes=torch.from_numpy(table.shapes[used]),
        lists=None if lists is None else torch.from_numpy(pad(lists).astype(np.int64)),
    )


class BucketedOrder:
    """Assigns sequences to the batches of an epoch: shuffled, of similar length, each sequence once.

    The shuffled sequences are divided into pools of many batches; each pool is sorted by length and split
    into batches, which are then shuffled. The order depends only on the seed and the number of the epoch.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int, *, shuffle: bool = True) -> None:
        self._lengths = np.asarray(lengths, dtype=np.int64)
        self._batch_size, self._seed, self._shuffle = batch_size, seed, shuffle
        self._made: tuple[int, list[NDArray[np.int64]]] | None = None

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        return -(-len(self._lengths) // self._batch_size)

    def batch(self, index: int, epoch: int = 0) -> NDArray[np.int64]:
        """Return the indices of the sequences in a batch."""
        if self._made is None or self._made[0] != epoch:
            self._made = (epoch, self._order(epoch))
        return self._made[1][index]

    def _order(self, epoch: int) -> list[NDArray[np.int64]]:
        size = self._batch_size
        if not self._shuffle:
            order = np.argsort(-self._lengths, kind="stable")
            return [order[at : at + size] for at in range(0, len(order), size)]
        rng = np.random.default_rng([self._seed, epoch])
        order = rng.permutation(len(self._lengths))
        batches = []
        for at in range(0, len(order), size * _POOL):
            pool = order[at : at + size * _POOL]
            pool = pool[np.argsort(self._lengths[pool], kind="stable")]
            batches += [pool[i : i + size] for i in range(0, len(pool), size)]
        # A batch that is not full comes last, whichever pool it is from.
        last = [batch for batch in batches if len(batch) < size]
        full = [batch for batch in batches if len(batch) == size]
        return [full[i] for i in rng.permutation(len(full))] + last
