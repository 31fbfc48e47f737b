"""A plain text as words, each with its place in the text."""

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

Split = Literal["blanks", "punctuation", "characters"]

# Words with inner apostrophes, numbers with inner points and commas, and every other sign on its own.
_PUNCTUATION = re.compile(r"\d+(?:[.,:]\d+)*|\w+(?:['’]\w+)*|[^\w\s]")
_PATTERNS: dict[Split, re.Pattern[str]] = {
    "blanks": re.compile(r"\S+"),
    "punctuation": _PUNCTUATION,
    "characters": re.compile(r"\S"),
}


class Word(NamedTuple):
    """A word and where it stands: text[begin:end]."""

    text: str
    begin: int
    end: int


def words_of(text: str, split: Split = "blanks") -> list[Word]:
    """The words of a text: what blanks separate, punctuation apart too, or all characters but blanks."""
    return [Word(found.group(), *found.span()) for found in _PATTERNS[split].finditer(text)]


def placed(words: Iterable[str]) -> list[Word]:
    """Words with their places in the text that they are with a blank between them."""
    found: list[Word] = []
    begin = 0
    for word in words:
        found.append(Word(word, begin, begin + len(word)))
        begin += len(word) + 1
    return found


def plain_words(text: str, split: Split = "blanks") -> list[str]:
    """The words of `words_of` without their places."""
    return _PATTERNS[split].findall(text)
