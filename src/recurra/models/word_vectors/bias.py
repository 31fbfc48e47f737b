"""Bias of word vectors along a direction: how large it is, how it is removed, and what remains of it."""

import warnings
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recurra.errors import ConfigError
from recurra.models.word_vectors.directions import Floats, Pairs, unit_rows
from recurra.models.word_vectors.keyed import KeyedVectors
from recurra.models.word_vectors.lookup import WordLookup

_ROWS = 1 << 14  # words at once
_RESTARTS = 10
_NOTHING = 1e-6  # length of what is left of a unit vector, below which it is rounding


class Debiased(NamedTuple):
    """Debiased vectors, the number of neutralised words, and the pairs that were equalised."""

    vectors: KeyedVectors
    neutralised: int
    equalised: tuple[tuple[str, str], ...]


def debias(vectors: WordLookup, direction: Floats, definitional: Iterable[str], pairs: Pairs) -> Debiased:
    """Remove a direction g from all words that it does not define, and make pairs differ in it alone.

        unit        v = v / |v|                                       for every word
        neutralise  v = v - g (v . g),   v = v / |v|                  unless the word is definitional; 0 if
                                                                      v = ±g but for rounding
        equalise    y = m - g (m . g) with m = (a + b) / 2
                    a = y + s sqrt(1 - |y|²) g,   b = y - s sqrt(1 - |y|²) g
                    with s the sign of (a - b) . g before words are neutralised

    Pairs are also equalised in lower case, with a capital, and in upper case, if both words are known. A
    neutralised word is as far from one word of a pair as from the other. Pairs are equalised in their order;
    of several pairs with one word in common, only the last one keeps this.

    Shapes: direction (D,), of length 1.
    Source: T. Bolukbasi et al., Man is to computer programmer as woman is
    to homemaker? (2016).
    """
    words, kept = vectors.index_to_key, set(definitional)
    table = np.empty((len(words), vectors.vector_size), np.float32)
    neutral = np.array([word not in kept for word in words], dtype=bool)
    for at in range(0, len(words), _ROWS):
        rows = unit_rows(vectors, words[at : at + _ROWS])
        chosen = neutral[at : at + _ROWS]
        rows[chosen] = _with_length_one(_without(rows[chosen], direction))
        table[at : at + _ROWS] = rows
    places, equalised = vectors.key_to_index, list[tuple[str, str]]()
    known = [(a, b) for a, b in _variants(pairs) if a in places and b in places and a != b]
    apart = (
        unit_rows(vectors, [a for a, _ in known]) - unit_rows(vectors, [b for _, b in known])
    ) @ direction
    for (a, b), difference in zip(known, apart.tolist(), strict=True):
        first, second = (table[places[word]].astype(np.float64) for word in (a, b))
        table[places[a]], table[places[b]] = _equal(first, second, direction, difference)
        equalised.append((a, b))
    found = KeyedVectors(words, table)
    found.expandos.update({name: values.copy() for name, values in vectors.expandos.items()})
    return Debiased(found, int(neutral.sum()), tuple(equalised))


def _without(rows: Floats, direction: Floats) -> Floats:
    found: Floats = rows - np.outer(rows @ direction, direction)
    return found


def _with_length_one(rows: Floats) -> Floats:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    found: Floats = np.where(lengths < _NOTHING, 0.0, rows / np.maximum(lengths, _NOTHING))
    return found


def _equal(a: Floats, b: Floats, direction: Floats, difference: float) -> tuple[Floats, Floats]:
    y = _without(((a + b) / 2)[None], direction)[0]
    apart = np.sqrt(max(0.0, 1.0 - float(y @ y))) * (-1.0 if difference < 0 else 1.0)
    return y + apart * direction, y - apart * direction


def _variants(pairs: Pairs) -> list[tuple[str, str]]:
    """Return pairs as they are, in lower case, with a capital, and in upper case, each once."""
    forms = (str, str.lower, str.title, str.upper)
    return list(dict.fromkeys((form(a), form(b)) for a, b in pairs for form in forms))


def direct_bias(
    vectors: WordLookup, words: Sequence[str], direction: Floats, strictness: float = 1.0
) -> float:
    """Return the mean over words of |cos(w, g)|^c; c, the strictness, is 1 if any bias counts.

    Unknown words are left out. Raises: ConfigError if no word is known. Source: Bolukbasi et al. 2016.
    """
    known = [word for word in words if word in vectors]
    if not known:
        raise ConfigError("words: none is known to the vectors; give others.")
    cosines = np.abs(unit_rows(vectors, known) @ direction)
    return float(np.mean(cosines**strictness))


def along(vectors: WordLookup, words: Sequence[str], direction: Floats) -> Floats:
    """Return the cosine of each word with a direction. Shapes: result (n,). Raises: MissingWord."""
    found: Floats = unit_rows(vectors, words) @ direction
    return found


class RemainingBias(NamedTuple):
    """How well two clusters of debiased vectors tell the words that were most biased to either side.

    `accuracy` is 0.5 if nothing remains; `words` is their number on each side.
    """

    accuracy: float
    words: int


def remaining_bias(
    before: WordLookup,
    after: WordLookup,
    direction: Floats,
    *,
    neutral: Sequence[str],
    count: int = 500,
    seed: int = 1,
) -> RemainingBias:
    """Cluster the words that were most biased, by their vectors after debiasing, and compare with their side.

    Of the `neutral` words, the `count` words with the largest and with the smallest cosine before debiasing
    (at most a quarter of all on each side) are divided into two clusters by k-means.

    Raises: ConfigError for fewer than four words. Source: H. Gonen & Y. Goldberg, Lipstick on a pig (2019).
    """
    from scipy.cluster.vq import kmeans2

    count = min(count, len(neutral) // 4)
    if count < 1:
        raise ConfigError(f"words: got {len(neutral)} neutral words, expected >= 4.")
    cosines = np.concatenate(
        [along(before, neutral[at : at + _ROWS], direction) for at in range(0, len(neutral), _ROWS)]
    )
    order = np.argsort(-cosines, kind="stable")
    chosen = [neutral[place] for place in (*order[:count], *order[-count:])]
    rows = unit_rows(after, chosen)
    best: tuple[float, NDArray[np.int32]] | None = None
    for restart in range(_RESTARTS):
        draw = np.random.default_rng([seed, restart])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on words with the same vector
            centres, labels = kmeans2(rows, 2, minit="++", seed=draw)
        inertia = float(np.square(rows - centres[labels]).sum())
        if best is None or inertia < best[0]:
            best = inertia, labels
    assert best is not None, "there are restarts"
    share = float(np.mean((best[1] == best[1][0]) == (np.arange(2 * count) < count)))
    return RemainingBias(max(share, 1.0 - share), count)
