"""Words of the vocabulary with spellings near to that of an unknown word."""

import difflib
from collections.abc import Iterable

from recurra.models.word_vectors.lookup import MissingWord, WordLookup

_SEARCHED = 50_000  # words, the most frequent ones; more would take seconds


def check_words(vectors: WordLookup, words: Iterable[str]) -> None:
    """Check that vectors have words. Raises: MissingWord, with near spellings if there are any."""
    for word in words:
        if word not in vectors:
            raise MissingWord(word, near_spellings(vectors, word))


def near_spellings(vectors: WordLookup, word: str, most: int = 3) -> list[str]:
    """Return up to `most` words that differ in case only, then those with the most similar letters."""
    folded = word.casefold()
    same = [one for one in vectors.index_to_key if one.casefold() == folded]
    if len(same) >= most:
        return same[:most]
    others = [
        one for one in vectors.index_to_key[:_SEARCHED] if abs(len(one) - len(word)) < 3 and one not in same
    ]
    return [*same, *difflib.get_close_matches(word, others, n=most - len(same), cutoff=0.8)]
