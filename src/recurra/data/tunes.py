"""Tunes in ABC notation: recognition and conversion to MIDI.

The notation: https://abcnotation.com/wiki/abc:standard:v2.1
"""

import re
import warnings
from contextlib import redirect_stderr
from io import StringIO
from itertools import accumulate
from pathlib import Path

from recurra.arguments import checks_arguments
from recurra.errors import DataError, MissingExtra
from recurra.files import written_whole
from recurra.plain import quoted, reason_of

_FIELD = re.compile(r"[A-Za-z]:")
_NOTE = re.compile(r"[A-Ga-g]")
_MOST_REPEATS, _MOST_OPEN_REPEATS = 30, 4
# music21 takes time that grows faster than the length; the longest of 942 tunes of Nottingham has 1,247
# characters of notes and 80 bars.
_MOST_CHARACTERS, _MOST_BARS, _MOST_OPEN_SLURS = 4000, 250, 50
_SLUR = re.compile(r"\((?!\d)|\)")
_LONG_NUMBER = re.compile(r"\d{3,}")
# Fields of text and of the tempo; music21 reads the notes of all other lines.
_TEXT = re.compile(r"[A-Z]:|[wr]:|%")
_METRE = re.compile(r"M:\s*(?:C\|?|none|[(]?\d{1,3}(?:\+\d{1,3})*[)]?/\d{1,4})?\s*(?:%.*)?")
_LENGTH = re.compile(r"L:\s*\d{1,3}(?:/\d{1,4})?\s*(?:%.*)?")


def is_tune(text: str) -> bool:
    """Whether a text is one complete tune.

    A tune begins with `X:` and a number, has a key (`K:`) and then notes, and ends with a blank line.
    """
    if not text.endswith("\n\n") or "\n\n" in text.rstrip("\n"):
        return False
    lines = text.strip().split("\n")
    if sum(line.startswith("X:") for line in lines) != 1:
        return False
    key = next((at for at, line in enumerate(lines) if line.startswith("K:")), None)
    if key is None or not re.match(r"X:\s*\d+\s*$", lines[0]):
        return False
    head, body = lines[1:key], [line for line in lines[key + 1 :] if not _FIELD.match(line)]
    header = all(_FIELD.match(line) or line.startswith("%") for line in head)
    return header and any(_NOTE.search(re.sub(r'"[^"]*"', "", line)) for line in body)


def _is_wrong_fraction(line: str) -> bool:
    """Whether a line is a metre or a note length that no tune has, which music21 may compute for minutes."""
    return (line.startswith("M:") and not _METRE.fullmatch(line)) or (
        line.startswith("L:") and not _LENGTH.fullmatch(line)
    )


def _with_length(tune: str) -> str:
    """Add the default note length to a tune with neither `L:` nor `M:`: an eighth, as the standard has it."""
    lines = tune.split("\n")
    if any(line.startswith(("L:", "M:")) for line in lines):
        return tune
    key = next((at for at, line in enumerate(lines) if line.startswith("K:")), len(lines))
    return "\n".join([*lines[:key], "L:1/8", *lines[key:]])


def _excess(body: str) -> str | None:
    """Return what the notes of a tune have too much of to be converted in a few seconds, or None."""
    open_slurs = accumulate(1 if sign == "(" else -1 for sign in _SLUR.findall(body))
    if (found := _LONG_NUMBER.search(body)) is not None:
        return f"a number of {len(found[0])} digits among the notes"
    if len(body) > _MOST_CHARACTERS:
        return f"{len(body):,} characters of notes, more than {_MOST_CHARACTERS:,}"
    if body.count("|") > _MOST_BARS:
        return f"{body.count('|'):,} bar lines, more than {_MOST_BARS}"
    if max(open_slurs, default=0) > _MOST_OPEN_SLURS:
        return f"more than {_MOST_OPEN_SLURS} slurs that begin before one ends"
    # music21 expands repeats; each end of a repeat without a beginning doubles the work.
    if body.count(":|") - body.count("|:") > _MOST_OPEN_REPEATS or body.count(":|") > _MOST_REPEATS:
        return "too many repeats"
    return None


@checks_arguments
def write_midi(tune: str, path: str | Path) -> None:
    """Convert a tune in ABC notation to a MIDI file with music21.

    Raises: MissingExtra without `recurra[music]`; DataError if the tune cannot be read; StorageError.
    """
    if not tune.strip():
        raise DataError(f"{path}: the tune cannot be converted (it is empty); sample another one.")
    lines = tune.split("\n")
    if (wrong := next((line for line in lines if _is_wrong_fraction(line)), None)) is not None:
        raise DataError(f"{path}: the tune cannot be converted ({quoted(wrong)}); sample another one.")
    body = "\n".join(line for line in lines if not _TEXT.match(line)).strip()
    if (excess := _excess(body)) is not None:
        raise DataError(f"{path}: the tune cannot be converted ({excess}); sample another one.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from music21 import converter, midi
    except ImportError as error:
        raise MissingExtra("MIDI needs music21; install it with `pip install recurra[music]`.") from error
    try:
        # music21 reports unknown notes on standard error.
        with warnings.catch_warnings(), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            score = converter.parse(_with_length(tune), format="abc")
            content = midi.translate.streamToMidiFile(score).writestr()
    except Exception as error:  # music21 raises many types for an invalid bar
        raise DataError(
            f"{path}: the tune cannot be converted ({reason_of(error)}); sample another one."
        ) from error
    with written_whole(Path(path)) as file:
        file.write(content)
