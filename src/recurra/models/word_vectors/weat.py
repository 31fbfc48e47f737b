"""The word embedding association test (WEAT)."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from recurra.errors import ConfigError
from recurra.models.word_vectors.directions import Floats, unit_rows
from recurra.models.word_vectors.lookup import WordLookup
from recurra.results import Result

_EXACT = 20_000  # partitions that are all counted
_SAMPLES = 10_000
_AT_ONCE = 1_000


class AssociationTest(NamedTuple):
    """The names of two lists of targets and of two lists of attributes."""

    first: str
    second: str
    one: str
    other: str


CALISKAN = (
    AssociationTest("flowers", "insects", "pleasant_5", "unpleasant_5a"),
    AssociationTest("instruments", "weapons", "pleasant_5", "unpleasant_5a"),
    AssociationTest("european_american_names_5", "african_american_names_5", "pleasant_5", "unpleasant_5b"),
    AssociationTest("european_american_names_7", "african_american_names_7", "pleasant_5", "unpleasant_5b"),
    AssociationTest("european_american_names_7", "african_american_names_7", "pleasant_9", "unpleasant_9"),
    AssociationTest("male_names", "female_names", "career", "family"),
    AssociationTest("math", "arts", "male_terms", "female_terms"),
    AssociationTest("science", "arts_2", "male_terms_2", "female_terms_2"),
    AssociationTest("mental_disease", "physical_disease", "temporary", "permanent"),
    AssociationTest("young_people_names", "old_people_names", "pleasant_9", "unpleasant_9"),
)
"""The ten tests of Caliskan et al. by the names of their lists. Source: A. Caliskan et al., Semantics derived
automatically from language corpora contain human-like biases (2017)."""


@dataclass(frozen=True, repr=False)
class Association(Result):
    """The result of an association test: the effect size, and p with its standard error (0 if exact).

    `known` and `given` are the numbers of words of the four lists. Without enough known words, or if the
    targets do not differ in their association, the figures are nan, and `reason` says why.
    """

    test: AssociationTest
    effect_size: float
    p: float
    p_error: float
    known: tuple[int, ...]
    given: tuple[int, ...]
    reason: str = ""

    def told(self) -> str:
        """Return the lists and the figures."""
        return self.line()

    def line(self) -> str:
        """Return the result as one line."""
        names = f"{self.test.first}, {self.test.second}; {self.test.one}, {self.test.other}"
        counts = ", ".join(f"{a} of {b}" for a, b in zip(self.known, self.given, strict=True))
        if math.isnan(self.effect_size):
            return f"{names}: not computed, {self.reason} ({counts})"
        error = f" ± {self.p_error:.4f}" if self.p_error else ""
        return f"{names}: effect size {self.effect_size:+.3f}, p {self.p:.4f}{error} ({counts} words known)"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        figures = {"effect_size": self.effect_size, "p": self.p, "p_error": self.p_error}
        plain = {name: None if math.isnan(value) else value for name, value in figures.items()}
        return {"test": self.test._asdict(), **plain, "known": list(self.known), "given": list(self.given)}


def association(
    vectors: WordLookup,
    lists: Mapping[str, Sequence[str]],
    test: AssociationTest,
    *,
    most_lost: float = 0.2,
    seed: int = 1,
) -> Association:
    """Test whether the words X are nearer to A than to B, compared to the words Y:

        s(w) = mean over a in A of cos(w, a) - mean over b in B of cos(w, b)
        effect size = (mean of s over X - mean of s over Y) / std of s over X and Y
        p = share of the partitions of X and Y with Σ_X s - Σ_Y s at least as large

    The standard deviation is that of the population. Partitions keep the sizes of X and Y; all are counted if
    there are at most 20,000, else 10,000 are drawn, and the identical one is added. If more than the share
    `most_lost` of a list is unknown, nothing is computed. An unknown word is looked up in lower case too.

    Raises: ConfigError for a list that is not there. Source: Caliskan et al. 2017.
    """
    missing = [name for name in test if name not in lists]
    if missing:
        raise ConfigError(f"weat: has no list {missing[0]!r}; its lists are {', '.join(sorted(lists))}.")
    given = [list(dict.fromkeys(lists[name])) for name in test]
    known = [[found for word in words if (found := _form(vectors, word))] for words in given]
    counts = tuple(map(len, known)), tuple(map(len, given))
    pairs = zip(known, given, strict=True)
    if any(not found or (len(words) - len(found)) / len(words) > most_lost for found, words in pairs):
        return Association(test, math.nan, math.nan, math.nan, *counts, "too few words are known")
    x, y, a, b = (unit_rows(vectors, words) for words in known)
    scores = np.concatenate([part @ a.mean(0) - part @ b.mean(0) for part in (x, y)])
    deviation = float(scores.std())
    if deviation < 1e-12:
        return Association(test, math.nan, math.nan, math.nan, *counts, "the targets do not differ")
    effect = (scores[: len(x)].mean() - scores[len(x) :].mean()) / deviation
    p, error = _p_of(scores, len(x), seed)
    return Association(test, float(effect), p, error, *counts)


def _form(vectors: WordLookup, word: str) -> str | None:
    """Return the word, or its lower case, whichever is known; None if neither is."""
    return next((form for form in (word, word.lower()) if form in vectors), None)


def _p_of(scores: Floats, first: int, seed: int) -> tuple[float, float]:
    """Return p and its standard error. The statistic grows with the sum over X alone."""
    least = scores[:first].sum() - 1e-12 * np.abs(scores).sum()
    if math.comb(len(scores), first) <= _EXACT:
        sums = np.array([scores[list(rows)].sum() for rows in combinations(range(len(scores)), first)])
        return float(np.mean(sums >= least)), 0.0
    hits = sum(int((part >= least).sum()) for part in _sampled(scores, first, seed))
    p = (hits + 1) / (_SAMPLES + 1)
    return p, math.sqrt(p * (1 - p) / _SAMPLES)


def _sampled(scores: Floats, first: int, seed: int) -> Iterator[Floats]:
    """Yield the sums over random sets of the size of X."""
    draw = np.random.default_rng(seed)
    for _ in range(_SAMPLES // _AT_ONCE):
        order = draw.random((_AT_ONCE, len(scores))).argsort(1)
        yield scores[order[:, :first]].sum(1)
