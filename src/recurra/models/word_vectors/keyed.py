"""Words with one vector each: similarity and neighbours, under the names of gensim's KeyedVectors."""

from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.arguments import AtLeastOne, checks_arguments
from recurra.data.vector_files import is_binary
from recurra.errors import ConfigError
from recurra.models.word_vectors.evaluation import (
    AnalogySection,
    Correlation,
    Judgements,
    answer_analogies,
    judge_pairs,
    read_judgements,
)
from recurra.models.word_vectors.files import (
    read_folder,
    read_npz,
    read_word2vec,
    write_folder,
    write_npz,
    write_word2vec,
)
from recurra.models.word_vectors.lookup import Key, MissingWord, Vector, WordLookup, unit


class KeyedVectors(WordLookup):
    """Words, the most frequent first if they come from training, and their vectors, which are compared.

    Similarities are cosines. The names and results of methods are those of `gensim.models.KeyedVectors`, so
    that code for it runs with another import. Shapes: vectors (N, D), which may be memory-mapped.
    """

    # Neighbours

    def most_similar(
        self,
        positive: Any = None,
        negative: Any = None,
        topn: int | None = 10,
        clip_start: int = 0,
        clip_end: int | None = None,
        restrict_vocab: int | None = None,
    ) -> Any:
        """Return the words nearest to the mean of `positive` minus `negative`, with their cosines.

        Both are a word, a row, a vector, or a list of these, each with a weight if it is a tuple. The words
        given are left out. `restrict_vocab` searches the first words only, `clip_start` … `clip_end` a range.
        With topn=None the cosines of all searched words are returned, as an array.

        Raises: MissingWord; ConfigError without any key.
        """
        if topn is not None and topn < 1:
            return []
        query, given = self._query(positive, negative)
        low, high = (0, restrict_vocab) if restrict_vocab else (clip_start, clip_end or len(self))
        scores = self._cosines(query, low, min(high, len(self)))
        return scores if topn is None else self._best(scores, low, given, topn)

    def most_similar_cosmul(
        self,
        positive: Any = None,
        negative: Any = None,
        topn: int | None = 10,
        restrict_vocab: int | None = None,
    ) -> Any:
        """Return the words with the largest Π cos(w, positive) / (Π cos(w, negative) + 10⁻⁶).

        Cosines are shifted to 0 … 1. Source: Levy and Goldberg 2014. Raises: as `most_similar`.
        """
        if topn is not None and topn < 1:
            return []
        plus, minus = _listed(positive), _listed(negative)
        if not plus and not minus:
            raise ConfigError("positive: got nothing to compare with; give at least one word.")
        high = min(restrict_vocab or len(self), len(self))

        def shifted(key: Any) -> NDArray[np.float64]:
            vector = key if isinstance(key, np.ndarray) else self.get_vector(key)
            return (1 + self._cosines(unit(vector), 0, high).astype(np.float64)) / 2

        scores = np.ones(high)
        for key in plus:
            scores *= shifted(key)
        under = np.ones(high)
        for key in minus:
            under *= shifted(key)
        scores /= under + 1e-6
        given = {self.get_index(key) for key in plus + minus if not isinstance(key, np.ndarray)}
        return scores if topn is None else self._best(scores, 0, given, topn)

    def similar_by_key(self, key: Key, topn: int | None = 10, restrict_vocab: int | None = None) -> Any:
        """Return the nearest words of a word; as `most_similar`."""
        return self.most_similar([key], topn=topn, restrict_vocab=restrict_vocab)

    similar_by_word = similar_by_key

    def similar_by_vector(
        self, vector: Vector, topn: int | None = 10, restrict_vocab: int | None = None
    ) -> Any:
        """Return the nearest words of a vector; as `most_similar`. Shapes: vector (D,)."""
        return self.most_similar([np.asarray(vector)], topn=topn, restrict_vocab=restrict_vocab)

    def most_similar_to_given(self, key1: Key, keys_list: Sequence[Key]) -> Key:
        """Return the key of a list that is the most similar to `key1`."""
        return keys_list[int(np.argmax([self.similarity(key1, key) for key in keys_list]))]

    def closer_than(self, key1: Key, key2: Key) -> list[str]:
        """Return all words that are closer to `key1` than `key2` is."""
        distances, own = self.distances(key1), self.get_index(key1)
        near = np.flatnonzero(distances < distances[self.get_index(key2)])
        return [self.index_to_key[at] for at in near if at != own]

    def rank(self, key1: Key, key2: Key) -> int:
        """Return the rank of `key2` among the neighbours of `key1`, from 1."""
        return len(self.closer_than(key1, key2)) + 1

    def doesnt_match(self, words: Sequence[Key]) -> Key:
        """Return the word least similar to the mean of all. Raises: MissingWord if none is known."""
        known = [word for word in words if word in self]
        if not known:
            raise MissingWord(words[0] if len(words) else "")
        each = np.stack([self.get_vector(word, norm=True) for word in known])
        return known[int(np.argmin(each @ unit(each.mean(0))))]

    # Similarities

    def similarity(self, w1: Key, w2: Key) -> float:
        """Return the cosine of two words."""
        return float(self.get_vector(w1, norm=True) @ self.get_vector(w2, norm=True))

    def distance(self, w1: Key, w2: Key) -> float:
        """Return 1 - the cosine of two words."""
        return 1.0 - self.similarity(w1, w2)

    def distances(self, word_or_vector: Key | Vector, other_words: Sequence[Key] = ()) -> Vector:
        """Return 1 - the cosine with each other word, or with every word. Shapes: result (n,)."""
        given = word_or_vector
        query = unit(given if isinstance(given, np.ndarray) else self.get_vector(given))
        if not len(other_words):
            return 1 - self._cosines(query, 0, len(self))
        return (1 - np.stack([self.get_vector(key, norm=True) for key in other_words]) @ query).astype(
            np.float32
        )

    def cosine_similarities(self, vector_1: Vector, vectors_all: Vector) -> Vector:
        """Return the cosine of a vector with each row. Shapes: vector_1 (D,); vectors_all (n, D); (n,)."""
        norms = np.maximum(np.linalg.norm(vectors_all, axis=1) * np.linalg.norm(vector_1), 1e-30)
        return np.asarray(vectors_all @ vector_1 / norms, np.float32)

    def n_similarity(self, ws1: Sequence[Key], ws2: Sequence[Key]) -> float:
        """Return the cosine of the means of two lists of words. Raises: ConfigError for an empty list."""
        means = [unit(self.get_mean_vector(words, pre_normalize=False)) for words in (ws1, ws2)]
        return float(means[0] @ means[1])

    def wmdistance(self, document1: Sequence[str], document2: Sequence[str], norm: bool = True) -> float:
        """Return the word mover's distance of two lists of words; infinite if one has no known word.

            min_T Σ_ij T_ij ‖v_i - v_j‖,   T ≥ 0, with the relative frequencies of the words as its margins

        Source: Kusner et al. 2015. With `norm`, vectors are scaled to length 1 first.
        """
        from scipy.optimize import linprog

        counts = [
            {word: list(words).count(word) for word in dict.fromkeys(words) if word in self}
            for words in (document1, document2)
        ]
        if not all(counts):
            return float("inf")
        mine, theirs = (np.stack([self.get_vector(word, norm=norm) for word in each]) for each in counts)
        shares = [np.array(list(each.values())) / sum(each.values()) for each in counts]
        costs = np.linalg.norm(mine[:, None].astype(float) - theirs[None].astype(float), axis=2)
        n, m = costs.shape
        margins = np.concatenate([np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))])
        found = linprog(costs.ravel(), A_eq=margins, b_eq=np.concatenate(shares), method="highs")
        return max(0.0, float(found.fun))

    # Files

    @classmethod
    @checks_arguments
    def load_word2vec_format(
        cls,
        fname: str | Path,
        binary: bool | None = None,
        limit: AtLeastOne | None = None,
        skip_bad: bool = False,
    ) -> "KeyedVectors":
        """Read vectors in the format of word2vec (text or binary), GloVe or fastText (.vec), plain or .gz.

        The format is found from the file; `binary`, if given, must agree with it. `limit` reads the first
        words only; `skip_bad` leaves out lines that cannot be read.

        Raises: DataError naming the line or word that cannot be read.
        """
        if binary is not None and binary != is_binary(Path(fname)):
            kind = "a text" if binary else "a binary"
            raise ConfigError(f"binary: got {binary}, but {fname} is {kind} file; remove the argument.")
        return KeyedVectors(*read_word2vec(Path(fname), limit=limit, skip_bad=skip_bad))

    @checks_arguments
    def save_word2vec_format(
        self, fname: str | Path, binary: bool = False, write_header: bool = True
    ) -> None:
        """Write the format of word2vec, as text or binary; without a header, the text format of GloVe.

        Raises: ConfigError for a word with a blank, which the format cannot hold; StorageError.
        """
        if binary and not write_header:
            raise ConfigError("write_header: a binary file needs its header; remove the argument.")
        write_word2vec(self, Path(fname), binary=binary, header=write_header)

    @checks_arguments
    def save_vectors(self, path: str | Path) -> None:
        """Write words and vectors: into one file if the path ends in .npz, else into a folder.

        A folder can be memory-mapped by `load_vectors`. Raises: StorageError.
        """
        (write_npz if Path(path).suffix == ".npz" else write_folder)(self, Path(path))

    @classmethod
    @checks_arguments
    def load_vectors(cls, path: str | Path, mmap: bool = False) -> "KeyedVectors":
        """Read what `save_vectors` wrote; with `mmap` the vectors of a folder stay on disk.

        Raises: DataError if it is missing or damaged; ConfigError for a file that cannot be memory-mapped.
        """
        if Path(path).suffix != ".npz":
            return KeyedVectors(*read_folder(Path(path), mapped=mmap))
        if mmap:
            raise ConfigError("mmap: an .npz file cannot be memory-mapped; save the vectors to a folder.")
        return KeyedVectors(*read_npz(Path(path)))

    # Tests

    @checks_arguments
    def analogies(
        self,
        analogies: str | Path,
        restrict_vocab: AtLeastOne | None = 300_000,
        case_insensitive: bool = True,
    ) -> list[AnalogySection]:
        """Answer a file of analogies; see `evaluate_word_analogies`. Raises: DataError."""
        return answer_analogies(
            self, Path(analogies), restrict_vocab=restrict_vocab, case_insensitive=case_insensitive
        )

    @checks_arguments
    def evaluate_word_analogies(
        self,
        analogies: str | Path,
        restrict_vocab: AtLeastOne | None = 300_000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
    ) -> tuple[float, list[dict[str, Any]]]:
        """Return the share of analogies "a : b = c : ?" that are answered, and each group's questions.

        The answer is the word with the largest cos(b - a + c), except a, b and c.

        Questions with a word outside the first `restrict_vocab` are left out, or wrong with `dummy4unknown`;
        the last group has all. Raises: DataError if the file cannot be read.
        """
        found = self.analogies(analogies, restrict_vocab, case_insensitive)
        total = AnalogySection("Total accuracy", unknown=sum(section.unknown for section in found))
        for section in found:
            total.correct += section.correct
            total.incorrect += section.incorrect
        asked = total.asked + (total.unknown if dummy4unknown else 0)
        return len(total.correct) / max(1, asked), [section.to_dict() for section in (*found, total)]

    @checks_arguments
    def judgements(
        self,
        pairs: str | Path,
        delimiter: str | None = None,
        restrict_vocab: AtLeastOne | None = 300_000,
        case_insensitive: bool = True,
    ) -> Judgements:
        """Compare cosines with people's judgements in a file of `word word score`; see `Judgements`.

        Raises: DataError if it cannot be read, or fewer than two pairs are known.
        """
        return judge_pairs(
            self,
            read_judgements(Path(pairs), delimiter),
            restrict_vocab=restrict_vocab,
            case_insensitive=case_insensitive,
        )

    @checks_arguments
    def evaluate_word_pairs(
        self,
        pairs: str | Path,
        delimiter: str | None = "\t",
        restrict_vocab: AtLeastOne | None = 300_000,
        case_insensitive: bool = True,
    ) -> tuple[Correlation, Correlation, float]:
        """Return Pearson's and Spearman's correlation, and the percentage of pairs with an unknown word.

        Raises: as `judgements`.
        """
        found = self.judgements(pairs, delimiter, restrict_vocab, case_insensitive)
        return found.pearson, found.spearman, 100 * found.unknown_share

    # Parts

    def _query(self, positive: Any, negative: Any) -> tuple[Vector, set[int]]:
        """Return the unit vector of a query, and the rows of its words."""
        keys: list[Any] = []
        weights: list[float] = []
        for each, sign in ((_listed(positive), 1.0), (_listed(negative), -1.0)):
            for item in each:
                key, weight = item if isinstance(item, tuple) else (item, sign)
                keys.append(key)
                weights.append(weight)
        if not keys:
            raise ConfigError("positive: got nothing to compare with; give at least one word.")
        mean = self.get_mean_vector(keys, weights, post_normalize=True, ignore_missing=False)
        return mean, {self.get_index(key) for key in keys if not isinstance(key, np.ndarray)}

    def _cosines(self, query: Vector, low: int, high: int) -> Vector:
        """Return the cosine of a unit vector with each vector of a range. Shapes: query (D,); result (n,)."""
        found = [block @ query for _, block in self.blocks(low, high)]
        return np.asarray(
            np.concatenate([np.zeros(0, np.float32), *found]) / np.maximum(self.norms[low:high], 1e-30)
        )

    def _best(self, scores: Any, low: int, left_out: set[int], topn: int) -> list[tuple[str, float]]:
        """Return the words with the largest scores; the more frequent word comes first among equals."""
        wanted = min(topn + len(left_out), len(scores))
        if not wanted:
            return []
        best = np.argpartition(-scores, wanted - 1)[:wanted]
        worst = scores[best].min()
        ties = np.flatnonzero(scores == worst)  # which of several equal scores comes in is not left to chance
        best = np.union1d(best[scores[best] > worst], ties)
        ordered = best[np.lexsort((best, -scores[best]))]
        found = [
            (self.index_to_key[low + at], float(scores[at])) for at in ordered if low + at not in left_out
        ]
        return found[:topn]


def _listed(given: Any) -> list[Any]:
    """Return keys as a list; one key, or one vector, is a list of one."""
    if given is None:
        return []
    if isinstance(given, (str, Integral)) or (isinstance(given, np.ndarray) and given.ndim == 1):
        return [given]
    return list(given)
