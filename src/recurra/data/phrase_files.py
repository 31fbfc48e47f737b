"""Text files of phrases, one per line."""

from pathlib import Path

from recurra.data.examples import SKIP_IT, BadRows
from recurra.errors import DataError
from recurra.text_files import is_text, read_lines


def read_phrase_list(path: Path, bad: BadRows) -> list[str]:
    """Return the phrases of a UTF-8 text file, one per line, plain or `.gz`; empty lines are skipped.

    Lines that cannot be used go to `bad`.

    Raises: DataError if the file is missing or has no phrases, or for a line that is not UTF-8 or has a tab.
    """
    phrases = []
    for number, line in enumerate(read_lines(path, errors="surrogateescape"), start=1):
        phrase, place = line.strip(), f"{path}:{number}"
        if not is_text(phrase):
            bad.refuse(place, "is not UTF-8", "convert it to UTF-8", SKIP_IT)
        elif "\t" in phrase:
            bad.refuse(
                place, "has a tab, but a line is one phrase", "keep only the column of phrases", SKIP_IT
            )
        elif phrase:
            phrases.append(phrase)
    if not phrases:
        raise DataError.advising(f"{path}: has no phrases", "write one phrase per line", "remove the list")
    return phrases
