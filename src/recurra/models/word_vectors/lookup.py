"""Words with one vector each: look-up, means and additions."""

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recurra.arguments import checks_arguments
from recurra.errors import ConfigError, ShapeError, VocabularyError
from recurra.plain import counted, quoted

Vector = NDArray[np.float32]
Key = str | int
_BLOCK = 1 << 24  # numbers of a block of vectors that are read at once


class MissingWord(VocabularyError, KeyError):
    """A word is not in the vocabulary."""

    def __init__(self, key: Any) -> None:
        super().__init__(f"{quoted(str(key))} is not in the vocabulary; check its spelling and its case.")

    def __str__(self) -> str:
        return str(self.args[0])


class WordLookup:
    """Words, sorted by decreasing frequency if they come from training, and their vectors.

    Shapes: vectors (N, D), which may be memory-mapped.

    Raises: VocabularyError if a word occurs twice; ShapeError if there is not one vector per word.
    """

    @checks_arguments
    def __init__(self, words: Iterable[str] = (), vectors: ArrayLike | None = None) -> None:
        self.index_to_key = list(words)
        given = np.zeros((0, 0), np.float32) if vectors is None else np.asanyarray(vectors)
        if given.ndim != 2 or len(given) != len(self.index_to_key):
            raise ShapeError(
                f"vectors: got shape {given.shape} for {counted(len(self.index_to_key), 'word')}, expected "
                "one row per word."
            )
        self.vectors: Vector = given if given.dtype == np.float32 else given.astype(np.float32)
        self.key_to_index: Mapping[str, int] = {key: at for at, key in enumerate(self.index_to_key)}
        if len(self.key_to_index) != len(self.index_to_key):
            twice = next(key for at, key in enumerate(self.index_to_key) if self.key_to_index[key] != at)
            raise VocabularyError(f"words: {quoted(twice)} occurs twice; remove one of them.")
        self._norms: NDArray[np.float32] | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({counted(len(self), 'word')}, {self.vector_size} dimensions)"

    def __len__(self) -> int:
        return len(self.index_to_key)

    def __contains__(self, key: object) -> bool:
        if isinstance(key, str):
            return key in self.key_to_index
        return isinstance(key, Integral) and 0 <= int(key) < len(self)

    @overload
    def __getitem__(self, keys: Key) -> Vector: ...

    @overload
    def __getitem__(self, keys: Sequence[Key]) -> Vector: ...

    def __getitem__(self, keys: Any) -> Vector:
        if isinstance(keys, (str, Integral)):
            return self.get_vector(keys)  # type: ignore[arg-type]
        return np.stack([self.get_vector(key) for key in keys])

    @property
    def vector_size(self) -> int:
        """D, the number of components of a vector."""
        return int(self.vectors.shape[1])

    @property
    def norms(self) -> NDArray[np.float32]:
        """The Euclidean norm of each vector, computed once, in blocks. Shapes: result (N,)."""
        if self._norms is None:
            found = [np.linalg.norm(block, axis=1) for _, block in self.blocks(0, len(self))]
            self._norms = np.concatenate([np.zeros(0), *found]).astype(np.float32)
        return self._norms

    def has_index_for(self, key: Key) -> bool:
        """Whether a word is in the vocabulary."""
        return key in self

    def get_index(self, key: Key, default: int | None = None) -> int:
        """Return the row of a word; a number is a row itself. Raises: VocabularyError without a default."""
        if isinstance(key, str):
            at = self.key_to_index.get(key)
            if at is not None:
                return at
        elif key in self:
            return int(key)
        if default is not None:
            return default
        raise MissingWord(key)

    def get_vector(self, key: Key, norm: bool = False) -> Vector:
        """Return the vector of a word, read-only, or scaled to length 1 with `norm`. Shapes: result (D,).

        Raises: MissingWord, which is a VocabularyError and a KeyError.
        """
        at = self.get_index(key)
        found = self.vectors[at] / max(self.norms[at], 1e-30) if norm else self.vectors[at].view()
        found.setflags(write=False)
        return np.asarray(found)

    def get_mean_vector(
        self,
        keys: Sequence[Key | Vector],
        weights: ArrayLike | None = None,
        pre_normalize: bool = True,
        post_normalize: bool = False,
        ignore_missing: bool = True,
    ) -> Vector:
        """Return the weighted mean of vectors, Σ w·v / Σ |w|. Shapes: weights (n,); result (D,).

        `pre_normalize` scales the words' vectors to length 1 first, not given arrays; `post_normalize` the
        mean.

        Raises: ConfigError for no keys or other weights than one per key; MissingWord, without
        `ignore_missing`.
        """
        if not len(keys):
            raise ConfigError("keys: got none, expected at least one.")
        factors = np.ones(len(keys)) if weights is None else np.asarray(weights, np.float64)
        if len(factors) != len(keys):
            raise ConfigError(f"weights: got {len(factors)}, expected one for each of {len(keys)} keys.")
        total = 0.0
        mean: NDArray[np.float64] = np.zeros(self.vector_size)
        for key, factor in zip(keys, factors, strict=True):
            if isinstance(key, np.ndarray):
                mean += factor * key
            elif key in self:
                mean += factor * self.get_vector(key, norm=pre_normalize)
            elif ignore_missing:
                continue
            else:
                raise MissingWord(key)
            total += abs(factor)
        mean = mean / total if total else mean
        return unit(mean) if post_normalize else np.asarray(mean, np.float32)

    def get_normed_vectors(self) -> Vector:
        """Return all vectors scaled to length 1. Shapes: result (N, D)."""
        return np.asarray(self.vectors / np.maximum(self.norms, 1e-30)[:, None], np.float32)

    def add_vectors(self, keys: Sequence[str], weights: ArrayLike, replace: bool = False) -> None:
        """Add words with their vectors; known words keep theirs unless `replace`. Shapes: weights (n, D).

        Raises: ShapeError for other shapes.
        """
        given = np.asarray(weights, np.float32)
        size = self.vector_size or (given.shape[-1] if given.ndim else 0)
        if given.shape != (len(keys), size):
            raise ShapeError(f"weights: got shape {given.shape}, expected {(len(keys), size)}.")
        vectors = np.array(self.vectors).reshape(len(self), size)
        index = dict(self.key_to_index)
        new: list[int] = []
        for at, key in enumerate(keys):
            if key not in index:
                index[key] = len(index)
                new.append(at)
            elif index[key] >= len(vectors):
                raise VocabularyError(f"keys: {quoted(key)} occurs twice; remove one of them.")
            elif replace:
                vectors[index[key]] = given[at]
        self.vectors = np.concatenate([vectors, given[new]])
        self.index_to_key = list(index)
        self.key_to_index, self._norms = index, None

    def add_vector(self, key: str, vector: ArrayLike) -> int:
        """Add a word, or replace its vector; return its row. Shapes: vector (D,)."""
        self.add_vectors([key], np.asarray(vector)[None], replace=True)
        return self.key_to_index[key]

    def __setitem__(self, keys: str | Sequence[str], weights: ArrayLike) -> None:
        each, rows = ([keys], np.asarray(weights)[None]) if isinstance(keys, str) else (list(keys), weights)
        self.add_vectors(each, rows, replace=True)

    def first(self, count: int) -> Self:
        """Return the first `count` words with their vectors, which are not copied."""
        return type(self)(self.index_to_key[:count], self.vectors[:count])

    def blocks(self, low: int, high: int) -> Iterable[tuple[int, Vector]]:
        """Yield the vectors of a range in blocks, with the row of the first of each. Shapes: each (n, D)."""
        rows = max(1, _BLOCK // max(1, self.vector_size))
        for begin in range(low, high, rows):
            yield begin, np.asarray(self.vectors[begin : min(begin + rows, high)])


def unit(vector: Any) -> Vector:
    """Return a vector scaled to length 1. Shapes: (D,), unchanged."""
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-30), np.float32)
