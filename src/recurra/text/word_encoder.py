"""Words as numbers: word ids, character ids, letter trigrams and casing.

    word hashing     "boy" → #bo, boy, oy#

Source of word hashing: P.-S. Huang et al., Learning deep structured semantic models (2013).
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recurra.errors import VocabularyError
from recurra.files import write_text
from recurra.plain import json_text, parsed_json
from recurra.remember import Remembered
from recurra.text.vocabulary import UNK, Vocabulary
from recurra.text.words import composed

_KIND = "recurra.words"
_DIGIT = re.compile(r"\d")
# The casing classes of words; the index is the class number.
CASINGS = ("numeric", "mostly numeric", "lower", "upper", "title", "mixed", "no letters")
Ids = NDArray[np.int64]


@dataclass(frozen=True)
class WordForms:
    """Normalisation of words before they are looked up: to lower case, and every digit to 0."""

    lowercase: bool = False
    digits: bool = False

    def of(self, word: str) -> str:
        """Return the form under which a word is looked up, in Unicode normalisation form C."""
        word = composed(word)
        if self.lowercase:
            word = word.lower()
        return _DIGIT.sub("0", word) if self.digits else word


def casing_of(word: str) -> int:
    """Return the index in CASINGS of a word's casing."""
    digits = sum(character.isdigit() for character in word)
    if digits == len(word):
        return 0
    if 2 * digits > len(word):
        return 1
    if not any(character.isalpha() for character in word):
        return 6
    if word.islower():
        return 2
    if word.isupper():
        return 3
    return 4 if word[0].isupper() and word[1:].islower() else 5


def trigrams_of(word: str) -> list[str]:
    """Return the letter trigrams of a word, in lower case and between number signs."""
    marked = f"#{word.lower()}#"
    return [marked[at : at + 3] for at in range(len(marked) - 2)]


class WordEncoder:
    """Encodes words, in Unicode normalisation form C, as numbers with the vocabularies of a training text.

    Words that occur fewer than `min_count` times are `<unk>`, id 0 of every vocabulary; so are unseen
    characters and trigrams.
    """

    def __init__(
        self, words: Vocabulary, characters: Vocabulary, trigrams: Vocabulary, forms: WordForms
    ) -> None:
        self.words, self.characters, self.trigrams, self.forms = words, characters, trigrams, forms
        for name, vocabulary in (("words", words), ("characters", characters), ("trigrams", trigrams)):
            if vocabulary.symbols[0] != UNK:
                raise VocabularyError(f"the vocabulary of {name} does not begin with {UNK}; train again.")
        self._encoded = Remembered(self._encode, size=200_000)

    @classmethod
    def count(
        cls,
        sequences: Iterable[Sequence[str]],
        *,
        forms: WordForms = WordForms(),
        min_count: int = 1,
        max_size: int | None = None,
        extra_words: Iterable[str] = (),
    ) -> "WordEncoder":
        """Build the vocabularies of sequences of words; `extra_words` get ids even if they do not occur."""
        counts: Counter[str] = Counter()
        for words in sequences:
            counts.update(words)
        by_form: Counter[str] = Counter()
        characters: Counter[str] = Counter()
        trigrams: Counter[str] = Counter()
        for word, count in counts.items():
            word = composed(word)
            by_form[forms.of(word)] += count
            for character in word:
                characters[character] += count
            for trigram in trigrams_of(word):
                trigrams[trigram] += count
        kept = [word for word, count in _by_count(by_form) if count >= min_count][: _room(max_size)]
        known = dict.fromkeys([UNK, *kept, *extra_words])
        return cls(
            Vocabulary(list(known)),
            Vocabulary(list(dict.fromkeys([UNK, *(c for c, _ in _by_count(characters))]))),
            Vocabulary(list(dict.fromkeys([UNK, *(t for t, _ in _by_count(trigrams))]))),
            forms,
        )

    def encode(self, word: str) -> "EncodedWord":
        """Encode one word."""
        return self._encoded(word)

    def _encode(self, word: str) -> "EncodedWord":
        word = composed(word)
        return EncodedWord(
            id=self.words.ids.get(self.forms.of(word), 0),
            characters=tuple(self.characters.ids.get(character, 0) for character in word),
            trigrams=tuple(self.trigrams.ids.get(trigram, 0) for trigram in trigrams_of(word)),
            casing=casing_of(word),
        )

    def save(self, path: Path) -> None:
        """Write all vocabularies as JSON."""
        content = {
            "kind": _KIND,
            "lowercase": self.forms.lowercase,
            "digits": self.forms.digits,
            "words": self.words.symbols,
            "characters": self.characters.symbols,
            "trigrams": self.trigrams.symbols,
        }
        write_text(path, json_text(content, indent=0) + "\n")

    @classmethod
    def load(cls, path: Path) -> "WordEncoder":
        """Load the encoder that `save` wrote.

        Raises: VocabularyError if the file is missing, damaged or of another kind.
        """
        try:
            content = parsed_json(path.read_text(encoding="utf-8"))
            if content["kind"] != _KIND:
                raise KeyError("kind")
            words, characters, trigrams = (
                Vocabulary(content[name]) for name in ("words", "characters", "trigrams")
            )
            forms = WordForms(bool(content["lowercase"]), bool(content["digits"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise VocabularyError(
                f"{path}: is missing or is not a word vocabulary; copy it from the run it came with."
            ) from error
        return cls(words, characters, trigrams, forms)


@dataclass(frozen=True, slots=True)
class EncodedWord:
    """A word as numbers."""

    id: int
    characters: tuple[int, ...]
    trigrams: tuple[int, ...]
    casing: int


def _by_count(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _room(max_size: int | None) -> int | None:
    return None if max_size is None else max(0, max_size - 1)
