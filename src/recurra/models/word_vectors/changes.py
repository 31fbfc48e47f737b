"""Changes to words and vectors: additions, attributes such as counts, scaling, and the order of words."""

from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.arguments import checks_arguments
from recurra.errors import ConfigError, ShapeError, VocabularyError
from recurra.models.word_vectors.lookup import TINY, Key, Vector, WordLookup, each_word, numbers
from recurra.plain import quoted

_ANY = np.dtype(object)
_KINDS = {"b": np.dtype(bool), "i": np.dtype(np.int64), "f": np.dtype(np.float64)}
_NO_COUNTS = "files of vectors have none; read them with `fvocab`, or set them with set_vecattr"


class MissingAttribute(ConfigError, KeyError):
    """Words do not have an attribute."""

    def __str__(self) -> str:
        return str(self.args[0])


class ChangedWords(WordLookup):
    """Words that can be added and sorted, and have attributes."""

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for a copy, which shares no list with the original."""
        own = {"index_to_key": list(self.index_to_key), "key_to_index": dict(self.key_to_index)}
        return self.__dict__ | own | {"_buffer": None, "expandos": dict(self.expandos)}

    @checks_arguments
    def add_vectors(
        self,
        keys: str | Iterable[str],
        weights: Any,
        extras: Mapping[str, Any] | None = None,
        replace: bool = False,
    ) -> None:
        """Add words with their vectors; known words keep theirs unless `replace`. Shapes: weights (n, D).

        `extras` are values of attributes, an array for each.

        Raises: ShapeError for other shapes; VocabularyError if a new word occurs twice.
        """
        if isinstance(keys, str):
            keys, weights = [keys], numbers(weights, "weights", (self.vector_size or None,))[None]
        each = each_word(keys, "keys")
        rows = len(self)
        size = self.vector_size or None
        if not each:
            return
        given = numbers(weights, "weights", (len(each), size))
        attributes = {name: np.asarray(values) for name, values in (extras or {}).items()}
        for name, values in attributes.items():
            if values.shape != (len(each),):
                raise ShapeError(f"extras: {name} has shape {values.shape}, expected one value per key.")
        new: dict[str, int] = {}
        for at, key in enumerate(each):
            if key in new:
                raise VocabularyError(f"keys: {quoted(key)} occurs twice; remove one of them.")
            if key not in self.key_to_index:
                new[key] = at
        changed = [at for at, key in enumerate(each) if key not in new] if replace else []
        targets = [self.key_to_index[each[at]] for at in changed]
        owned = self._owned(rows + len(new), given.shape[1])
        owned[targets] = given[changed]
        owned[rows : rows + len(new)] = given[list(new.values())]
        self._vectors, self._norms = owned[: rows + len(new)], None
        self.key_to_index.update({key: rows + at for at, key in enumerate(new)})
        self.index_to_key.extend(new)
        for name, values in attributes.items():
            for at in (*changed, *new.values()):
                self.set_vecattr(each[at], name, values[at].item())

    @checks_arguments
    def add_vector(self, key: str, vector: Any) -> int:
        """Add a word, or replace its vector; return its row. Shapes: vector (D,)."""
        self.add_vectors(key, vector, replace=True)
        return self.key_to_index[key]

    def __setitem__(self, keys: Any, weights: Any) -> None:
        """Add words, or replace their vectors; rows are those of known words."""
        if isinstance(keys, (str, Integral)):
            keys, weights = [keys], numbers(weights, "weights", (self.vector_size or None,))[None]
        each = [
            self.index_to_key[self.get_index(int(key))] if isinstance(key, Integral) else key for key in keys
        ]
        self.add_vectors(each, weights, replace=True)

    @checks_arguments
    def unit_normalize_all(self) -> None:
        """Scale all vectors to length 1; the original lengths are lost."""
        lengths = np.maximum(self.norms, TINY)[:, None]
        self._vectors = self._owned(len(self), self.vector_size)[: len(self)]
        self._vectors /= lengths
        self._norms = None

    @checks_arguments
    def set_vecattr(self, key: Key, attr: str, val: Any) -> None:
        """Set an attribute of a word, such as "count".

        Raises: ConfigError if other words have values of another type; MissingWord.
        """
        at = self.get_index(key)
        kind = _KINDS.get(np.asarray(val).dtype.kind, _ANY) if np.isscalar(val) else _ANY
        held = self._attribute(attr, kind)
        if not np.can_cast(kind, held.dtype):
            raise ConfigError(
                f"{attr}: got {quoted(val)}, but other words have values of type {held.dtype}; convert it."
            )
        held[at] = val

    @checks_arguments
    def get_vecattr(self, key: Key, attr: str) -> Any:
        """Return an attribute of a word. Raises: MissingAttribute, which is a KeyError; MissingWord."""
        return self._attribute(attr)[self.get_index(key)]

    @checks_arguments
    def sort_by_descending_frequency(self) -> None:
        """Sort words by decreasing count. Raises: MissingAttribute without counts."""
        if not len(self):
            return
        counts = self._attribute("count")
        order = np.lexsort((-np.arange(len(counts)), -counts))
        for name in self.expandos:
            self.expandos[name] = self._attribute(name)[order]
        self.index_to_key = [self.index_to_key[at] for at in order]
        self.key_to_index = {key: at for at, key in enumerate(self.index_to_key)}
        self.vectors = self._vectors[order]

    def _attribute(self, attr: str, kind: Any = None) -> NDArray[Any]:
        """Return the values of an attribute, one per word; with `kind` a missing one is added."""
        if attr not in self.expandos:
            if kind is None:
                why = _NO_COUNTS if attr == "count" else "set it with set_vecattr"
                raise MissingAttribute(f"{attr}: the words have no such attribute; {why}.")
            self.expandos[attr] = np.zeros(len(self), kind)
        held = self.expandos[attr]
        if len(held) < len(self):
            held = np.concatenate([held, np.zeros(len(self) - len(held), held.dtype)])
            self.expandos[attr] = held
        return held

    def _owned(self, rows: int, size: int) -> Vector:
        """Return memory of our own with the vectors and room for `rows`. Shapes: result (rows or more, D)."""
        there = len(self._vectors)
        if self._buffer is None or len(self._buffer) < rows or self._buffer.shape[1] != size:
            room = rows if self._buffer is None else max(rows, there + there // 2)
            fresh = np.empty((room, size), np.float32)
            fresh[:there] = self._vectors if there else 0
            self._buffer = fresh
        return self._buffer
