"""The words of a line that are prose, and not parts of addresses, paths, names of files, code or numbers."""

import re
from collections.abc import Iterator
from itertools import pairwise

from recurra.data.misspellings import WORD
from recurra.text.words import marks

_RUN = re.compile(r"\S+")
_SIGNS = rf"[\w{marks()}]+"  # letters, digits and underscores with their marks
_TOKEN = re.compile(rf"{_SIGNS}(?:['\u2019]{_SIGNS})*")
# A URL or e-mail address, an account name, a tag, a variable, or a path with backslashes.
_NO_PROSE = re.compile(
    r"[^\W\d_]://|\b(?:www\.|mailto:)|@\w|(?<!\w)#\w|\$[{(]?[^\W\d]|\\[^\W\d_]", re.IGNORECASE
)
# A path from the root, the home or the current folder, or an option of a command.
_BEGINS_NO_PROSE = re.compile(r"[\"'\u2018\u201c(\[{<`]*(?:~?/\w|\.\.?/|[A-Za-z]:/|--\w)")


def words_of_prose(line: str) -> Iterator[re.Match[str]]:
    """Yield the words of a line that a spelling can be corrected of, in time linear in its length.

    Each run of characters other than blanks is looked at once. All words of a run are left out if it is an
    address, a path, a file name, an account name, a tag, a variable or an option; else those that contain
    digits or underscores, and character references.
    """
    for run in _RUN.finditer(line):
        tokens = list(_TOKEN.finditer(line, *run.span()))
        if _NO_PROSE.search(run[0]) or _BEGINS_NO_PROSE.match(run[0]) or _is_dotted(line, tokens):
            continue
        for token in tokens:
            if not any(sign == "_" or sign.isdecimal() for sign in token[0]) and not _is_reference(
                line, token
            ):
                yield from WORD.finditer(line, *token.span())


def _is_dotted(line: str, tokens: list[re.Match[str]]) -> bool:
    """Whether tokens are joined by a point, as in a file name or an address; not at the end of a sentence or
    of a number of a list ("came.The", "1.the")."""
    return any(
        line[before.end() : after.start()] == "."
        and not before[0].isdecimal()
        and (not after[0][0].isupper() or (before[0].isupper() and after[0].isupper()))
        for before, after in pairwise(tokens)
    )


def _is_reference(line: str, token: re.Match[str]) -> bool:
    """Whether a token is the name in a character reference such as `&eacute;`."""
    return line[token.end() : token.end() + 1] == ";" and line.endswith(("&", "&#"), 0, token.start())
