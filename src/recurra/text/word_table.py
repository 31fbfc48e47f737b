"""The encoded words of a whole data set, so that batches are made by indexing."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from recurra.text.word_encoder import EncodedWord, WordEncoder

LONGEST_WORD = 48  # characters; a longer word keeps its first and last ones
_ABSENT = -1


class WordTable:
    """One row of numbers for each added word; row 0 is the empty word, used as padding.

    Shapes: ids, casing, shapes, lengths (N,); characters (N, C), trigrams (N, G), -1 past a word's end.
    """

    def __init__(self, encoder: WordEncoder, words: Iterable[str] = ()) -> None:
        self.encoder = encoder
        self._rows: dict[str, int] = {"": 0}
        self._encoded: list[EncodedWord] = [encoder.encode("")]
        self.ids = self.casing = self.shapes = self.lengths = np.zeros(0, dtype=np.int64)
        self.characters = self.trigrams = np.zeros((0, 0), dtype=np.int64)
        self.add(words)

    def add(self, words: Iterable[str]) -> None:
        """Add rows for new words."""
        for word in words:
            if word not in self._rows:
                self._rows[word] = len(self._encoded)
                self._encoded.append(self.encoder.encode(word))
        if len(self._encoded) > len(self.ids):
            self.ids = np.array([word.id for word in self._encoded], dtype=np.int64)
            self.casing = np.array([word.casing for word in self._encoded], dtype=np.int64)
            self.shapes = np.array([word.shape for word in self._encoded], dtype=np.int64)
            self.characters = _padded([_cut(word.characters) for word in self._encoded])
            self.trigrams = _padded([_cut(word.trigrams) for word in self._encoded])
            self.lengths = (self.characters != _ABSENT).sum(axis=1)

    def rows_of(self, words: Sequence[str]) -> NDArray[np.int64]:
        """Return the row numbers of words that were added. Shapes: result (T,)."""
        return np.array([self._rows[word] for word in words], dtype=np.int64)


def _cut(ids: tuple[int, ...]) -> tuple[int, ...]:
    if len(ids) <= LONGEST_WORD:
        return ids
    return ids[: LONGEST_WORD // 2] + ids[-LONGEST_WORD // 2 :]


def _padded(rows: Sequence[tuple[int, ...]]) -> NDArray[np.int64]:
    width = max(1, max(map(len, rows)))
    padded = np.full((len(rows), width), _ABSENT, dtype=np.int64)
    for row, ids in zip(padded, rows, strict=True):
        row[: len(ids)] = ids
    return padded
