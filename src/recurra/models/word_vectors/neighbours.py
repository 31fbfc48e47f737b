"""The nearest words of words, and ranks among them."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.arguments import NotNegative, checks_arguments
from recurra.errors import ArgumentTypeError, ConfigError
from recurra.models.word_vectors.lookup import Key, MissingWord, Vector, check_key, each_key, numbers, unit
from recurra.models.word_vectors.similarities import ComparedWords
from recurra.plain import quoted


class NeighbouringWords(ComparedWords):
    """Words of which the nearest ones are found, exactly and in blocks of vectors."""

    @checks_arguments
    def most_similar(
        self,
        positive: Any = None,
        negative: Any = None,
        topn: int | bool | None = 10,
        clip_start: NotNegative = 0,
        clip_end: NotNegative | None = None,
        restrict_vocab: NotNegative | None = None,
        indexer: Any = None,
    ) -> Any:
        """Return the words nearest to the mean of `positive` minus `negative`, with their cosines.

        Both are a word, a row, a vector, or a list of these, each with a weight if it is a tuple. The words
        given are left out; of several with the same cosine, the first ones in the vocabulary are returned.
        `restrict_vocab` searches the first words only, `clip_start` … `clip_end` a range. With topn=None the
        cosines of all searched words are returned, as an array. An `indexer` has a method
        `most_similar(vector, topn)`, which is then asked.

        Raises: MissingWord; ConfigError without any key; ShapeError for a vector of another size.
        """
        if topn is not None and topn < 1:
            return []
        query, given = self._query(positive, negative)
        if indexer is not None and topn is not None:
            if not callable(getattr(indexer, "most_similar", None)):
                raise ArgumentTypeError(
                    f"most_similar: indexer: got {' '.join(quoted(indexer).split())}, expected an object "
                    "with a method most_similar."
                )
            return indexer.most_similar(query, int(topn))
        low, high = (0, restrict_vocab) if restrict_vocab else (clip_start, clip_end or len(self))
        scores = self._cosines(query, low, min(high, len(self)))
        return scores if topn is None else self._best(scores, low, given, int(topn))

    @checks_arguments
    def most_similar_cosmul(
        self,
        positive: Any = None,
        negative: Any = None,
        topn: int | bool | None = 10,
        restrict_vocab: NotNegative | None = None,
    ) -> Any:
        """Return the words with the largest Π cos(w, positive) / (Π cos(w, negative) + 10⁻⁶).

        Cosines are shifted to 0 … 1. Source: Levy and Goldberg 2014. Keys have no weights here.

        Raises: as `most_similar`, and ConfigError without a positive key.
        """
        if topn is not None and topn < 1:
            return []
        plus, minus = _listed(positive, "positive"), _listed(negative, "negative")
        if not plus:
            raise ConfigError("positive: got nothing to compare with; give at least one word.")
        high = min(restrict_vocab or len(self), len(self))
        products = [np.ones(high), np.ones(high)]
        for product, keys, name in zip(products, (plus, minus), ("positive", "negative"), strict=True):
            for key in keys:
                check_key(key, name)
                cosines = self._cosines(unit(self._vector_of(key)), 0, high)
                product *= (1 + cosines.astype(np.float64)) / 2
        scores = products[0] / (products[1] + 1e-6)
        return scores if topn is None else self._best(scores, 0, self._rows_in(plus + minus), int(topn))

    @checks_arguments
    def similar_by_key(
        self, key: Key, topn: int | bool | None = 10, restrict_vocab: NotNegative | None = None
    ) -> Any:
        """Return the nearest words of a word; as `most_similar`."""
        return self.most_similar([key], topn=topn, restrict_vocab=restrict_vocab)

    @checks_arguments
    def similar_by_word(
        self, word: Key, topn: int | bool | None = 10, restrict_vocab: NotNegative | None = None
    ) -> Any:
        """Return the nearest words of a word; as `most_similar`."""
        return self.most_similar([word], topn=topn, restrict_vocab=restrict_vocab)

    @checks_arguments
    def similar_by_vector(
        self, vector: Any, topn: int | bool | None = 10, restrict_vocab: NotNegative | None = None
    ) -> Any:
        """Return the nearest words of a vector; as `most_similar`. Shapes: vector (D,)."""
        query = numbers(vector, "vector", (self.vector_size,))
        return self.most_similar([query], topn=topn, restrict_vocab=restrict_vocab)

    @checks_arguments
    def most_similar_to_given(self, key1: Key, keys_list: Sequence[Key]) -> Key:
        """Return the key of a list that is the most similar to `key1`. Raises: ConfigError without keys."""
        if not len(keys_list):
            raise ConfigError("keys_list: has no words; give at least one.")
        return keys_list[int(np.argmax([self.similarity(key1, key) for key in keys_list]))]

    @checks_arguments
    def relative_cosine_similarity(self, wa: Key, wb: Key, topn: int = 10) -> float:
        """Return the cosine of two words relative to the sum of those of the nearest words of `wa`.

        Source: Leeuwenberg et al. 2016; above 0.10 for 10 words, the words may be synonyms.

        Raises: ConfigError if there are no nearest words, or their cosines have the sum 0.
        """
        total: float = sum(cosine for _, cosine in self.similar_by_key(wa, topn))
        if not total:
            raise ConfigError(f"topn: got {topn}, but no words are near {quoted(wa)}; give a larger number.")
        return self.similarity(wa, wb) / total

    @checks_arguments
    def closer_than(self, key1: Key, key2: Key) -> list[str]:
        """Return all words that are closer to `key1` than `key2` is. Raises: MissingWord."""
        distances, own = self.distances(key1), self.get_index(key1)
        near = np.flatnonzero(distances < distances[self.get_index(key2)])
        return [self.index_to_key[at] for at in near if at != own]

    @checks_arguments
    def words_closer_than(self, word1: Key, word2: Key) -> list[str]:
        """Return all words that are closer to `word1` than `word2` is. Raises: MissingWord."""
        return self.closer_than(word1, word2)

    @checks_arguments
    def rank(self, key1: Key, key2: Key) -> int:
        """Return the rank of `key2` among the neighbours of `key1`, from 1. Raises: MissingWord."""
        return len(self.closer_than(key1, key2)) + 1

    @checks_arguments
    def rank_by_centrality(self, words: Any, use_norm: bool = True) -> list[tuple[float, Key]]:
        """Return the known words by decreasing cosine with the mean of all, as pairs (cosine, word).

        With `use_norm`, vectors are scaled to length 1 before.

        Raises: MissingWord if none is known; ConfigError without words.
        """
        given = each_key(words, "words")
        if not given:
            raise ConfigError("words: got nothing to compare; give at least one word.")
        known = [word for word in given if not isinstance(word, np.ndarray) and word in self]
        if not known:
            raise MissingWord(given[0])
        each = np.stack([self.get_vector(word, norm=use_norm) for word in known])
        scores = (each @ unit(each.mean(0, dtype=np.float64))).tolist()
        return sorted(zip(scores, known, strict=True), key=lambda pair: (pair[0], str(pair[1])), reverse=True)

    @checks_arguments
    def doesnt_match(self, words: Any) -> Key:
        """Return the word least similar to the mean of all. Raises: MissingWord if none is known."""
        return self.rank_by_centrality(words)[-1][1]

    def _query(self, positive: Any, negative: Any) -> tuple[Vector, set[int]]:
        """Return the unit vector of a query, and the rows of its words."""
        keys: list[Any] = []
        weights: list[float] = []
        for given, name, sign in ((positive, "positive", 1.0), (negative, "negative", -1.0)):
            for item in _listed(given, name):
                key, weight = item, sign
                if isinstance(item, (tuple, list)):
                    if len(item) != 2 or isinstance(item[1], bool) or not isinstance(item[1], Real):
                        raise ArgumentTypeError(
                            f"{name}: got {quoted(item)}, expected a key with its weight."
                        )
                    key, weight = item[0], float(item[1])
                check_key(key, name)
                keys.append(key)
                weights.append(weight)
        if not keys:
            raise ConfigError("positive: got nothing to compare with; give at least one word.")
        mean = self.get_mean_vector(keys, weights, post_normalize=True, ignore_missing=False)
        return mean, self._rows_in(keys)

    def _rows_in(self, keys: list[Any]) -> set[int]:
        """Return the rows of the words among keys; words that are made of n-grams have none."""
        words = (key for key in keys if not isinstance(key, np.ndarray))
        return {self.get_index(key) for key in words if self.has_index_for(key)}

    def _best(self, scores: NDArray[Any], low: int, left_out: set[int], topn: int) -> list[tuple[str, float]]:
        """Return the words with the largest scores; the first in the vocabulary come first among equals."""
        wanted = min(topn + len(left_out), len(scores))
        if not wanted:
            return []
        is_nan = np.isnan(scores)
        keys = np.where(is_nan, -np.inf, scores) if is_nan.any() else scores
        best = np.argpartition(-keys, wanted - 1)[:wanted]
        worst = keys[best].min()
        ties = np.flatnonzero(keys == worst)  # which of several equal scores comes in is not left to chance
        best = np.union1d(best[keys[best] > worst], ties)
        ordered = best[np.lexsort((best, -keys[best]))]
        found = [
            (self.index_to_key[low + at], float(scores[at])) for at in ordered if low + at not in left_out
        ]
        return found[:topn]


def _listed(given: Any, name: str) -> list[Any]:
    """Return keys as a list; one key, or one vector, is a list of one. Raises: ArgumentTypeError."""
    if given is None:
        return []
    if isinstance(given, (str, Integral)) or (isinstance(given, np.ndarray) and given.ndim == 1):
        return [given]
    if isinstance(given, (list, tuple, set, frozenset)) or (
        isinstance(given, np.ndarray) and given.ndim == 2
    ):
        return list(given)
    got = " ".join(quoted(given).split())
    raise ArgumentTypeError(f"{name}: got {got}, expected a word, a row, a vector, or a list of these.")
