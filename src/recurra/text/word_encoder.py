"""Words as numbers: word ids, character ids, letter trigrams, casing and shape.

    word hashing     "boy" → #bo, boy, oy#
    shape            "Xavier-2's" → Xxxxx-d'x

Source of word hashing: P.-S. Huang et al., Learning deep structured semantic models (2013).
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from unicodedata import category

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
# Characters of one class in a row that a shape shows.
_LONGEST_RUN = 4
_RARE = 2  # occurrences in training below which a shape is <unk>
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


def shape_of(word: str) -> str:
    """Return the shape of a word: X for upper-case letters, x for other letters, d for digits, other signs
    unchanged; at most four of the same in a row.

    Source: the word shape of spaCy, https://spacy.io/api/token.
    """
    classes = [_class_of(character) for character in word if not category(character).startswith("M")]
    return "".join("".join(islice(run, _LONGEST_RUN)) for _, run in groupby(classes))


def _class_of(character: str) -> str:
    if character.isalpha():
        return "X" if character.isupper() or character.istitle() else "x"
    return "d" if character.isdigit() else character


def trigrams_of(word: str) -> list[str]:
    """Return the letter trigrams of a word, in lower case and between number signs."""
    marked = f"#{word.lower()}#"
    return [marked[at : at + 3] for at in range(len(marked) - 2)]


class WordEncoder:
    """Encodes words, in Unicode normalisation form C, as numbers with the vocabularies of a training text.

    Words that occur fewer than `min_count` times are `<unk>`, id 0 of every vocabulary; so are unseen
    characters and trigrams, and shapes that occur only once. `shapes` is None if they are not used.
    """

    def __init__(
        self,
        words: Vocabulary,
        characters: Vocabulary,
        trigrams: Vocabulary,
        forms: WordForms,
        shapes: Vocabulary | None = None,
    ) -> None:
        self.words, self.characters, self.trigrams, self.forms = words, characters, trigrams, forms
        self.shapes = shapes
        every = {"words": words, "characters": characters, "trigrams": trigrams, "shapes": shapes}
        for name, vocabulary in every.items():
            if vocabulary is not None and vocabulary.symbols[0] != UNK:
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
        with_shapes: bool = False,
    ) -> "WordEncoder":
        """Build the vocabularies of sequences of words; `extra_words` get ids even if they do not occur."""
        counts: Counter[str] = Counter()
        for words in sequences:
            counts.update(words)
        by_form: Counter[str] = Counter()
        characters: Counter[str] = Counter()
        trigrams: Counter[str] = Counter()
        shapes: Counter[str] = Counter()
        for word, count in counts.items():
            word = composed(word)
            by_form[forms.of(word)] += count
            for character in word:
                characters[character] += count
            for trigram in trigrams_of(word):
                trigrams[trigram] += count
            if with_shapes:
                shapes[shape_of(word)] += count
        kept = [word for word, count in _by_count(by_form) if count >= min_count][: _room(max_size)]
        known = dict.fromkeys([UNK, *kept, *extra_words])
        return cls(
            Vocabulary(list(known)),
            Vocabulary(list(dict.fromkeys([UNK, *(c for c, _ in _by_count(characters))]))),
            Vocabulary(list(dict.fromkeys([UNK, *(t for t, _ in _by_count(trigrams))]))),
            forms,
            Vocabulary(list(dict.fromkeys([UNK, *(s for s, count in _by_count(shapes) if count >= _RARE)])))
            if with_shapes
            else None,
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
            shape=0 if self.shapes is None else self.shapes.ids.get(shape_of(word), 0),
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
        if self.shapes is not None:
            content["shapes"] = self.shapes.symbols
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
            shapes = Vocabulary(content["shapes"]) if "shapes" in content else None
            forms = WordForms(bool(content["lowercase"]), bool(content["digits"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise VocabularyError(
                f"{path}: is missing or is not a word vocabulary; copy it from the run it came with."
            ) from error
        return cls(words, characters, trigrams, forms, shapes)


@dataclass(frozen=True, slots=True)
class EncodedWord:
    """A word as numbers."""

    id: int
    characters: tuple[int, ...]
    trigrams: tuple[int, ...]
    casing: int
    shape: int = 0


def _by_count(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _room(max_size: int | None) -> int | None:
    return None if max_size is None else max(0, max_size - 1)
