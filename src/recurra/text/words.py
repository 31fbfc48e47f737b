"""Splitting of plain text into words with their positions."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain
from typing import Literal, NamedTuple

from recurra.arguments import checks_arguments

Split = Literal["blanks", "punctuation", "characters"]

_JOINERS = "\u200c\u200d"  # zero width; inside words of Persian and of Indian scripts


@cache
def marks() -> str:
    """Return the combining marks (categories Mn, Mc, Me) and the zero-width joiners for use inside [...] of a
    regular expression. `\\w` does not match them, but they are part of words."""
    ranges: list[list[int]] = []
    for code in chain(range(0x300, 0x1F000), range(0xE0100, 0xE01F0)):  # no marks in the planes between
        if unicodedata.category(chr(code)).startswith("M"):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return _JOINERS + "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


@cache
def _pattern(split: Split) -> re.Pattern[str]:
    if split == "blanks":
        return re.compile(r"\S+")
    if split == "characters":
        return re.compile(rf"\S[{marks()}]*")
    # Words with inner apostrophes, numbers with inner points, commas and colons and the letters that follow
    # them (2nd, 5:30pm), and other signs one by one.
    letters = rf"\w[\w{marks()}]*"
    return re.compile(rf"(?:\d+(?:[.,:]\d+)*[\w{marks()}]*|{letters})(?:['’]{letters})*|[^\w\s][{marks()}]*")


class Words(list[str]):
    """The words of one text, where a plain list would be several texts.

    tagger.predict(recurra.Words(["so", "fine"]))
    """

    @checks_arguments
    def __init__(self, words: Iterable[str] = ()) -> None:
        super().__init__(words)


def is_in_word(character: str) -> bool:
    """Whether a character can be part of a word: a letter, a digit, a combining mark or a joiner."""
    return bool(character) and (
        character.isalnum() or character in _JOINERS or unicodedata.category(character).startswith("M")
    )


def composed(text: str) -> str:
    """Return the text in Unicode normalisation form C (NFC)."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def composed_chunks(chunks: Iterable[str]) -> Iterator[str]:
    """Compose a text given in chunks, which may end anywhere."""
    held: list[str] = []  # of a line that is not complete
    for chunk in chunks:
        lines, end, rest = chunk.rpartition("\n")
        if end:
            yield composed("".join((*held, lines, end)))
            held = []
        held.append(rest)
    yield composed("".join(held))


class Word(NamedTuple):
    """A word and its position: text[begin:end]."""

    text: str
    begin: int
    end: int


def words_of(text: str, split: Split = "blanks") -> list[Word]:
    """Split a text into words at blanks, at blanks and punctuation, or into its non-blank characters."""
    return [Word(found.group(), *found.span()) for found in _pattern(split).finditer(text)]


def placed(words: Iterable[str], text: str | None = None) -> list[Word]:
    """Return words with their positions in the text that they were split from; without it, in the text that
    joins them with single blanks."""
    found: list[Word] = []
    begin = 0
    for word in words:
        begin = begin if text is None else text.index(word, begin)
        found.append(Word(word, begin, begin + len(word)))
        begin += len(word) + (text is None)
    return found


def plain_words(text: str, split: Split = "blanks") -> list[str]:
    """Return the words of `words_of` without their positions."""
    return _pattern(split).findall(text)
