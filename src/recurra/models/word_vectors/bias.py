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
_RESTARTS, _ITERATIONS = 30, 300  # of k-means
_RIDGE = 1.0
_NOTHING = 1e-6  # length of what is left of a unit vector, below which it is rounding
_RANDOM = 5  # directions


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
    """How well debiased vectors tell the words that were most biased to either side.

    `accuracy` is that of two clusters, and `classified` that of a linear classifier, which is trained on half
    of the words and tested on the others. `words` is their number on each side; `of_random` and
    `classified_random` are the means if random directions are removed instead. An accuracy of 0.5 says
    nothing of the sides.
    """

    accuracy: float
    words: int
    of_random: float
    classified: float
    classified_random: float


def remaining_bias(
    before: WordLookup,
    after: WordLookup,
    direction: Floats,
    *,
    neutral: Sequence[str],
    count: int = 500,
    seed: int = 1,
) -> RemainingBias:
    """Tell the side of the words that were most biased from their vectors after debiasing.

    Of the `neutral` words, the `count` words with the largest and with the smallest cosine before debiasing
    (at most a quarter of all on each side) are divided into two clusters by k-means (the solution with the
    smallest inertia of several). A linear classifier learns the side from every other word by ridge
    regression, and is tested on the rest. Words at the ends of any direction differ in other directions too,
    so the same is done with five random directions.

    Raises: ConfigError for fewer than four words. Source: H. Gonen & Y. Goldberg, Lipstick on a pig (2019);
    random directions are ours.
    """
    count = min(count, len(neutral) // 4)
    if count < 1:
        raise ConfigError(f"words: got {len(neutral)} neutral words, expected >= 4.")
    random = np.random.default_rng(seed).normal(size=(_RANDOM, len(direction)))
    every = np.stack([direction, *_with_length_one(random)], axis=1)
    cosines = np.concatenate(
        [along(before, neutral[at : at + _ROWS], every) for at in range(0, len(neutral), _ROWS)]
    )
    found, classified = [], []
    for column in range(_RANDOM + 1):
        order = np.argsort(-cosines[:, column], kind="stable")
        chosen = [neutral[place] for place in (*order[:count], *order[-count:])]
        if column:
            rows = _with_length_one(_without(unit_rows(before, chosen), every[:, column]))
        else:
            rows = unit_rows(after, chosen)
        found.append(_share_of_clusters(rows, seed))
        classified.append(_share_classified(rows))
    means = float(np.mean(found[1:])), float(np.mean(classified[1:]))
    return RemainingBias(found[0], count, means[0], classified[0], means[1])


def _share_of_clusters(rows: Floats, seed: int) -> float:
    """Return how well two clusters tell the first half of the rows from the second. Shapes: (n, D)."""
    from scipy.cluster.vq import kmeans2

    best: tuple[float, NDArray[np.int32]] | None = None
    for restart in range(_RESTARTS):
        draw = np.random.default_rng([seed, restart])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on words with the same vector
            centres, labels = kmeans2(rows, 2, iter=_ITERATIONS, minit="++", seed=draw)
        inertia = float(np.square(rows - centres[labels]).sum())
        if best is None or inertia < best[0]:
            best = inertia, labels
    assert best is not None, "there are restarts"
    share = float(np.mean((best[1] == best[1][0]) == (np.arange(len(rows)) < len(rows) // 2)))
    return max(share, 1.0 - share)


def _share_classified(rows: Floats) -> float:
    """Return how well ridge regression on every other row tells the sides of the rest. Shapes: (n, D)."""
    sides = np.where(np.arange(len(rows)) < len(rows) // 2, 1.0, -1.0)
    x, y = rows[::2], sides[::2]
    weights = np.linalg.solve(x.T @ x + _RIDGE * np.eye(x.shape[1]), x.T @ (y - y.mean()))
    guessed = np.sign((rows[1::2] - x.mean(0)) @ weights)
    return float(np.mean(guessed == sides[1::2]))
