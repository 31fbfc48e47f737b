"""Word counts of a text, and lists of misspellings."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from recurra.arguments import checks_arguments
from recurra.errors import DataError
from recurra.metrics import edit_distance
from recurra.plain import quoted
from recurra.text import lines_of
from recurra.text.words import composed, marks
from recurra.text_files import read_lines

_LETTERS = rf"[^\W\d_](?:[^\W\d_]|[{marks()}])*"
WORD = re.compile(rf"{_LETTERS}(?:['\u2019]{_LETTERS})*")


def read_misspellings(path: Path) -> list[tuple[str, str]]:
    """Read pairs (right, typed) from a file of misspellings.

    Lines are `right: typed typed …`, or `$right` followed by one misspelling per line (the format of the
    Birkbeck corpus, in which `_` stands for a blank).

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
                raise DataError(f"{path}:{number}: got {quoted(text)}, expected a word before the colon.")
            pairs += [(right.strip(), word) for word in typed.split()]
            right = None
        elif text and right:
            pairs.append((right, text.replace("_", " ")))
        elif text:
            raise DataError(
                f"{path}:{number}: got {quoted(text)}, expected `right: typed typed …` or `$right`."
            )
    if not pairs:
        raise DataError(f"{path}: contains no misspellings; expected lines `right: typed typed …`.")
    return pairs


def learnable(pairs: Iterable[tuple[str, str]], most: int = 2) -> list[tuple[str, str]]:
    """Return, in lower case, the misspellings of single words with at most `most` edits.

    Larger distances say little about single errors.
    """
    small = ((composed(right).lower(), composed(typed).lower()) for right, typed in pairs)
    return [
        (right, typed)
        for right, typed in small
        if WORD.fullmatch(right) and WORD.fullmatch(typed) and edit_distance(right, typed, most) <= most
    ]


@checks_arguments
def count_words(chunks: Iterable[str]) -> Counter[str]:
    """Count the words of a text, in lower case."""
    counts: Counter[str] = Counter()
    for line in lines_of(chunks):
        counts.update(word.lower() for word in WORD.findall(composed(line)))
    for word in [word for word in counts if not WORD.fullmatch(word)]:
        del counts[word]  # the lower case of some capitals has two characters
    return counts
