"""Words as a person spells them: counted in a text, and misspelt in lists of misspellings."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from recurra.errors import DataError
from recurra.files import read_lines
from recurra.metrics import edit_distance
from recurra.text import lines_of

WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")


def read_misspellings(path: Path) -> list[tuple[str, str]]:
    """Pairs (right, typed) from a file of lines `right: typed typed …`, or of lines `$right`, each with its
    misspellings in the lines after it (as the Birkbeck corpus has them; `_` stands for a blank there).

    Raises: DataError, with the line, where the file is neither.
    """
    pairs, right = [], None
    for number, line in enumerate(read_lines(path), start=1):
        text = line.strip()
        if text.startswith("$"):
            right = text[1:].replace("_", " ")
        elif ":" in text:
            right, _, typed = text.partition(":")
            if not right:
                raise DataError(f"{path}:{number}: got {text!r}, expected a word before the colon.")
            pairs += [(right.strip(), word) for word in typed.split()]
            right = None
        elif text and right:
            pairs.append((right, text.replace("_", " ")))
        elif text:
            raise DataError(f"{path}:{number}: got {text!r}, expected `right: typed typed …` or `$right`.")
    if not pairs:
        raise DataError(f"{path}: has no misspellings in it; give lines `right: typed typed …`.")
    return pairs


def learnable(pairs: Iterable[tuple[str, str]], most: int = 2) -> list[tuple[str, str]]:
    """Those misspellings, in small letters, that are of one word and at most so many edits from it: what is
    farther teaches little of single errors."""
    small = ((right.lower(), typed.lower()) for right, typed in pairs)
    return [
        (right, typed)
        for right, typed in small
        if WORD.fullmatch(right) and WORD.fullmatch(typed) and edit_distance(right, typed, most) <= most
    ]


def count_words(chunks: Iterable[str]) -> Counter[str]:
    """The words of a text in small letters, with how often each stands there."""
    counts: Counter[str] = Counter()
    for line in lines_of(chunks):
        counts.update(word.lower() for word in WORD.findall(line))
    for word in [word for word in counts if not WORD.fullmatch(word)]:
        del counts[word]  # small letters of some capitals are two characters
    return counts
