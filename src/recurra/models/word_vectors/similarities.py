"""Similarities and distances of words, and of lists of words."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from recurra.arguments import checks_arguments
from recurra.errors import ConfigError
from recurra.models.word_vectors.changes import ChangedWords
from recurra.models.word_vectors.lookup import TINY, Key, Vector, check_key, each_key, numbers, unit


class ComparedWords(ChangedWords):
    """Words that are compared by the cosines of their vectors; that of a zero vector is 0."""

    @checks_arguments
    def similarity(self, w1: Key, w2: Key) -> float:
        """Return the cosine of two words. Raises: MissingWord."""
        return float(unit(self.get_vector(w1)) @ unit(self.get_vector(w2)))

    @checks_arguments
    def distance(self, w1: Key, w2: Key) -> float:
        """Return 1 - the cosine of two words. Raises: MissingWord."""
        return 1.0 - self.similarity(w1, w2)

    @checks_arguments
    def distances(self, word_or_vector: Any, other_words: Any = ()) -> Vector:
        """Return 1 - the cosine with each other word, or with every word. Shapes: result (n,).

        Raises: MissingWord; ShapeError for a vector of another size.
        """
        check_key(word_or_vector, "word_or_vector")
        query = unit(self._vector_of(word_or_vector))
        others = () if other_words is None else each_key(other_words, "other_words")
        if not others:
            return 1 - self._cosines(query, 0, len(self))
        each = np.stack([unit(self._vector_of(key)) for key in others])
        return np.asarray(1 - each @ query, np.float32)

    @staticmethod
    @checks_arguments
    def cosine_similarities(vector_1: Any, vectors_all: Any) -> Vector:
        """Return the cosine of a vector with each row. Shapes: vector_1 (D,); vectors_all (n, D); (n,).

        Raises: ShapeError for other shapes.
        """
        one = numbers(vector_1, "vector_1", (None,), np.float64)
        every = numbers(vectors_all, "vectors_all", (None, len(one)), np.float64)
        norms = np.maximum(np.linalg.norm(every, axis=1), TINY)
        return np.asarray(every @ (one / max(np.linalg.norm(one), TINY)) / norms, np.float32)

    @checks_arguments
    def n_similarity(self, ws1: Any, ws2: Any) -> float:
        """Return the cosine of the means of two lists of words. Raises: ConfigError for an empty list."""
        for name, words in (("ws1", ws1), ("ws2", ws2)):
            if not each_key(words, name):
                raise ConfigError(f"{name}: has no words; give at least one.")
        means = [unit(self.get_mean_vector(words, pre_normalize=False)) for words in (ws1, ws2)]
        return float(means[0] @ means[1])

    @checks_arguments
    def wmdistance(self, document1: Iterable[Key], document2: Iterable[Key], norm: bool = True) -> float:
        """Return the word mover's distance of two lists of words; infinite if one has no known word.

            min_T Σ_ij T_ij ‖v_i - v_j‖,   T ≥ 0, with the relative frequencies of the words as its margins

        Source: Kusner et al. 2015. With `norm`, vectors are scaled to length 1 first.
        """
        from scipy.optimize import linprog
        from scipy.sparse import eye, kron, vstack
        from scipy.spatial.distance import cdist

        counts = [Counter(word for word in words if word in self) for words in (document1, document2)]
        if not all(counts):
            return float("inf")
        mine, theirs = (np.stack([self.get_vector(word, norm=norm) for word in each]) for each in counts)
        margins = [np.array(list(each.values())) / each.total() for each in counts]
        costs = cdist(mine, theirs)
        n, m = costs.shape
        rows = vstack([kron(eye(n), np.ones((1, m))), kron(np.ones((1, n)), eye(m))], format="csr")
        # The last margin follows from the others; rounding must not make them contradict each other.
        found = linprog(costs.ravel(), A_eq=rows[:-1], b_eq=np.concatenate(margins)[:-1], method="highs")
        return max(0.0, float(found.fun))

    def _cosines(self, query: Vector, low: int, high: int) -> Vector:
        """Return the cosine of a unit vector with each vector of a range. Shapes: query (D,); result (n,)."""
        found = [block @ query for _, block in self.blocks(low, high)]
        products = np.concatenate([np.zeros(0, np.float32), *found])
        return np.asarray(products / np.maximum(self.norms[low : low + len(products)], TINY), np.float32)
