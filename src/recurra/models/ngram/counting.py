"""Counting the n-grams of a text by sorting, one chunk at a time; the counts of chunks are merged.

Each level refines the previous one: a k-gram is the number of its first k-1 tokens among the (k-1)-grams,
and its last token. So a key is one integer for every k, and V^k is never computed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
AnyIds = NDArray[np.integer]  # of any width: a token file has two or four bytes per token
Flags = NDArray[np.bool_]
Depths = NDArray[np.uint8]

CHUNK_TOKENS = 1 << 24
_NONE = -1


@dataclass(frozen=True)
class GramCounts:
    """The k-grams of a text, numbered in the order of their keys.

    Shapes: all (M,), M the number of distinct k-grams (for k = 1 all V tokens, seen or not).

    `keys` are prefix*V + token, ascending, where prefix is the number of the first k-1 tokens; `counts` are
    the numbers of occurrences; `suffixes` are the numbers of the last k-1 tokens; `begins` tells whether the
    k-gram occurs at the start of a text, where no token can precede it.
    """

    keys: Ids
    counts: Ids
    suffixes: Ids
    begins: Flags

    def __len__(self) -> int:
        return len(self.keys)


_NO_IDS = np.zeros(0, dtype=np.int64)
_NO_GRAMS = GramCounts(_NO_IDS, _NO_IDS, _NO_IDS, np.zeros(0, dtype=np.bool_))


class Contexts:
    """The contexts of the tokens of a text: how many tokens precede each one since the last start.

    `starts` are the positions of new sentences (0 is always one). With `start_id`, that symbol precedes each
    start: it is part of contexts, and never predicted.
    """

    def __init__(self, ids: AnyIds, starts: Ids | None, start_id: int | None, order: int) -> None:
        self.ids, self.start_id, self.order = ids, start_id, order
        self.starts = np.zeros(1, dtype=np.int64)
        if starts is not None:
            self.starts = np.union1d(self.starts, starts)
        self._known: tuple[int, int, Depths] | None = None

    def depth(self, low: int, high: int) -> Depths:
        """Return the number of symbols before each token from `low` to `high`, at most n.

        The start symbol is included.
        """
        if self._known is None or self._known[:2] != (low, high):  # needed again at each level
            self._known = (low, high, self._depth(low, high))
        return self._known[2]

    def _depth(self, low: int, high: int) -> Depths:
        first, last = np.searchsorted(self.starts, [low, high])
        since = np.full(high - low, -high, dtype=np.int64)  # the last start, relative to `low`
        since[:1] = self.starts[np.searchsorted(self.starts, low, side="right") - 1] - low
        since[self.starts[first:last] - low] = self.starts[first:last] - low
        if len(since):
            np.maximum.accumulate(since, out=since)
        places = np.arange(high - low, dtype=np.int64)
        depth: Depths = np.minimum(places - since + (self.start_id is not None), self.order).astype(np.uint8)
        return depth

    def before(self, numbers: Ids, length: int, low: int, high: int) -> Ids:
        """Return the number of the (length-1)-gram before each token from `low` to `high`, or -1 if none.

        `numbers` are the numbers of the (length-1)-grams that end at each of these tokens.
        """
        contexts = np.full(high - low, _NONE, dtype=np.int64)
        contexts[1:] = numbers[:-1]
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
    """Count the k-grams of every length up to `order`, or up to the length of a shorter text.

    The distinct k-grams and those of one chunk must fit into memory, but not the text.

    Shapes: ids (N,), N >= 1; starts (S,), ascending.
    """
    counter = GramCounter(Contexts(ids, starts, start_id, order), vocabulary_size)
    for low in range(0, len(ids), chunk):
        counter.add(low, min(low + chunk, len(ids)))
    return counter.total()


class GramCounter:
    """Counts the k-grams of a text, chunk by chunk.

    `parts` are the counts of consecutive pieces of the text, each at least twice as large as the next, so
    that the number of merges per k-gram is logarithmic in the number of chunks.
    """

    def __init__(self, contexts: Contexts, vocabulary_size: int) -> None:
        self.contexts, self.vocabulary_size = contexts, vocabulary_size
        self.parts: list[list[GramCounts]] = []

    def add(self, low: int, high: int) -> None:
        """Count the k-grams that end at the tokens from `low` to `high`."""
        self.parts.append(_count_chunk(self.contexts, self.vocabulary_size, low, high))
        while len(self.parts) > 1 and _size(self.parts[-2]) < 2 * _size(self.parts[-1]):
            self._merge_last()

    def total(self) -> list[GramCounts]:
        """Return the k-grams of all chunks, by level; there are no levels longer than the text."""
        while len(self.parts) > 1:
            self._merge_last()
        return self.parts[0]

    def _merge_last(self) -> None:
        later, earlier = self.parts.pop(), self.parts.pop()
        self.parts.append(_merged(earlier, later, self.vocabulary_size))


def _size(levels: list[GramCounts]) -> int:
    return sum(map(len, levels))


def _count_chunk(contexts: Contexts, vocabulary_size: int, low: int, high: int) -> list[GramCounts]:
    """Count the k-grams that end at the tokens from `low` to `high`, with numbers of their own.

    k-grams that end earlier but are prefixes of longer ones are included with a count of 0.
    """
    begin = max(0, low - contexts.order + 1)
    tokens = np.asarray(contexts.ids[begin:high]).astype(np.int64)
    counted = np.arange(begin, high) >= low
    levels = [_unigrams(contexts, tokens[low - begin :], vocabulary_size, low, high)]
    numbers = tokens
    for length in range(2, contexts.order + 1):
        before = contexts.before(numbers, length, begin, high)
        here = np.flatnonzero(before != _NONE)
        if not len(here):
            break
        order, first, owners = _groups(before[here] * vocabulary_size + tokens[here])
        here = here[order]
        begins = contexts.depth(begin, high)[here] == length - 1
        levels.append(
            GramCounts(
                before[here[first]] * vocabulary_size + tokens[here[first]],
                np.add.reduceat(counted[here], first, dtype=np.int64),
                numbers[here[first]],
                np.logical_or.reduceat(begins, first),
            )
        )
        numbers = np.full(high - begin, _NONE, dtype=np.int64)
        numbers[here] = owners
    return levels


def _unigrams(contexts: Contexts, tokens: Ids, vocabulary_size: int, low: int, high: int) -> GramCounts:
    begins = np.zeros(vocabulary_size, dtype=bool)
    if contexts.start_id is None:
        first, last = np.searchsorted(contexts.starts, [low, high])
        begins[tokens[contexts.starts[first:last] - low]] = True
    everything = np.arange(vocabulary_size, dtype=np.int64)
    counts = np.bincount(tokens, minlength=vocabulary_size)
    return GramCounts(everything, counts, np.zeros(vocabulary_size, dtype=np.int64), begins)


def _groups(keys: Ids) -> tuple[Ids, Ids, Ids]:
    """Return the sorting order of the keys, the start of each distinct key in it, and each key's rank."""
    order = np.argsort(keys)
    ordered = keys[order]
    fresh = np.ones(len(keys), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=fresh[1:])
    return order, np.flatnonzero(fresh), np.cumsum(fresh) - 1


def _merged(a: list[GramCounts], b: list[GramCounts], vocabulary_size: int) -> list[GramCounts]:
    """Merge and renumber the k-grams of two pieces of a text; counts of equal k-grams are added.

    Numbers increase with keys, so the keys of a piece stay in order when their prefixes get new numbers.
    """
    maps = [np.arange(vocabulary_size, dtype=np.int64)] * 2  # new numbers of the shorter k-grams of both
    counts, begins = a[0].counts + b[0].counts, np.logical_or(a[0].begins, b[0].begins)
    levels = [GramCounts(a[0].keys, counts, a[0].suffixes, begins)]
    for length in range(1, max(len(a), len(b))):
        both = [each[length] if length < len(each) else _NO_GRAMS for each in (a, b)]
        mapped = [_renumbered(grams, new, vocabulary_size) for grams, new in zip(both, maps, strict=True)]
        keys = np.concatenate([grams.keys for grams in mapped])
        order, first, owners = _groups(keys)
        numbers = np.empty(len(keys), dtype=np.int64)
        numbers[order] = owners
        maps = [numbers[: len(both[0])], numbers[len(both[0]) :]]
        levels.append(
            GramCounts(
                keys[order[first]],
                np.add.reduceat(np.concatenate([grams.counts for grams in mapped])[order], first),
                np.concatenate([grams.suffixes for grams in mapped])[order[first]],
                np.logical_or.reduceat(np.concatenate([grams.begins for grams in mapped])[order], first),
            )
        )
    return levels


def _renumbered(grams: GramCounts, new: Ids, vocabulary_size: int) -> GramCounts:
    """Return the same k-grams with new numbers of their prefixes and suffixes."""
    prefixes, tokens = np.divmod(grams.keys, vocabulary_size)
    return GramCounts(
        new[prefixes] * vocabulary_size + tokens, grams.counts, new[grams.suffixes], grams.begins
    )
