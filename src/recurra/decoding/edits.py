"""The error model (channel) of a noisy-channel spelling corrector."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_VOWELS = frozenset("aeiouyáàâäéèêëíìîïóòôöúùûü")
_ALIKE = (
    "ck",
    "cs",
    "sz",
    "kq",
    "vw",
    "fv",
    "gj",
    "bp",
    "dt",
    "mn",
    "ie",
    "iy",
    "ae",
    "ao",
    "eo",
    "ou",
    "uw",
)
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_SMOOTHING = 20.0  # weight of the default costs, in number of opportunities


def _neighbours() -> frozenset[frozenset[str]]:
    """Return the pairs of adjacent letters on a keyboard."""
    pairs = {frozenset(pair) for row in _ROWS for pair in pairwise(row)}
    for upper, lower in pairwise(_ROWS):
        pairs |= {frozenset((upper[i + d], key)) for i, key in enumerate(lower) for d in (0, 1)}
    return frozenset(pairs)


_BESIDE = _neighbours()
_SOUND_ALIKE = frozenset(frozenset(pair) for pair in _ALIKE)


class Errors(NamedTuple):
    """Errors of one kind: the count of each error, and the count of opportunities to make it."""

    seen: Counter[tuple[str, str]]
    chances: Counter[str]


class Edits:
    """The cost of a typing error, -log P in nats, by its kind and letters:

        P = (n + 20·P_usual) / (N + 20)

    where n is the count of the error and N the count of opportunities to make it. Kinds: a letter typed for
    another ("substitution": right, typed), omitted ("deletion": the letter before it, the letter), added
    ("insertion": the letter before it, the letter), or two letters swapped ("transposition"). Without counts
    the default costs apply: low for vowels, double letters and letters that sound alike or are adjacent on
    the keyboard, higher for the first letter of a word.

    Source: M. Kernighan, K. Church & W. Gale, A spelling correction program based on a noisy channel model
    (1990).
    """

    def __init__(self, counted: Mapping[str, Errors] | None = None) -> None:
        self._counted = counted or {}
        self._known: dict[tuple[str, str, str], float] = {}

    def __repr__(self) -> str:
        return f"Edits({'learnt' if self._counted else 'uniform'})"

    def price(self, kind: str, first: str, second: str) -> float:
        """Return the cost of one error."""
        key = (kind, first, second)
        if key not in self._known:
            self._known[key] = self._price(kind, first, second)
        return self._known[key]

    def _price(self, kind: str, first: str, second: str) -> float:
        usual = _USUAL[kind](first, second)
        if kind not in self._counted:
            return usual
        errors = self._counted[kind]
        chance = first + second if kind in _OF_PAIRS else first
        likely = errors.seen[first, second] + _SMOOTHING * math.exp(-usual)
        return -math.log(min(0.9, likely / (errors.chances[chance] + _SMOOTHING)))

    def cost(self, word: str, typed: str) -> float:
        """Return -log P(typed | word) up to a constant: the weighted Damerau-Levenshtein distance."""
        return self._table(word, typed)[-1][-1]

    def errors(self, word: str, typed: str) -> list[tuple[str, str, str]]:
        """Return the errors on the cheapest path from a word to the typed text: kind and letters."""
        table = self._table(word, typed)
        i, j = len(word), len(typed)
        found = []
        while i or j:
            step = min(self._steps(word, typed, i, j), key=lambda one: one.cost + table[one.i][one.j])
            if step.error is not None:
                found.append(step.error)
            i, j = step.i, step.j
        return found[::-1]

    def _table(self, word: str, typed: str) -> list[list[float]]:
        table = [[0.0] * (len(typed) + 1) for _ in range(len(word) + 1)]
        for i in range(len(word) + 1):
            for j in range(len(typed) + 1):
                if i or j:
                    table[i][j] = min(
                        one.cost + table[one.i][one.j] for one in self._steps(word, typed, i, j)
                    )
        return table

    def _steps(self, word: str, typed: str, i: int, j: int) -> Iterator["_Step"]:
        """Yield the steps that lead to i letters of the word and j typed letters."""
        before = word[i - 1] if i else ""
        if i and j and word[i - 1] == typed[j - 1]:
            yield _Step(i - 1, j - 1, 0.0, None)
        elif i and j:
            yield self._step(i - 1, j - 1, "substitution", before, typed[j - 1])
        if i:
            yield self._step(i - 1, j, "deletion", word[i - 2] if i > 1 else "", before)
        if j:
            yield self._step(i, j - 1, "insertion", before, typed[j - 1])
        if i > 1 and j > 1 and before == typed[j - 2] != word[i - 2] == typed[j - 1]:
            yield self._step(i - 2, j - 2, "transposition", word[i - 2], before)

    def _step(self, i: int, j: int, kind: str, first: str, second: str) -> "_Step":
        cost = self.price(kind, first, second) + (_FIRST_LETTER if i == 0 and kind != "insertion" else 0.0)
        return _Step(i, j, cost, (kind, first, second))

    @classmethod
    def learn(cls, pairs: Iterable[tuple[str, str]]) -> "Edits":
        """Return the costs estimated from misspellings (right, typed), aligned with the default costs."""
        usual = cls()
        counted = {kind: Errors(Counter(), Counter()) for kind in _USUAL}
        for word, typed in pairs:
            for kind, first, second in usual.errors(word, typed):
                counted[kind].seen[first, second] += 1
            bounded = ["", *word]
            counted["substitution"].chances.update(word)
            counted["insertion"].chances.update(bounded)
            for kind in _OF_PAIRS:
                counted[kind].chances.update(a + b for a, b in pairwise(bounded))
        return cls(counted) if any(errors.seen for errors in counted.values()) else usual


class _Step(NamedTuple):
    i: int
    j: int
    cost: float
    error: tuple[str, str, str] | None


def _usual_substitution(right: str, typed: str) -> float:
    pair = frozenset((right, typed))
    if right in _VOWELS and typed in _VOWELS:
        return 4.5
    if pair in _SOUND_ALIKE:
        return 5.0
    return 6.5 if pair in _BESIDE else 8.0


def _usual_deletion(before: str, letter: str) -> float:
    if before == letter:
        return 3.5  # one of a double letter
    return 5.0 if letter in _VOWELS or letter in _OFTEN_SILENT else 6.5


def _usual_insertion(before: str, letter: str) -> float:
    if before == letter:
        return 3.5  # a letter doubled
    return 5.0 if letter in _VOWELS else 6.5


def _usual_transposition(first: str, second: str) -> float:
    return 5.0


_OFTEN_SILENT = "hctkgw"
_FIRST_LETTER = 2.0  # additional cost: the first letter of a word is seldom wrong
_OF_PAIRS = ("deletion", "transposition")  # errors with a pair of letters as their opportunity
_USUAL = {
    "substitution": _usual_substitution,
    "deletion": _usual_deletion,
    "insertion": _usual_insertion,
    "transposition": _usual_transposition,
}


class WordList:
    """A non-empty list of words with counts, searchable by a mistyped word."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self.words = sorted(counts)
        numbers = np.array([counts[word] for word in self.words], dtype=np.float64)
        self.log_probs: Floats = np.log(numbers / numbers.sum())
        self._places = {word: place for place, word in enumerate(self.words)}
        letters = sorted(set("".join(self.words)))
        self._letters = {letter: column for column, letter in enumerate(letters)}
        self._bags = np.stack([self._bag(word) for word in self.words])
        self._lengths = np.array([len(word) for word in self.words])
        self._longest = int(self._lengths.max())

    def __contains__(self, word: str) -> bool:
        return word in self._places

    def log_prob(self, word: str) -> float:
        """Return the log of the word's relative frequency."""
        return float(self.log_probs[self._places[word]])

    def near(self, typed: str, edits: int) -> list[str]:
        """Return all words within `edits` edits; the result may contain some words that are farther away.

        One edit changes the letter counts by at most two in total.
        """
        if len(typed) > self._longest + edits:
            return []
        known = [letter for letter in typed if letter in self._letters]
        differences = np.abs(self._bags - self._bag("".join(known))).sum(axis=1) + len(typed) - len(known)
        close = (differences <= 2 * edits) & (np.abs(self._lengths - len(typed)) <= edits)
        return [self.words[place] for place in np.flatnonzero(close)]

    def _bag(self, word: str) -> NDArray[np.int16]:
        bag = np.zeros(len(self._letters), dtype=np.int16)
        for letter in word:
            bag[self._letters[letter]] += 1
        return bag
