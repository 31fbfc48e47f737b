"""Character n-grams of words, by the hashing of fastText."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_FNV_OFFSET, _FNV_PRIME = 2166136261, 16777619


@dataclass(frozen=True)
class Subwords:
    """The character n-grams of `<word>` with `shortest` to `longest` characters, hashed to `buckets` rows.

    The hash is 32-bit FNV-1a over the UTF-8 bytes, each extended with its sign, as in fastText, so that
    vectors of other programs are found under the same numbers. Source: Bojanowski et al. 2017.
    """

    shortest: int
    longest: int
    buckets: int

    def pieces(self, word: str) -> Iterator[str]:
        """Yield the n-grams of a word, with the marks `<` and `>` around it; the marks alone are none."""
        marked = f"<{word}>"
        for begin in range(len(marked)):
            for length in range(self.shortest, self.longest + 1):
                end = begin + length
                if end > len(marked):
                    break
                if length == 1 and (begin == 0 or end == len(marked)):
                    continue
                yield marked[begin:end]

    def rows(self, word: str) -> list[int]:
        """Return the bucket of each n-gram of a word, 0 to buckets - 1."""
        return [hash_of(piece) % self.buckets for piece in self.pieces(word)]

    def table(self, words: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return the rows that make up each word: its own, w, then V + the bucket of each n-gram.

        Shapes: starts (V + 1,); rows (starts[V],).
        """
        count = len(words)
        each = [[number, *(count + row for row in self.rows(word))] for number, word in enumerate(words)]
        starts = np.concatenate([[0], np.cumsum([len(rows) for rows in each])]).astype(np.int64)
        return starts, np.fromiter((row for rows in each for row in rows), np.int32, int(starts[-1]))


def hash_of(piece: str) -> int:
    """Return the 32-bit hash of an n-gram."""
    found = _FNV_OFFSET
    for byte in piece.encode("utf-8", "surrogatepass"):
        signed = byte - 256 if byte > 127 else byte
        found = ((found ^ (signed & 0xFFFFFFFF)) * _FNV_PRIME) & 0xFFFFFFFF
    return found
