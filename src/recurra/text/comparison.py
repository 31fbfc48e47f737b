"""Features of a pair of texts: overlap, lengths and numbers, standardised over the training pairs."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = Sequence[str]
Pair = tuple[Words, Words]
GROUPS = ("overlap", "lengths", "numbers")
"""The groups of features."""
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_STEM = 4  # characters
_LARGEST = 5.0  # standard deviations
_COMMON = 40  # words
_RARE = 10  # training texts, of which a common word is in more


@dataclass(frozen=True)
class PairFeatures:
    """Features of two texts a and b, by group:

        overlap   share of the words (stems, n-grams, characters) of a in b, and of b in a, plain and weighted
                  by idf(w) = log((N + 1) / (n_w + 1)) + 0.1; cosine of idf vectors; longest common
                  subsequence; whether a and b are the same; idf of the rarest word of one text only;
                  for each common word, such as "not", whether it is in one text only
        lengths   ratio and difference of the numbers of words and characters
        numbers   whether the numbers in a and b are the same, and how many are in one text only

    `documents` is the number of training texts N and `frequencies` that of the texts with a word, n_w, which
    is 1 for words of fewer than two texts. `common` are the 40 most frequent words, of those in more than ten
    texts. Words are compared in lower case. Values are standardised by `mean` and `deviation` and limited to
    ±5. With `symmetric`, they do not depend on the order of a and b: of two shares, the smaller and the
    larger one.

    Shapes: mean, deviation (F,).
    """

    groups: tuple[str, ...] = GROUPS
    symmetric: bool = False
    documents: int = 0
    frequencies: Mapping[str, int] = field(default_factory=dict)
    common: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()

    @classmethod
    def fit(
        cls, pairs: Sequence[Pair], groups: Sequence[str] = GROUPS, *, symmetric: bool = False
    ) -> "PairFeatures":
        """Return the features of some groups, with frequencies, means and deviations of training pairs."""
        texts = [[word.lower() for word in words] for pair in pairs for words in pair]
        counts = Counter(word for words in texts for word in set(words))
        # A word of one text has the weight of an unknown word of the same rarity.
        seen = {word: count for word, count in counts.items() if count > 1}
        frequent = sorted((-count, word) for word, count in counts.items() if count > _RARE)
        common = tuple(word for _, word in frequent[:_COMMON]) if "overlap" in groups else ()
        plain = cls(tuple(groups), symmetric, len(texts), seen, common)
        values = plain._values(pairs)
        deviation = np.where(values.std(0) < 1e-9, 1.0, values.std(0)) if len(pairs) else np.ones(0)
        mean = values.mean(0) if len(pairs) else np.zeros(0)
        return replace(plain, mean=tuple(mean.tolist()), deviation=tuple(deviation.tolist()))

    @property
    def names(self) -> list[str]:
        """The names of the features, in the order of their values."""
        return list(self._named((), ()))

    def of_pairs(self, pairs: Sequence[Pair]) -> NDArray[np.float32]:
        """Return the standardised features. Shapes: result (N, F)."""
        values = (self._values(pairs) - np.array(self.mean)) / np.array(self.deviation)
        found: NDArray[np.float32] = values.clip(-_LARGEST, _LARGEST).astype(np.float32)
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "groups": list(self.groups),
            "symmetric": self.symmetric,
            "documents": self.documents,
            "frequencies": dict(self.frequencies),
            "common": list(self.common),
            "mean": list(self.mean),
            "deviation": list(self.deviation),
        }

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> "PairFeatures":
        """Return features from the values of `to_dict`. Raises: KeyError, TypeError, ValueError."""
        mean, deviation = (tuple(map(float, found[name])) for name in ("mean", "deviation"))
        frequencies = {str(word): int(count) for word, count in found["frequencies"].items()}
        features = cls(
            tuple(map(str, found["groups"])),
            bool(found["symmetric"]),
            int(found["documents"]),
            frequencies,
            tuple(map(str, found["common"])),
            mean,
            deviation,
        )
        if not len(mean) == len(deviation) == len(features.names):
            raise ValueError("mean and deviation have another number of features")
        return features

    def _values(self, pairs: Sequence[Pair]) -> NDArray[np.float64]:
        names = len(self.names)
        rows = [list(self._named(first, second).values()) for first, second in pairs]
        return np.array(rows, dtype=np.float64).reshape(len(rows), names)

    def _named(self, first: Words, second: Words) -> dict[str, float]:
        a, b = ([word.lower() for word in words] for words in (first, second))
        found: dict[str, float] = {}
        if "overlap" in self.groups:
            found |= self._overlap(a, b)
        if "lengths" in self.groups:
            found |= self._lengths(a, b)
        if "numbers" in self.groups:
            found |= self._numbers(a, b)
        return found

    def _overlap(self, a: list[str], b: list[str]) -> dict[str, float]:
        found: dict[str, float] = {}
        for n in (1, 2, 3):
            found |= self._shares(f"{n}-grams", _ngrams(a, n), _ngrams(b, n))
        found |= self._shares("stems", _stems(a), _stems(b))
        found |= self._shares("character 3-grams", _characters(a), _characters(b))
        weigh = self._weights([*a, *b])
        found |= self._shares("weighted words", *(Counter({w: weigh[w] for w in text}) for text in (a, b)))
        found["cosine"] = _cosine(a, b, weigh)
        longest = _common_subsequence(a, b)
        found |= self._both("subsequence", _share(longest, len(a)), _share(longest, len(b)))
        found["same"] = float(a == b)
        differing = set(a) ^ set(b)
        found["rarest word of one text"] = max((weigh[word] for word in differing), default=0.0)
        return found | {f"{word!r} in one text only": float(word in differing) for word in self.common}

    def _lengths(self, a: list[str], b: list[str]) -> dict[str, float]:
        found: dict[str, float] = {}
        for name, m, n in (("words", len(a), len(b)), ("characters", sum(map(len, a)), sum(map(len, b)))):
            found[f"ratio of {name}"] = _share(min(m, n), max(m, n))
            found[f"difference of {name}"] = math.log1p(abs(m - n))
            found |= self._both(f"number of {name}", math.log1p(m), math.log1p(n))
        return found

    def _numbers(self, a: list[str], b: list[str]) -> dict[str, float]:
        one, two = (Counter(n for word in text for n in _NUMBER.findall(word)) for text in (a, b))
        found = {
            "no numbers": float(not one and not two),
            "same numbers": float(bool(one) and one == two),
            "shared numbers": math.log1p((one & two).total()),
        }
        return found | self._both(
            "other numbers", math.log1p((one - two).total()), math.log1p((two - one).total())
        )

    def _weights(self, words: Iterable[str]) -> dict[str, float]:
        total = self.documents + 1
        return {word: math.log(total / (self.frequencies.get(word, 1) + 1)) + 0.1 for word in words}

    def _shares(self, name: str, a: Counter[Any], b: Counter[Any]) -> dict[str, float]:
        """Return how much of each text is in the other one, and the harmonic mean of both shares."""
        both, m, n = (a & b).total(), a.total(), b.total()
        shares = self._both(name, _share(both, m), _share(both, n))
        return shares | {f"{name}, F": _share(2 * both, m + n)}

    def _both(self, name: str, first: float, second: float) -> dict[str, float]:
        """Return a value of each text; with `symmetric`, the smaller and the larger one."""
        if self.symmetric:
            return {f"{name}, smaller": min(first, second), f"{name}, larger": max(first, second)}
        return {f"{name}, first": first, f"{name}, second": second}


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _ngrams(words: list[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(words[i:] for i in range(n)), strict=False))


def _stems(words: list[str]) -> Counter[str]:
    return Counter(word[:_STEM] for word in words)


def _characters(words: list[str]) -> Counter[str]:
    text = f" {' '.join(words)} "
    return Counter(text[at : at + 3] for at in range(len(text) - 2))


def _cosine(a: list[str], b: list[str], weights: Mapping[str, float]) -> float:
    one, two = Counter(a), Counter(b)
    dot = sum(weights[word] ** 2 * one[word] * two[word] for word in one.keys() & two.keys())
    norms = [math.sqrt(sum((weights[w] * count) ** 2 for w, count in text.items())) for text in (one, two)]
    return _share(dot, norms[0] * norms[1])


def _common_subsequence(a: list[str], b: list[str]) -> int:
    """Return the length of the longest common subsequence, by bit-parallel dynamic programming.

    Source: H. Hyyrö, Bit-parallel LCS-length computation revisited (2004).
    """
    places: dict[str, int] = {}
    for at, word in enumerate(a):
        places[word] = places.get(word, 0) | 1 << at
    full = (1 << len(a)) - 1
    row = full
    for word in b:
        matched = row & places.get(word, 0)
        row = ((row + matched) | (row - matched)) & full
    return len(a) - row.bit_count()
