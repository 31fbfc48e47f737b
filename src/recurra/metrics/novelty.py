"""Novelty of a sample: how much of it is copied from the training text."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, tee
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.errors import ConfigError
from recurra.results import Result

_Hashes = NDArray[np.uint64]

# Odd, so that it has an inverse modulo 2^64, the modulus of uint64 arithmetic.
_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 1 << 64)
_PIECE_CHARACTERS = 1 << 18
_SHOWN_CHARACTERS = 60


@dataclass(frozen=True)
class Match:
    """A passage that occurs in the sample and in the training text, and its start in each."""

    length: int
    text: str
    sample_start: int
    training_start: int


@dataclass(frozen=True, repr=False)
class Novelty(Result):
    """How much of a sample is copied; `recall` is None for a sample shorter than `n` words."""

    sample_length: int
    match: Match
    recall: float | None
    n: int

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        match = {"length": self.match.length, "text": self.match.text}
        return {"sample_length": self.sample_length, "match": match, "recall": self.recall, "n": self.n}

    def sentence(self) -> str:
        """Describe the result in a sentence."""
        if not self.match.length:
            copied = "No character of the sample occurs in the training text"
        else:
            copied = (
                f"The longest passage copied from the training text has {self.match.length:,} of "
                f'{self.sample_length:,} characters ("{_shown(self.match.text)}")'
            )
        if self.recall is None:
            return f"{copied}; the sample is too short for word {self.n}-grams."
        return f"{copied}; {self.recall:.0%} of the sample's word {self.n}-grams occur in that text."


def longest_match(sample: str, chunks: Iterable[str]) -> Match:
    """Find the longest passage of `sample` that occurs in a text; the first of several, length 0 if none.

    The text is read once, in chunks that may end anywhere; a piece of 2^18 characters (or of the sample's
    length, if that is more) is kept in memory. Each piece is searched for passages that are longer than the
    best one so far, or as long but earlier in the sample. All windows of one length are compared by a
    polynomial hash modulo 2^64 (Karp & Rabin 1987), Σ_i character_i · base^i, and windows with equal hashes
    are then compared as text, so the result is exact. A passage of length L contains one of length L - 1, so
    L is found by doubling and bisection.
    """
    best = Match(0, "", 0, 0)
    powers = _Powers(max(_PIECE_CHARACTERS, len(sample)) + len(sample))
    windows = _Windows(sample, powers)
    for piece_start, piece in _overlapping(chunks, max(len(sample) - 1, 0)):
        own = _Windows(piece, powers)
        longest, too_long, step = best.length, min(len(sample), len(piece)) + 1, 1
        found = windows.first_common(own, longest) if best.sample_start else None
        if found is not None and found[0] >= best.sample_start:
            found = None
        while too_long - longest > 1:
            length = min(longest + step, (longest + too_long) // 2)
            longer = windows.first_common(own, length)
            if longer is None:
                too_long = length
            else:
                longest, found, step = length, longer, 2 * step
        if found is not None:
            text = sample[found[0] : found[0] + longest]
            best = Match(longest, text, found[0], piece_start + found[1])
    return best


def ngram_recall(sample_words: Sequence[str], training_words: Iterable[str], n: int = 8) -> float | None:
    """Share of the sample's word n-grams, repetitions counted, that occur in the training words.

    None if the sample is shorter than `n` words. The training words are read once and not stored.

    Raises: ConfigError if `n` is below 1.
    """
    if n < 1:
        raise ConfigError(f"n: got {n}, expected >= 1 words.")
    grams = list(_grams(sample_words, n))
    if not grams:
        return None
    known = set(grams).intersection(_grams(training_words, n))
    return sum(gram in known for gram in grams) / len(grams)


def novelty(sample: str, training: str | Callable[[], Iterable[str]], n: int = 8) -> Novelty:
    """Return the longest copied passage of a sample and the recall of its word n-grams (split at spaces).

    `training` is the training text, or a function that returns its chunks, which may end anywhere. The
    function is called once for each of the two metrics; at most one chunk and one piece are in memory.

    Raises: ConfigError if `n` is below 1.
    """
    read = training if callable(training) else lambda: (training,)
    words = sample.split()
    recall = ngram_recall(words, _words(read(), max(map(len, words), default=0)), n)
    return Novelty(len(sample), longest_match(sample, read()), recall, n)


def _shown(text: str) -> str:
    """Return a text in one line, shortened, with all blanks; line ends and the like as escape sequences."""
    most = _SHOWN_CHARACTERS
    beginning = text if len(text) <= most else text[: most - 2].rstrip() + " …"
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in beginning)


def _grams(words: Iterable[str], n: int) -> Iterator[tuple[str, ...]]:
    return zip(*(islice(each, start, None) for start, each in enumerate(tee(words, n))), strict=False)


def _cut(chunks: Iterable[str]) -> Iterator[str]:
    """Split chunks so that none is longer than a piece."""
    for chunk in chunks:
        for at in range(0, len(chunk), _PIECE_CHARACTERS):
            yield chunk[at : at + _PIECE_CHARACTERS]


def _words(chunks: Iterable[str], longest: int) -> Iterator[str]:
    """Yield the words of a text; a word of more than `longest` characters may be cut, but stays longer."""

    def lists() -> Iterator[list[str]]:
        rest = ""
        for chunk in _cut(chunks):
            text = rest + chunk
            words = text.split()
            rest = "" if text[-1].isspace() else words.pop()[: longest + 1]
            yield words
        yield rest.split()

    return chain.from_iterable(lists())


def _overlapping(chunks: Iterable[str], overlap: int) -> Iterator[tuple[int, str]]:
    """Yield pieces of a text and their starts; every window of overlap + 1 lies within one of them."""
    size = max(_PIECE_CHARACTERS, overlap + 1)
    start, rest = 0, ""
    for chunk in _cut(chunks):
        rest += chunk
        if len(rest) >= size + overlap:
            yield start, rest[: size + overlap]
            start, rest = start + size, rest[size:]
    yield start, rest


class _Powers:
    """base^0, base^1, … and their inverses, modulo 2^64, for texts of up to `count` characters."""

    def __init__(self, count: int) -> None:
        self.up, self.down = (self._of(base, count) for base in (_BASE, _INVERSE))

    @staticmethod
    def _of(base: int, count: int) -> _Hashes:
        factors = np.full(count, base, dtype=np.uint64)
        factors[:1] = 1
        return np.cumprod(factors, dtype=np.uint64)


class _Windows:
    """A text and the hashes of its windows, computed from prefix sums of character_i · base^i."""

    def __init__(self, text: str, powers: _Powers) -> None:
        self.text, self._powers = text, powers
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        self._sums = np.zeros(len(codes) + 1, dtype=np.uint64)
        np.cumsum(codes * powers.up[: len(codes)], out=self._sums[1:])

    def hashes(self, length: int) -> _Hashes:
        """Compute the hash of every window of `length`."""
        count = len(self.text) - length + 1
        hashes = self._sums[length:] - self._sums[:count]
        hashes *= self._powers.down[:count]
        return hashes

    def first_common(self, other: "_Windows", length: int) -> tuple[int, int] | None:
        """Return the start of the first window of `length` that `other` also has, and its start there."""
        hashes, others = self.hashes(length), other.hashes(length)
        ordered = np.unique(hashes)
        # The upper 16 bits of the hashes exclude nearly all windows before the full hashes are searched.
        upper = np.zeros(1 << 16, dtype=bool)
        upper[ordered >> np.uint64(48)] = True
        others = others[upper[others >> np.uint64(48)]]
        places = np.minimum(np.searchsorted(ordered, others), len(ordered) - 1)
        known = np.zeros(len(ordered), dtype=bool)
        known[places[ordered[places] == others]] = True
        for start in np.flatnonzero(known[np.searchsorted(ordered, hashes)]).tolist():
            there = other.text.find(self.text[start : start + length])
            if there >= 0:
                return start, there
        return None
