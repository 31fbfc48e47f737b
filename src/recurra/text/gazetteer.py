"""Word lists by type (gazetteers), and the matches of their phrases in the words of a text.

words   flights  to  St.    Louis  and  Oslo
city    none     none  begin  end    none  single
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recurra.errors import VocabularyError
from recurra.files import write_text
from recurra.plain import json_text, parsed_json
from recurra.remember import Remembered
from recurra.text.words import composed, marks, plain_words

_KIND = "recurra.gazetteer"
# Place of a word in a match; the index is the code.
PLACES = ("none", "begin", "inside", "end", "single")
_NONE, _BEGIN, _INSIDE, _END, _SINGLE = range(len(PLACES))
_IDEOGRAPHS = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f"


class Match(NamedTuple):
    """A phrase of a list found in a text: the words `first` … `last` - 1."""

    type: str
    first: int
    last: int


class Gazetteer:
    """Finds the phrases of lists in the words of a text; among overlapping phrases of a list it finds the
    leftmost, and of those the longest.

    Phrases and words are compared in pieces, which are letters and digits in a row, and each other sign and
    each ideograph alone; so it does not matter whether a tokenizer separates the sign in "St." or "O'Hare".
    A match begins and ends where words do. With `characters` the pieces are single characters, for texts
    whose words are. With `ignore_case` upper and lower case are the same. All is compared in Unicode
    normalisation form C.

    Shapes: codes (T, types), indices of PLACES.
    """

    def __init__(
        self, lists: Mapping[str, Iterable[str]], *, ignore_case: bool = False, characters: bool = False
    ) -> None:
        self.ignore_case, self.characters = ignore_case, characters
        self._pieces = Remembered(self._pieces_of, size=200_000)
        self._types_of: dict[tuple[str, ...], tuple[int, ...]] = {}
        self.lists: dict[str, list[str]] = {}
        for number, (kind, phrases) in enumerate(lists.items()):
            self.lists[kind] = self._add(number, phrases)
        lengths: dict[str, set[int]] = {}
        for pieces in self._types_of:
            lengths.setdefault(pieces[0], set()).add(len(pieces))
        self._lengths = {first: sorted(found, reverse=True) for first, found in lengths.items()}

    def _add(self, number: int, phrases: Iterable[str]) -> list[str]:
        """Add the phrases of a list; return them as stored, without those that are the same."""
        kept = []
        for phrase in phrases:
            phrase = " ".join(composed(phrase).split())
            pieces = self._pieces_of(phrase)
            types = self._types_of.get(pieces, ())
            if pieces and number not in types:
                self._types_of[pieces] = (*types, number)
                kept.append(phrase)
        return kept

    @property
    def types(self) -> list[str]:
        """The types of the lists, in the order of the codes."""
        return list(self.lists)

    def _pieces_of(self, text: str) -> tuple[str, ...]:
        text = composed(composed(text).casefold() if self.ignore_case else text)
        return tuple(plain_words(text, "characters") if self.characters else _pattern().findall(text))

    def matches(self, words: Sequence[str]) -> list[Match]:
        """Return the matches in the words of a text, by their first word."""
        types = self.types
        return [Match(types[number], first, last) for number, first, last in self._found(words)]

    def codes(self, words: Sequence[str]) -> NDArray[np.int8]:
        """Return the place of each word in the matches of each type. Shapes: result (T, types)."""
        codes = np.zeros((len(words), len(self.lists)), dtype=np.int8)
        for number, first, last in self._found(words):
            codes[first:last, number] = _INSIDE
            codes[first, number] = _BEGIN
            codes[last - 1, number] = _SINGLE if last == first + 1 else _END
        return codes

    def _found(self, words: Sequence[str]) -> list[tuple[int, int, int]]:
        """Return the number of the type and the first and last word (exclusive) of each match."""
        of_words = [self._pieces(word) for word in words]
        starts = [i for i, pieces in enumerate(of_words) if pieces and pieces[0] in self._lengths]
        if not starts:
            return []
        pieces: list[str] = []
        offsets: list[int] = []
        ends: dict[int, int] = {}  # the first word after a number of pieces
        for last, of_word in enumerate(of_words, start=1):
            offsets.append(len(pieces))
            pieces += of_word
            ends.setdefault(len(pieces), last)
        found, free = [], [0] * len(self.lists)
        for first in starts:
            begin = offsets[first]
            for length in self._lengths[pieces[begin]]:
                last_word = ends.get(begin + length)
                if last_word is None:
                    continue
                for number in self._types_of.get(tuple(pieces[begin : begin + length]), ()):
                    if free[number] <= first:
                        found.append((number, first, last_word))
                        free[number] = last_word
        return found

    def save(self, path: Path) -> None:
        """Write the lists as JSON."""
        content = {
            "kind": _KIND,
            "ignore_case": self.ignore_case,
            "characters": self.characters,
            "lists": self.lists,
        }
        write_text(path, json_text(content, indent=0) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Gazetteer":
        """Load the lists that `save` wrote.

        Raises: VocabularyError if the file is missing, damaged or of another kind.
        """
        try:
            content = parsed_json(path.read_text(encoding="utf-8"))
            lists = content["lists"]
            if content["kind"] != _KIND or not all(
                isinstance(phrase, str) for phrases in lists.values() for phrase in phrases
            ):
                raise KeyError("kind")
            return cls(
                lists, ignore_case=bool(content["ignore_case"]), characters=bool(content["characters"])
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise VocabularyError(
                f"{path}: is missing or has no word lists; copy it from the run it came with."
            ) from error


@cache
def _pattern() -> re.Pattern[str]:
    """Return the pattern of a piece: letters and digits in a row with their marks, or one other sign."""
    return re.compile(rf"[{_IDEOGRAPHS}][{marks()}]*|(?:[^\W{_IDEOGRAPHS}][{marks()}]*)+|[^\w\s][{marks()}]*")
