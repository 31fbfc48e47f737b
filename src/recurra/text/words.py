"""Splitting of plain text into words with their positions."""

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

Split = Literal["blanks", "punctuation", "characters"]

# Words with inner apostrophes, numbers with inner points, commas and colons, and every other sign on its own.
_PUNCTUATION = re.compile(r"\d+(?:[.,:]\d+)*|\w+(?:['’]\w+)*|[^\w\s]")
_PATTERNS: dict[Split, re.Pattern[str]] = {
    "blanks": re.compile(r"\S+"),
    "punctuation": _PUNCTUATION,
    "characters": re.compile(r"\S"),
}


class Word(NamedTuple):
    """A word and its position: text[begin:end]."""

    text: str
    begin: int
    end: int


def words_of(text: str, split: Split = "blanks") -> list[Word]:
    """Split a text into words at blanks, at blanks and punctuation, or into its non-blank characters."""
    return [Word(found.group(), *found.span()) for found in _PATTERNS[split].finditer(text)]


def placed(words: Iterable[str]) -> list[Word]:
    """Return words with their positions in the text that joins them with single blanks."""
    found: list[Word] = []
    begin = 0
    for word in words:
        found.append(Word(word, begin, begin + len(word)))
        begin += len(word) + 1
    return found


def plain_words(text: str, split: Split = "blanks") -> list[str]:
    """Return the words of `words_of` without their positions."""
    return _PATTERNS[split].findall(text)
