"""Counting the n-grams of a text by sorting, level by level, a chunk at a time.

Each level refines the one before: a k-gram is its first k-1 tokens, by their number among the (k-1)-grams,
and a last token. So a key is one integer whatever k is, and V^k is never formed.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
AnyIds = NDArray[np.integer]  # of any width: a token file has two or four bytes a token
Flags = NDArray[np.bool_]
Depths = NDArray[np.uint8]

CHUNK_TOKENS = 1 << 24
_NONE = -1


@dataclass(frozen=True)
class GramCounts:
    """The k-grams of a text, numbered in the order of their keys.

    Shapes: all (M,), M the number of distinct k-grams (for k = 1 all V tokens, seen or not).

    `keys` are prefix*V + token, rising, where prefix is the number of the first k-1 tokens; `counts` how
    often each stands; `suffixes` the number of its last k-1 tokens; `begins` whether it stands where a text
    begins, so that nothing can stand to its left.
    """

    keys: Ids
    counts: Ids
    suffixes: Ids
    begins: Flags

    def __len__(self) -> int:
        return len(self.keys)


class Contexts:
    """Where each token of a text has its context: how many tokens stand before it since the text began anew.

    `starts` are the places where it begins anew (0 always does). With `start_id` that symbol stands before
    each beginning: it is seen as a context, and never predicted.
    """

    def __init__(self, ids: AnyIds, starts: Ids | None, start_id: int | None, order: int) -> None:
        self.ids, self.start_id, self.order = ids, start_id, order
        self.starts = np.zeros(1, dtype=np.int64)
        if starts is not None:
            self.starts = np.union1d(self.starts, starts)
        self._known: tuple[int, int, Depths] | None = None

    def depth(self, low: int, high: int) -> Depths:
        """How many symbols stand before each token from `low` to `high`, the start symbol among them, as far
        as they count: at most n."""
        if self._known is None or self._known[:2] != (low, high):  # asked for again at each level
            self._known = (low, high, self._depth(low, high))
        return self._known[2]

    def _depth(self, low: int, high: int) -> Depths:
        first, last = np.searchsorted(self.starts, [low, high])
        since = np.full(high - low, -high, dtype=np.int64)  # where it began anew, counted from `low`
        since[:1] = self.starts[np.searchsorted(self.starts, low, side="right") - 1] - low
        since[self.starts[first:last] - low] = self.starts[first:last] - low
        if len(since):
            np.maximum.accumulate(since, out=since)
        places = np.arange(high - low, dtype=np.int64)
        depth: Depths = np.minimum(places - since + (self.start_id is not None), self.order).astype(np.uint8)
        return depth

    def before(self, numbers: AnyIds, length: int, low: int, high: int) -> Ids:
        """The number of the (length-1)-gram before each token from `low` to `high`, from those that end
        at each token; -1 where there is none."""
        contexts = np.full(high - low, _NONE, dtype=np.int64)
        first = 1 if low == 0 else 0
        contexts[first:] = numbers[low - 1 + first : high - 1]
        contexts[self.depth(low, high) < length - 1] = _NONE
        if length == 2 and self.start_id is not None:
            begun = self.starts[np.searchsorted(self.starts, low) : np.searchsorted(self.starts, high)]
            contexts[begun - low] = self.start_id
        return contexts


def count_ngrams(
    ids: AnyIds,
    vocabulary_size: int,
    order: int,
    *,
    starts: Ids | None = None,
    start_id: int | None = None,
    chunk: int = CHUNK_TOKENS,
) -> list[GramCounts]:
    """The k-grams of every length up to `order`, shorter ones where the text is shorter.

    Texts longer than `chunk` are counted in sorted runs, which are then merged; numbers of tokens lie in a
    file meanwhile. What must fit into memory are the distinct k-grams of one level, not the text.

    Shapes: ids (N,), N >= 1; starts (S,), rising.
    """
    contexts = Contexts(ids, starts, start_id, order)
    levels = [_unigrams(ids, vocabulary_size, contexts, chunk)]
    with tempfile.TemporaryDirectory() as folder:
        numbers: AnyIds = ids
        for length in range(2, order + 1):
            counted = _level(numbers, contexts, vocabulary_size, length, chunk, Path(folder))
            if counted is None:
                break
            grams, numbers = counted
            levels.append(grams)
    return levels


def _chunks(count: int, chunk: int) -> Iterator[tuple[int, int]]:
    for low in range(0, count, chunk):
        yield low, min(low + chunk, count)


def _unigrams(ids: AnyIds, vocabulary_size: int, contexts: Contexts, chunk: int) -> GramCounts:
    counts = np.zeros(vocabulary_size, dtype=np.int64)
    for low, high in _chunks(len(ids), chunk):
        counts += np.bincount(ids[low:high], minlength=vocabulary_size)
    begins = np.zeros(vocabulary_size, dtype=bool)
    if contexts.start_id is None and len(ids):
        begins[ids[contexts.starts]] = True
    everything = np.arange(vocabulary_size, dtype=np.int64)
    return GramCounts(everything, counts, np.zeros(vocabulary_size, dtype=np.int64), begins)


def _level(
    numbers: AnyIds, contexts: Contexts, vocabulary_size: int, length: int, chunk: int, folder: Path
) -> tuple[GramCounts, Ids] | None:
    """The k-grams of one length, and the number of the one that ends at each token (-1 where none does)."""
    ids = contexts.ids
    runs: list[GramCounts] = []
    for low, high in _chunks(len(ids), chunk):
        before = contexts.before(numbers, length, low, high)
        here = np.flatnonzero(before != _NONE)
        keys = before[here] * vocabulary_size + ids[low:high][here].astype(np.int64)
        begins = contexts.depth(low, high)[here] == length - 1
        order, first, owners = _groups(keys)
        runs.append(
            GramCounts(
                keys[order[first]],
                np.bincount(owners, minlength=len(first)),
                np.asarray(numbers[low:high])[here][order[first]].astype(np.int64),
                np.logical_or.reduceat(begins[order], first) if len(first) else begins,
            )
        )
        if len(ids) <= chunk:  # one run: the numbers are known already
            if not len(first):
                return None
            found = np.full(len(ids), _NONE, dtype=np.int64)
            found[here[order]] = owners
            return runs[0], found
    grams = _merged(runs)
    if not len(grams):
        return None
    after = np.lib.format.open_memmap(
        folder / f"numbers-{length}.npy", mode="w+", dtype=np.int64, shape=(len(ids),)
    )
    for low, high in _chunks(len(ids), chunk):
        before = contexts.before(numbers, length, low, high)
        here = np.flatnonzero(before != _NONE)
        keys = before[here] * vocabulary_size + ids[low:high][here].astype(np.int64)
        order, first, owners = _groups(keys)
        # Sought in rising order: at random, each search would miss the caches all the way down.
        found = np.full(high - low, _NONE, dtype=np.int64)
        found[here[order]] = np.searchsorted(grams.keys, keys[order[first]])[owners]
        after[low:high] = found
    return grams, after


def _groups(keys: Ids) -> tuple[Ids, Ids, Ids]:
    """The order that sorts the keys, where in it each new key begins, and the rank of each in that order."""
    order = np.argsort(keys)
    ordered = keys[order]
    fresh = np.ones(len(keys), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=fresh[1:])
    return order, np.flatnonzero(fresh), np.cumsum(fresh) - 1


def _merged(runs: list[GramCounts]) -> GramCounts:
    """Sorted runs as one; equal keys are added up."""
    while len(runs) > 1:
        pairs = [runs[at : at + 2] for at in range(0, len(runs), 2)]
        runs = [_merge_two(*pair) if len(pair) == 2 else pair[0] for pair in pairs]
    return runs[0]


def _merge_two(a: GramCounts, b: GramCounts) -> GramCounts:
    keys = np.concatenate([a.keys, b.keys])
    order, first, _ = _groups(keys)
    return GramCounts(
        keys[order[first]],
        np.add.reduceat(np.concatenate([a.counts, b.counts])[order], first),
        np.concatenate([a.suffixes, b.suffixes])[order[first]],
        np.logical_or.reduceat(np.concatenate([a.begins, b.begins])[order], first),
    )
