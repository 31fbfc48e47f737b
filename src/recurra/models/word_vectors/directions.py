"""Directions in the space of word vectors, such as that of gender, and words scored along them."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from recurra.errors import ConfigError, DataError
from recurra.models.word_vectors.lookup import TINY, WordLookup
from recurra.plain import aligned, listed, parsed_json, quoted, reason_of
from recurra.results import Result

Floats = NDArray[np.float64]
Pairs = Sequence[tuple[str, str]]
_SAME = 1e-12  # sum of squared differences that rounding to single precision can give


@dataclass(frozen=True)
class Direction:
    """A unit vector, the pairs that gave it, and the shares of variance of the components of these pairs.

    A positive cosine with `vector` is the side of the first words. `variance` has the share of each principal
    component of the centred pairs, the largest first; `explained` is the share along `vector` itself.

    Shapes: vector (D,).
    """

    vector: Floats
    pairs: tuple[tuple[str, str], ...]
    variance: tuple[float, ...]
    explained: float


def direction_of_pairs(
    vectors: WordLookup, pairs: Pairs, how: Literal["mean", "pca"] = "mean", *, what: str = "pairs"
) -> Direction:
    """Return the direction from the second to the first words of pairs, computed from unit vectors a, b.

        mean   Σ (a - b) / |Σ (a - b)|
        pca    the first principal component of ±(a - b)/2 of all pairs, with the sign of the first pair

    Pairs with an unknown word are left out.

    Raises: ConfigError if no pair has two known words, or if the differences are zero or cancel each other.
    Source: T. Bolukbasi et al., Man is to computer programmer as woman is to homemaker? (2016).
    """
    known = [(a, b) for a, b in pairs if a in vectors and b in vectors]
    if not known:
        words = listed(f"{a}:{b}" for a, b in pairs)
        raise ConfigError(f"{what}: no pair has two known words, got {words or 'none'}; give other pairs.")
    halves = (unit_rows(vectors, [a for a, _ in known]) - unit_rows(vectors, [b for _, b in known])) / 2
    total = float(np.square(halves).sum())
    if total < _SAME:
        raise ConfigError(f"{what}: the two words of each pair have the same vector; give other pairs.")
    # The centred words of a pair are its half difference and the opposite of it.
    _, singular, components = np.linalg.svd(halves, full_matrices=False)
    found = halves.sum(0) if how == "mean" else components[0]
    length = float(np.linalg.norm(found))
    if length < 1e-9 * np.sqrt(total):
        raise ConfigError(f"{what}: the differences of the pairs cancel each other; give pairs in one order.")
    found = found / length
    if how == "pca" and float(halves[0] @ found) < 0:
        found = -found
    variance = tuple((np.square(singular) / total).tolist())
    return Direction(found, tuple(known), variance, float(np.square(halves @ found).sum()) / total)


def unit_rows(vectors: WordLookup, words: Sequence[str]) -> Floats:
    """Return the vectors of words with length 1; a zero vector stays zero. Shapes: result (n, D)."""
    rows = vectors[list(words)].astype(np.float64)
    found: Floats = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), TINY)
    return found


@dataclass(frozen=True)
class Axis:
    """How an axis is given: by pairs of words, or by words at one end, with others at the other end."""

    pairs: tuple[tuple[str, str], ...] = ()
    words: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    def each_word(self) -> list[str]:
        """Return all words that the axis is given by."""
        return [*(word for pair in self.pairs for word in pair), *self.words, *self.others]


def axes_given(given: Sequence[str], what: str) -> dict[str, Axis]:
    """Return axes given as `axis_of` reads them, or as files of `read_axes` (.toml, .json).

    Raises: ConfigError for another form, or two axes of one name; DataError for a file that cannot be read.
    """
    found: dict[str, Axis] = {}
    for one in given:
        is_file = "=" not in one and Path(one).suffix in (".toml", ".json")
        for name, axis in read_axes(Path(one)) if is_file else [axis_of(one, what)]:
            if name in found:
                raise ConfigError(f"{what}: {quoted(name)} is given twice; give each axis its own name.")
            found[name] = axis
    return found


def read_axes(path: Path) -> list[tuple[str, Axis]]:
    """Read a TOML or JSON table of axes by name: a text such as "he:she,man:woman" or "old/young", a list of
    words, or a list of pairs, each ["he", "she"] or "he:she".

    Raises: DataError if it cannot be read, or naming the axis that has another form.
    """
    parse = tomllib.loads if path.suffix == ".toml" else parsed_json
    try:
        content = parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file; check the path.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: cannot be read as axes ({reason_of(error)}); correct it.") from error
    if not isinstance(content, dict) or not content:
        raise DataError(f"{path}: is not a table of axes by name; name another file.")
    return [(name, _axis_in(path, name, value)) for name, value in content.items()]


def _axis_in(path: Path, name: str, value: Any) -> Axis:
    if isinstance(value, str):
        try:
            return axis_of(f"{name.replace('=', ' ')}={value}", name)[1]
        except ConfigError as error:
            raise DataError(f"{path}: {error}") from error
    entries = value if isinstance(value, list) else []
    if entries and all(_is_word(one) for one in entries):
        split = [one.split(":") for one in entries]
        if all(len(ends) == 2 and all(map(_is_word, ends)) for ends in split):
            return Axis(pairs=tuple((a.strip(), b.strip()) for a, b in split))
        return Axis(words=tuple(entries))
    if entries and all(
        isinstance(one, list) and len(one) == 2 and all(map(_is_word, one)) for one in entries
    ):
        return Axis(pairs=tuple((a, b) for a, b in entries))
    raise DataError(f"{path}: {name}: has {quoted(value)}, expected words, or pairs of words; correct it.")


def _is_word(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def axis_of(given: str, what: str) -> tuple[str, Axis]:
    """Return the name and the axis of `NAME=a:b,c:d`, `NAME=a,b` or `NAME=a,b/c,d`.

    Raises: ConfigError for another form.
    """
    name, equals, content = given.partition("=")
    ends = [[one.strip() for one in end.split(",")] for end in content.split("/")]
    split = [tuple(part.strip() for part in one.split(":")) for one in ends[0]]
    parts = [part for end in ends for one in end for part in one.split(":")]
    fits = name.strip() and equals and len(ends) < 3 and all(map(str.strip, parts))
    if fits and len(ends) == 1 and all(len(one) == 2 for one in split):
        return name.strip(), Axis(pairs=tuple((one[0], one[1]) for one in split))
    if fits and not any(":" in one for end in ends for one in end):
        return name.strip(), Axis(words=tuple(ends[0]), others=tuple(ends[1]) if len(ends) == 2 else ())
    raise ConfigError(
        f"{what}: got {quoted(given)}, expected NAME=he:she,man:woman (pairs), NAME=king,queen (words) or "
        "NAME=king,queen/apple,table (words of both ends)."
    )


def direction_of(vectors: WordLookup, name: str, axis: Axis) -> Floats:
    """Return the unit vector of an axis: of pairs `direction_of_pairs`; of words w, from unit vectors,

        mean of w - mean of the words at the other end (or of all words, if none are given)

    Shapes: result (D,). Raises: ConfigError if no word of an end is known.
    """
    if axis.pairs:
        return direction_of_pairs(vectors, axis.pairs, what=name).vector
    ends = []
    for words in (axis.words, axis.others):
        known = [word for word in words if word in vectors]
        if words and not known:
            raise ConfigError(f"{name}: none of the words {listed(words)} is known; give others.")
        ends.append(unit_rows(vectors, known).mean(0) if words else mean_unit(vectors))
    found: Floats = ends[0] - ends[1]
    length = float(np.linalg.norm(found))
    if length < 1e-12:
        raise ConfigError(f"{name}: both ends have the same mean; give other words.")
    return found / length


def mean_unit(vectors: WordLookup) -> Floats:
    """Return the mean of the unit vectors of all words. Shapes: result (D,)."""
    total, rows = np.zeros(vectors.vector_size), 1 << 14
    for at in range(0, len(vectors), rows):
        total += unit_rows(vectors, vectors.index_to_key[at : at + rows]).sum(0)
    return total / max(1, len(vectors))


@dataclass(frozen=True, repr=False)
class AxisTable(Result):
    """The cosines of words with the directions of axes. Shapes: values (words, axes)."""

    words: tuple[str, ...]
    axes: tuple[str, ...]
    values: Floats

    def told(self) -> str:
        """Return the words and the axes."""
        return f"{listed(self.words, 60)} along {listed(self.axes, 60)}"

    def to_rows(self, of: str | None = None) -> list[dict[str, Any]]:
        """Return one row per word, with its cosine with each axis."""
        self._refuse(of)
        return [
            {"word": word} | dict(zip(self.axes, row, strict=True))
            for word, row in zip(self.words, self.values.tolist(), strict=True)
        ]

    def lines(self) -> list[str]:
        """Return a table: one column per word, one line per axis."""
        cells = [list(self.words), *([f"{value:+.2f}" for value in column] for column in self.values.T)]
        return list(aligned(["", *self.axes], cells))


def axes_of(vectors: WordLookup, words: Sequence[str], axes: Mapping[str, Axis]) -> AxisTable:
    """Return the cosine of each word with the direction of each axis.

    Raises: MissingWord; ConfigError without words or axes, for an axis named "word", and as `direction_of`.
    """
    if not words or not axes:
        raise ConfigError(f"{'axes' if words else 'words'}: got none; give at least one.")
    if "word" in axes:
        raise ConfigError("axes: 'word' names the column of the words; give the axis another name.")
    directions = [direction_of(vectors, name, axis) for name, axis in axes.items()]
    values = unit_rows(vectors, words) @ np.stack(directions).T
    return AxisTable(tuple(words), tuple(axes), values)
