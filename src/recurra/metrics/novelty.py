"""How much of a sample is learnt by heart: what of it stands word for word in the training text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recurra.errors import ConfigError

_Hashes = NDArray[np.uint64]

# Odd, so that it has an inverse modulo 2^64; that modulus is the machine's own.
_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 1 << 64)
_CHUNK_CHARACTERS = 1 << 20
_SHOWN_CHARACTERS = 60


class _Powers:
    """base^0, base^1, … and their inverses, modulo 2^64, for texts of up to `count` characters."""

    def __init__(self, count: int) -> None:
        self.up, self.down = (self._of(base, count) for base in (_BASE, _INVERSE))

    @staticmethod
    def _of(base: int, count: int) -> _Hashes:
        factors = np.full(count, base, dtype=np.uint64)
        factors[:1] = 1
        return np.cumprod(factors, dtype=np.uint64)

    def window_hashes(self, text: str, length: int) -> _Hashes:
        """The hash of every window of `length`, from the sums of character_i · base^i up to each place."""
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        sums = np.zeros(len(codes) + 1, dtype=np.uint64)
        np.cumsum(codes * self.up[: len(codes)], out=sums[1:])
        count = len(codes) - length + 1
        hashes: _Hashes = (sums[length:] - sums[:count]) * self.down[:count]
        return hashes


@dataclass(frozen=True)
class Match:
    """A passage that stands in the sample and in the training text, and where it starts in each."""

    length: int
    text: str
    sample_start: int
    training_start: int


@dataclass(frozen=True)
class Novelty:
    """How much of a sample stands in the training text; `recall` is None for one shorter than `n` words."""

    sample_length: int
    match: Match
    recall: float | None
    n: int

    def sentence(self) -> str:
        """What was found, for people."""
        if not self.match.length:
            copied = "No character of the sample stands in the training text"
        else:
            shown = " ".join(self.match.text.split())
            if len(shown) > _SHOWN_CHARACTERS:
                shown = shown[: _SHOWN_CHARACTERS - 2].rstrip() + " …"
            copied = (
                f"The longest passage copied from the training text has {self.match.length:,} of "
                f'{self.sample_length:,} characters ("{shown}")'
            )
        if self.recall is None:
            return f"{copied}; the sample is too short for word {self.n}-grams."
        return f"{copied}; {self.recall:.0%} of the sample's word {self.n}-grams stand in it."


def longest_match(sample: str, training_text: str) -> Match:
    """The longest passage of `sample` that stands in `training_text`; the first of several, length 0 if none.

    A passage of length L holds one of length L - 1, so L is found by halving. For each L, all passages of
    that length are compared by a polynomial hash modulo 2^64 (Karp & Rabin 1987), Σ_i character_i · base^i,
    and those that agree are then compared as text: the result is exact. About log2(sample) passes over the
    training text, a megabyte at a time.
    """
    longest, found = 0, None
    too_long = min(len(sample), len(training_text)) + 1
    powers = _Powers(max(len(sample), min(_CHUNK_CHARACTERS + too_long, len(training_text))))
    while too_long - longest > 1:
        length = (longest + too_long) // 2
        start = _first_common(sample, training_text, length, powers)
        if start is None:
            too_long = length
        else:
            longest, found = length, start
    if found is None:
        return Match(0, "", 0, 0)
    text = sample[found : found + longest]
    return Match(longest, text, found, training_text.index(text))


def ngram_recall(sample_words: Sequence[str], training_words: Sequence[str], n: int = 8) -> float | None:
    """The share of the sample's word n-grams, each place counted, that stand among the training words.

    None if the sample is shorter than `n` words.

    Raises: ConfigError if `n` is below 1.
    """
    if n < 1:
        raise ConfigError(f"n: got {n}, expected >= 1 words.")
    grams = list(_grams(sample_words, n))
    if not grams:
        return None
    sought = set(grams)
    known = {gram for gram in _grams(training_words, n) if gram in sought}
    return sum(gram in known for gram in grams) / len(grams)


def novelty(sample: str, training_text: str, n: int = 8) -> Novelty:
    """The longest copied passage of a sample and the recall of its word n-grams; words stand between spaces.

    Raises: ConfigError if `n` is below 1.
    """
    recall = ngram_recall(sample.split(), training_text.split(), n)
    return Novelty(len(sample), longest_match(sample, training_text), recall, n)


def _grams(words: Sequence[str], n: int) -> Iterator[tuple[str, ...]]:
    return zip(*(words[start:] for start in range(n)), strict=False)


def _first_common(sample: str, training_text: str, length: int, powers: _Powers) -> int | None:
    """Where in the sample the first passage of `length` starts that stands in the training text."""
    hashes = powers.window_hashes(sample, length)
    ordered = np.unique(hashes)
    # The hashes' upper 16 bits rule out nearly every window before the search among whole ones.
    upper = np.zeros(1 << 16, dtype=bool)
    upper[ordered >> np.uint64(48)] = True
    known = np.zeros(len(ordered), dtype=bool)
    for start in range(0, len(training_text) - length + 1, _CHUNK_CHARACTERS):
        chunk = training_text[start : start + _CHUNK_CHARACTERS + length - 1]
        windows = powers.window_hashes(chunk, length)
        windows = windows[upper[windows >> np.uint64(48)]]
        places = np.minimum(np.searchsorted(ordered, windows), len(ordered) - 1)
        known[places[ordered[places] == windows]] = True
    likely = np.flatnonzero(known[np.searchsorted(ordered, hashes)])
    return next((i for i in likely.tolist() if sample[i : i + length] in training_text), None)
