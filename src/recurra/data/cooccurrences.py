"""Counts of words near each other, by sorted runs on disk, so that they may be larger than memory.

    X_ij = Σ 1/distance over the occurrences of i and j in a sentence, at most `window` words apart

A run holds the counts of a stretch of the corpus, sorted by the key i·V + j; the runs are merged range by
range. Only the counts with i <= j are held; X is symmetric. The cache has the counts of a text once,
and apart from them the weights for each x_max and alpha.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from recurra.data.cache import cache_folder, digest, new_entry
from recurra.data.word_files import WordFile
from recurra.errors import DataError
from recurra.files import fault_in

Keys = NDArray[np.int64]
Weights = NDArray[np.float64]
_ENTRY = np.dtype([("i", np.int32), ("j", np.int32), ("x", np.float64)])
_BYTES_OF_PAIR = 64  # at most, while a stretch is sorted
_ORDER = 1  # the seed of the order of entries, which is the same in all trainings
_WEIGHED = 1 << 20  # entries at once


@dataclass(frozen=True)
class Run:
    """Counts sorted by key, memory-mapped. Shapes: keys, weights (n,)."""

    keys: Keys
    weights: Weights

    @classmethod
    def write(cls, folder: Path, number: int, keys: Keys, weights: Weights) -> None:
        """Write a run into a folder."""
        keys.tofile(folder / f"{number}.keys")
        weights.tofile(folder / f"{number}.weights")

    @classmethod
    def open(cls, folder: Path, number: int) -> "Run":
        """Open a run that `write` wrote."""
        keys, weights = folder / f"{number}.keys", folder / f"{number}.weights"
        if not keys.stat().st_size:  # cannot be mapped
            return cls(np.zeros(0, np.int64), np.zeros(0, np.float64))
        return cls(np.memmap(keys, np.int64, "r"), np.memmap(weights, np.float64, "r"))


def counted_stretch(
    words: WordFile, first: int, last: int, *, window: int, vocabulary_size: int
) -> tuple[Keys, Weights]:
    """Count the pairs of sentences `first` … `last` - 1. Shapes: both results (n,), keys rising."""
    begin, end = int(words.starts[first]), int(words.starts[last])
    tokens = np.asarray(words.tokens[begin:end], np.int64)
    sentence = np.repeat(np.arange(last - first), np.diff(words.starts[first : last + 1]))
    keys, weights = np.zeros(0, np.int64), np.zeros(0, np.float64)
    for distance in range(1, min(window, len(tokens) - 1) + 1):
        same = sentence[distance:] == sentence[:-distance]
        a, b = tokens[:-distance][same], tokens[distance:][same]
        found, counts = np.unique(np.minimum(a, b) * vocabulary_size + np.maximum(a, b), return_counts=True)
        keys, weights = added([(keys, weights), (found, counts / distance)])
    return keys, weights


def added(each: Sequence[tuple[Keys, Weights]]) -> tuple[Keys, Weights]:
    """Add up the weights of equal keys, in the order of the lists. Shapes: as given."""
    keys = np.concatenate([keys for keys, _ in each])
    weights = np.concatenate([weights for _, weights in each])
    order = np.argsort(keys, kind="stable")
    keys, weights = keys[order], weights[order]
    if not len(keys):
        return keys, weights
    first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    return keys[first], np.add.reduceat(weights, first)


def stretches(words: WordFile, window: int, memory_bytes: int) -> list[tuple[int, int]]:
    """Return ranges of sentences whose pairs can be counted within the memory."""
    tokens = max(1, memory_bytes // (_BYTES_OF_PAIR * window))
    found, at = [], 0
    while at < words.sentences:
        end = int(np.searchsorted(words.starts, words.starts[at] + tokens, side="right")) - 1
        end = min(max(end, at + 1), words.sentences)
        found.append((at, end))
        at = end
    return found


def merged(runs: Sequence[Run], memory_bytes: int) -> Iterator[tuple[Keys, Weights]]:
    """Merge runs range by range; the keys of all pieces rise. Shapes: each result (n,)."""
    limit = max(1024, memory_bytes // _BYTES_OF_PAIR)
    at = [0] * len(runs)
    while True:
        left = [len(run.keys) - place for run, place in zip(runs, at, strict=True)]
        alive = [number for number, count in enumerate(left) if count]
        if not alive:
            return
        share = max(1, limit // len(alive))
        # Up to the smallest of the last keys that the runs' next shares reach.
        bound = min(int(runs[n].keys[min(at[n] + share, len(runs[n].keys)) - 1]) for n in alive)
        pieces = []
        for number in alive:
            run = runs[number]
            stop = at[number] + int(np.searchsorted(run.keys[at[number] :], bound, side="right"))
            pieces.append(
                (np.asarray(run.keys[at[number] : stop]), np.asarray(run.weights[at[number] : stop]))
            )
            at[number] = stop
        yield added(pieces)


_COUNTS = (("blocks", np.int64), ("words", np.int32), ("contexts", np.int32), ("logs", np.float32))


@dataclass(frozen=True)
class Table:
    """The entries of X in blocks by word and by context word, in a random order within each block, on disk.

    Block r·grid + c has the entries with i mod grid = r and j mod grid = c. Shapes: blocks (grid² + 1,) begin
    of each block; the others (entries,): i, j, log X_ij, and the weight min(1, (X_ij / x_max)^alpha).
    """

    blocks: NDArray[np.int64]
    words: NDArray[np.int32]
    contexts: NDArray[np.int32]
    logs: NDArray[np.float32]
    weights: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.words)

    @property
    def grid(self) -> int:
        """The number of blocks on each side."""
        return math.isqrt(len(self.blocks) - 1)


@dataclass(frozen=True)
class Counting:
    """How a table is counted and weighted; `memory_bytes` bounds what is held at once."""

    window: int
    x_max: float
    alpha: float
    _: KW_ONLY
    grid: int = 16
    memory_bytes: int = 1 << 30


def open_table(words: WordFile, vocabulary_size: int, how: Counting) -> Table:
    """Return the table of a text from the cache, or count it there.

    Raises: DataError if no two words of the text are in one sentence; StorageError if the disk is full.
    """
    counts = digest(words.fingerprint, vocabulary_size, how.window, how.grid)
    folder = cache_folder() / "cooccurrences" / counts
    if fault_in(folder, [name for name, _ in _COUNTS]) is not None:
        with new_entry(folder) as aside, TemporaryDirectory(dir=aside.parent) as room:
            _write_counts(aside, Path(room), words, vocabulary_size, how)
    blocks, ids, contexts, logs = (np.memmap(folder / name, kind, "r") for name, kind in _COUNTS)
    weighted = cache_folder() / "cooccurrence-weights" / digest(counts, how.x_max, how.alpha)
    if fault_in(weighted, ["weights"]) is not None:
        with new_entry(weighted) as aside:
            _write_weights(aside / "weights", logs, how)
    return Table(blocks, ids, contexts, logs, np.memmap(weighted / "weights", np.float32, "r"))


def _write_weights(file: Path, logs: NDArray[np.float32], how: Counting) -> None:
    """Write min(1, (X / x_max)^alpha) for the logarithms of X. Shapes: logs (entries,)."""
    with file.open("wb") as out:
        for at in range(0, len(logs), _WEIGHED):
            powers = how.alpha * (logs[at : at + _WEIGHED].astype(np.float64) - math.log(how.x_max))
            np.exp(np.minimum(powers, 0.0)).astype(np.float32).tofile(out)


def _write_counts(folder: Path, room: Path, words: WordFile, vocabulary_size: int, how: Counting) -> None:
    ranges = stretches(words, how.window, how.memory_bytes)
    for number, (first, last) in enumerate(ranges):
        stretch = counted_stretch(words, first, last, window=how.window, vocabulary_size=vocabulary_size)
        Run.write(room, number, *stretch)
    sizes = np.zeros(how.grid**2, np.int64)
    runs = [Run.open(room, number) for number in range(len(ranges))]
    with ExitStack() as stack:
        files = [stack.enter_context((room / f"block-{n}").open("wb")) for n in range(how.grid**2)]
        for keys, counts in merged(runs, how.memory_bytes):
            i, j = np.divmod(keys, vocabulary_size)
            other = i != j  # X is symmetric; a word near itself counts for both of its occurrences
            entries = np.empty(len(keys) + int(other.sum()), _ENTRY)
            entries["i"] = np.concatenate([i, j[other]])
            entries["j"] = np.concatenate([j, i[other]])
            entries["x"] = np.concatenate([np.where(other, counts, 2 * counts), counts[other]])
            block = entries["i"] % how.grid * how.grid + entries["j"] % how.grid
            order = np.argsort(block, kind="stable")
            bounds = np.searchsorted(block[order], np.arange(how.grid**2 + 1))
            for number in range(how.grid**2):
                entries[order[bounds[number] : bounds[number + 1]]].tofile(files[number])
            sizes += np.diff(bounds)
    if not sizes.any():
        raise DataError("data: no two known words of the text are in one line; give a longer text.")
    np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64).tofile(folder / "blocks")
    with ExitStack() as stack:
        out = {name: stack.enter_context((folder / name).open("wb")) for name, _ in _COUNTS[1:]}
        for number in range(how.grid**2):
            entries = np.fromfile(room / f"block-{number}", _ENTRY)
            # Ranges of keys depend on the memory; the order of the table does not.
            entries = entries[np.lexsort((entries["j"], entries["i"]))]
            entries = entries[np.random.default_rng((_ORDER, number)).permutation(len(entries))]
            entries["i"].tofile(out["words"])
            entries["j"].tofile(out["contexts"])
            np.log(entries["x"]).astype(np.float32).tofile(out["logs"])
