"""Words with one vector each: look-up and means."""

from collections.abc import Iterable, Iterator, Sequence
from numbers import Integral
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from recurra.arguments import NotNegative, checks_arguments, is_many
from recurra.errors import ArgumentTypeError, ConfigError, ShapeError, VocabularyError
from recurra.plain import counted, quoted, reason_of

Vector = NDArray[np.float32]
Key = str | int
_BLOCK = 1 << 24  # numbers of a block of vectors that are read at once
TINY = 2.0**-126  # instead of the length of a zero vector, so that its cosines are 0


class MissingWord(VocabularyError, KeyError):
    """A word is not in the vocabulary; `near` are words of the vocabulary with similar spellings."""

    def __init__(self, key: Any, near: Sequence[str] = ()) -> None:
        remedy = f"did you mean {' or '.join(near)}?" if near else "check its spelling and its case."
        super().__init__(f"{quoted(key)} is not in the vocabulary; {remedy}")

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        return _missing, (type(self), self.args[0])


class WordLookup:
    """Words, sorted by decreasing frequency if they come from training, and their vectors.

    As in gensim, the arguments may also be a vector size, and a number of words to reserve memory for, which
    are added later. `expandos` has the values of attributes of the words, such as "count", by name.

    Shapes: vectors (N, D), which may be memory-mapped.

    Raises: VocabularyError if a word occurs twice; ShapeError if there is not one vector per word.
    """

    @checks_arguments
    def __init__(
        self,
        words: Iterable[str] | int = (),
        vectors: Any = None,
        *,
        vector_size: NotNegative | None = None,
        count: NotNegative = 0,
        dtype: Any = np.float32,
    ) -> None:
        check_dtype(dtype)
        if isinstance(words, Iterable):
            self.index_to_key = each_word(words, "words")
        else:
            if words < 0:
                raise ConfigError(f"vector_size: got {words}, expected >= 0.")
            self.index_to_key, vector_size, vectors, count = [], int(words), None, vectors or count
        self.expandos: dict[str, NDArray[Any]] = {}
        self._norms: NDArray[np.float32] | None = None
        self._buffer: Vector | None = None  # memory of our own, with room for more rows than `vectors` has
        if vectors is None:
            self._buffer = reserved(count, vector_size or 0)
        self._vectors = matrix(vectors, "vectors") if self._buffer is None else self._buffer[:0]
        expected = len(self.index_to_key), self.vector_size if vector_size is None else vector_size
        if self._vectors.shape != expected:
            raise ShapeError(
                f"vectors: got shape {self._vectors.shape}, expected {expected}, one row per word."
            )
        self.key_to_index: dict[str, int] = {key: at for at, key in enumerate(self.index_to_key)}
        if len(self.key_to_index) != len(self.index_to_key):
            twice = next(key for at, key in enumerate(self.index_to_key) if self.key_to_index[key] != at)
            raise VocabularyError(f"words: {quoted(twice)} occurs twice; remove one of them.")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({counted(len(self), 'word')}, {self.vector_size} dimensions)"

    def __len__(self) -> int:
        return len(self.index_to_key)

    def __contains__(self, key: object) -> bool:
        if isinstance(key, str):
            return key in self.key_to_index
        return isinstance(key, Integral) and 0 <= int(key) < len(self)

    def __iter__(self) -> Iterator[str]:
        """Yield the words in the order of their rows."""
        return iter(self.index_to_key)

    @overload
    def __getitem__(self, keys: Key) -> Vector: ...

    @overload
    def __getitem__(self, keys: Sequence[Key]) -> Vector: ...

    def __getitem__(self, keys: Any) -> Vector:
        if isinstance(keys, (str, Integral)):
            at = self.key_to_index.get(keys) if isinstance(keys, str) else None
            key = keys if isinstance(keys, str) else int(keys)
            return self.get_vector(key) if at is None else self._row(at)
        if isinstance(keys, slice):
            keys = self.index_to_key[keys]
        each = each_key(keys, "keys")
        found = [self.get_vector(key) for key in each]
        return np.stack(found) if found else np.zeros((0, self.vector_size), np.float32)

    @property
    def vectors(self) -> Vector:
        """The vectors, one row per word; may be set. Shapes: (N, D)."""
        return self._vectors

    @vectors.setter
    def vectors(self, given: Any) -> None:
        self._vectors, self._buffer, self._norms = matrix(given, "vectors"), None, None

    @property
    def vector_size(self) -> int:
        """D, the number of components of a vector."""
        return int(self._vectors.shape[1])

    @property
    def norms(self) -> NDArray[np.float32]:
        """The Euclidean norm of each vector, computed once, in blocks. Shapes: result (N,)."""
        if self._norms is None or len(self._norms) != len(self._vectors):
            found = [_lengths(block) for _, block in self.blocks(0, len(self._vectors))]
            self._norms = np.concatenate([np.zeros(0, np.float32), *found])
        return self._norms

    @checks_arguments
    def fill_norms(self, force: bool = False) -> None:
        """Compute the norms; with `force` again, which is needed after changes inside `vectors`."""
        self._norms = None if force else self._norms
        assert self.norms is not None

    @checks_arguments
    def has_index_for(self, key: Any) -> bool:
        """Whether a word is in the vocabulary."""
        return WordLookup.__contains__(self, key)

    @checks_arguments
    def get_index(self, key: Key, default: int | None = None) -> int:
        """Return the row of a word; a number is a row itself. Raises: MissingWord without a default."""
        if isinstance(key, str):
            at = self.key_to_index.get(key)
            if at is not None:
                return at
        elif WordLookup.__contains__(self, key):
            return int(key)
        if default is not None:
            return default
        raise MissingWord(key)

    @checks_arguments
    def get_vector(self, key: Key, norm: bool = False) -> Vector:
        """Return the vector of a word, read-only, or scaled to length 1 with `norm`. Shapes: result (D,).

        Raises: MissingWord, which is a VocabularyError and a KeyError.
        """
        at = self.key_to_index.get(key) if isinstance(key, str) else None
        return self._row(self.get_index(key) if at is None else at, norm=norm)

    word_vec = get_vector

    @checks_arguments
    def get_mean_vector(
        self,
        keys: Any,
        weights: Any = None,
        pre_normalize: bool = True,
        post_normalize: bool = False,
        ignore_missing: bool = True,
    ) -> Vector:
        """Return the weighted mean of vectors, Σ w·v / Σ |w|. Shapes: weights (n,); result (D,).

        `keys` are words, rows or vectors. `pre_normalize` scales the words' vectors to length 1 first, not
        given vectors; `post_normalize` the mean.

        Raises: ConfigError for no keys or other weights than one per key; MissingWord, without
        `ignore_missing`.
        """
        each = each_key(keys, "keys")
        if not each:
            raise ConfigError("keys: got none, expected at least one.")
        factors = (
            np.ones(len(each)) if weights is None else numbers(weights, "weights", (len(each),), np.float64)
        )
        total = 0.0
        mean: NDArray[np.float64] = np.zeros(self.vector_size)
        for key, factor in zip(each, factors, strict=True):
            if isinstance(key, np.ndarray) or key in self or not ignore_missing:
                mean += factor * self._vector_of(key, norm=pre_normalize)
                total += abs(factor)
        mean = mean / total if total else mean
        return unit(mean) if post_normalize else np.asarray(mean, np.float32)

    @checks_arguments
    def get_normed_vectors(self) -> Vector:
        """Return all vectors scaled to length 1. Shapes: result (N, D)."""
        return np.asarray(self._vectors / np.maximum(self.norms, TINY)[:, None], np.float32)

    @checks_arguments
    def blocks(self, low: NotNegative, high: NotNegative) -> Iterator[tuple[int, Vector]]:
        """Yield the vectors of a range in blocks, with the row of the first of each. Shapes: each (n, D)."""
        rows = max(1, _BLOCK // max(1, self.vector_size))
        for begin in range(low, min(high, len(self._vectors)), rows):
            yield begin, np.asarray(self._vectors[begin : min(begin + rows, high)])

    def _row(self, at: int, *, norm: bool = False) -> Vector:
        """Return the vector of a row, read-only. Shapes: result (D,)."""
        row = self._vectors[at]
        found = np.asarray(row / max(self.norms[at], TINY) if norm else row)
        found.flags.writeable = False
        return found

    def _vector_of(self, key: Any, *, norm: bool = False) -> Vector:
        """Return the vector of a key, or a given vector, unchanged. Raises: ShapeError for another size."""
        if isinstance(key, np.ndarray):
            return numbers(key, "vector", (self.vector_size,))
        return self.get_vector(key, norm)


def _lengths(rows: Vector) -> NDArray[np.float32]:
    """Return the length of each row, even if its square is out of range. Shapes: rows (n, D); result (n,)."""
    with np.errstate(over="ignore"):
        found: NDArray[np.float32] = np.linalg.norm(rows, axis=1)
    odd = ~((found > 1e-15) & (found < np.inf))
    if odd.any():
        found[odd] = np.linalg.norm(rows[odd].astype(np.float64), axis=1)
    return found


def unit(vector: Any) -> Vector:
    """Return a vector scaled to length 1; a zero vector is unchanged. Shapes: (D,), unchanged."""
    return np.asarray(vector / max(float(np.linalg.norm(np.asarray(vector, np.float64))), TINY), np.float32)


def each_key(keys: Any, name: str) -> list[Any]:
    """Return words, rows and vectors as a list; a matrix is a list of vectors.

    Raises: ArgumentTypeError for anything else, such as a single word.
    """
    if not is_many(keys) and not (isinstance(keys, np.ndarray) and keys.ndim == 2):
        got = " ".join(quoted(keys).split())
        raise ArgumentTypeError(f"{name}: got {got}, expected a list of words, rows or vectors.")
    found = list(keys)
    for place, key in enumerate(found):
        check_key(key, f"{name}[{place}]")
    return found


def check_key(key: Any, name: str) -> None:
    """Raises: ArgumentTypeError for what is no word, row or vector."""
    if isinstance(key, (bool, np.bool_)) or not isinstance(key, (str, Integral, np.ndarray)):
        got = " ".join(quoted(key).split())
        raise ArgumentTypeError(f"{name}: got {got}, expected a word, a row or a vector.")


def each_word(words: Any, name: str) -> list[str]:
    """Return words as a list of plain strings. Raises: ArgumentTypeError."""
    found = list(words)
    for place, word in enumerate(found):
        if not isinstance(word, str):
            raise ArgumentTypeError(f"{name}[{place}]: got {quoted(word)}, expected a word.")
    return found


def numbers(given: Any, name: str, shape: tuple[int | None, ...], dtype: Any = np.float32) -> NDArray[Any]:
    """Return an array of finite numbers. Shapes: as `shape` says. Raises: ShapeError for anything else."""
    try:
        with np.errstate(over="ignore"):
            found = np.asarray(given, dtype)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise ShapeError(f"{name}: is not an array of numbers ({reason_of(error)}).") from error
    if len(found.shape) != len(shape) or any(
        size not in (None, got) for got, size in zip(found.shape, shape, strict=True)
    ):
        expected = " x ".join("n" if size is None else str(size) for size in shape)
        raise ShapeError(f"{name}: got shape {found.shape}, expected {expected} numbers.")
    if not np.isfinite(found).all():
        raise ShapeError(f"{name}: has a number that is not finite in {found.dtype}.")
    return found


def matrix(given: Any, name: str) -> Vector:
    """Return rows of numbers in single precision; an array that already has it is neither copied nor checked.

    Shapes: (n, D). Raises: ShapeError for anything else.
    """
    if isinstance(given, np.ndarray) and given.ndim == 2 and given.dtype == np.float32:
        return np.asanyarray(given)
    return numbers(given, name, (None, None))


def reserved(count: Any, size: int) -> Vector:
    """Return memory for `count` rows. Shapes: (count, size). Raises: ConfigError if there is not as much."""
    if isinstance(count, bool) or not isinstance(count, Integral) or count < 0:
        raise ConfigError(f"count: got {quoted(count)}, expected a number of words to reserve memory for.")
    try:
        return np.empty((int(count), size), np.float32)
    except (MemoryError, ValueError) as error:
        raise ConfigError(
            f"count: {count:,} rows of {size:,} numbers do not fit into memory; give fewer."
        ) from error


def check_dtype(dtype: Any) -> None:
    """Raises: ConfigError for other numbers than those of single precision."""
    try:
        is_single = np.dtype(dtype) == np.float32
    except (TypeError, ValueError):
        is_single = False
    if not is_single:
        raise ConfigError(
            f"dtype: got {quoted(dtype)}, but vectors have single precision; remove the argument."
        )


def _missing(kind: type[MissingWord], sentence: str) -> MissingWord:
    found = kind.__new__(kind, sentence)
    found.args = (sentence,)
    return found
