"""The probability of a word's spelling, which a word-level model lacks for unknown words."""

import math
from collections.abc import Sequence

import numpy as np

from recurra.models.ngram.model import NGramModel
from recurra.models.ngram.smoothing import Floats

CODE_POINTS = 0x110000  # of Unicode; an unknown character is uniform over those that are not known
_ORDER = 5
_END, _OTHER = 0, 1


class Speller:
    """P(c_1 … c_k, end) of a word: character 5-grams (Witten-Bell) of a list of words, each counted once.

    A character that is in none of the words has probability P(other) / (number of other code points), so that
    every word has a probability and all probabilities sum to one.

    Raises: DataError if there are no words.
    """

    def __init__(self, words: Sequence[str]) -> None:
        known = sorted(set("".join(words)))
        self._ids = {character: id_ for id_, character in enumerate(known, start=_OTHER + 1)}
        self._cost_of_other = math.log(CODE_POINTS - len(known))
        ids, starts = self._encode(words)
        self._model = NGramModel.fit(ids, len(known) + 2, _ORDER, "witten-bell", starts=starts, start_id=_END)

    def __repr__(self) -> str:
        return f"Speller({len(self._ids)} characters)"

    def log_probs(self, words: Sequence[str]) -> Floats:
        """Return log P of each word's spelling, in nats.

        Shapes: result (N,).
        """
        if not words:
            return np.zeros(0)
        ids, starts = self._encode(words)
        found = self._model.log_probs(ids, starts) - self._cost_of_other * (ids == _OTHER)
        result: Floats = np.add.reduceat(found, starts)
        return result

    def _encode(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return the ids of all words in one array, each with its end, and the start of each word."""
        ids = [[*(self._ids.get(character, _OTHER) for character in word), _END] for word in words]
        lengths = np.array([len(word) for word in ids], dtype=np.int64)
        flat = np.array([id_ for word in ids for id_ in word], dtype=np.int64)
        return flat, np.cumsum(lengths) - lengths
