"""Lines of words in which `<eos>`, the symbol that ends every line, is written out."""

from recurra.errors import VocabularyError
from recurra.plain import quoted
from recurra.text.vocabulary import EOS


class EndWithinLine(VocabularyError):
    """A line of a text has words after `<eos>`."""


def words_of_line(line: str) -> list[str]:
    """Return the words of a line; `<eos>` at its end is the end that every line has, and no word."""
    words = line.split()
    if words and words[-1] == EOS:
        del words[-1]
    return words


def checked_line(line: str) -> str:
    """Return a line of a text file. Raises: EndWithinLine, as its lines are not the sentences of the file."""
    if EOS in line and EOS in words_of_line(line):
        raise EndWithinLine(
            f"a line has words after {EOS}, which is the end of a line ({quoted(line)}); write a line end in "
            "its place, or remove it."
        )
    return line
