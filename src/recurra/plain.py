"""Plain values as strict JSON, for the output of commands and for files, and as text."""

import json
import math
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
_TABS_AND_LINE_ENDS = re.compile(r"[\t-\r\x1c-\x1e\x85\u2028\u2029]+")  # as str.splitlines has them


def quoted(value: object, most: int = 80) -> str:
    """Return the representation of a piece of input, shortened for use in a message."""
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]} …"


def one_line(text: str) -> str:
    """Return a text with its tabs and line ends replaced by blanks, as a field of a printed line."""
    return _TABS_AND_LINE_ENDS.sub(" ", text)


def parsed_json(text: str | bytes, **options: Any) -> Any:
    """Parse JSON as `json.loads`. Raises: ValueError, also for nesting that is too deep."""
    try:
        return json.loads(text, **options)
    except RecursionError as error:
        raise ValueError("nesting that is too deep") from error


def aligned(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table as lines, with names left-aligned and figures right-aligned."""
    names, rows = list(map(one_line, names)), [list(map(one_line, row)) for row in rows]
    first = max(map(len, names))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        name.ljust(first) + "".join(cell.rjust(width + 2) for cell, width in zip(row, widths, strict=True))
        for name, row in zip(names, rows, strict=True)
    ]


def shell(path: object) -> str:
    """Return a path as a word of a POSIX shell, for commands that are printed."""
    return shlex.quote(str(path))


def listed(names: Iterable[object], most: int = 120) -> str:
    """Return names separated by commas for use in a message; "none" if there are none.

    Of long lists, it returns the first names, of at most `most` characters, and the number of the others.
    """
    every = [str(name) for name in names]
    text, count = ", ".join(every[:1]), 1
    if len(text) > most:
        text = f"{text[:most]} …"
    while count < len(every) and len(text) + len(every[count]) + 2 <= most:
        text, count = f"{text}, {every[count]}", count + 1
    return f"{text} and {counted(len(every) - count, 'other')}" if count < len(every) else text or "none"


def reason_of(error: BaseException, most: int = 120) -> str:
    """Return the reason of a failure in a few words, without error numbers, for use in a message."""
    told = getattr(error, "strerror", None) or str(error) or type(error).__name__
    first = told.splitlines()[0]
    return first if len(first) <= most else f"{first[:most]} …"


def counted(number: int, noun: str) -> str:
    """Return a number with a noun that forms its plural with s: 1 step, 2,000 steps."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def unit_noun(unit: str) -> str:
    """Return the noun for one symbol of a unit of text: character for char."""
    return {"char": "character"}.get(unit, unit)


def finite(value: Any) -> Any:
    """Return the value converted to the types of JSON: dicts, lists, strings, numbers, booleans and None.

    Tuples become lists, numpy scalars become Python's; an infinite or NaN float becomes None. Values of other
    types are unchanged, and `json_line` refuses them.
    """
    match value:
        case str() | bool() | int() | None:
            return value
        case Mapping():
            return {key: finite(each) for key, each in value.items()}
        case list() | tuple():
            return [finite(each) for each in value]
        case Integral():
            return int(value)
        case Real():
            number = float(value)
            return number if math.isfinite(number) else None
    # numpy's booleans are neither bool nor numbers.
    return finite(value.item()) if type(value).__module__ == "numpy" and value.ndim == 0 else value


def json_line(value: Any) -> str:
    """Return a value as one line of strict JSON without line end, after conversion by `finite`.

    Raises: TypeError for a value that is not plain.
    """
    return _dumps(value, None)


def json_text(value: Any, indent: int = 1) -> str:
    """Return a value as indented strict JSON without a final line end; see `json_line`."""
    return _dumps(value, indent)


def _dumps(value: Any, indent: int | None) -> str:
    text = json.dumps(finite(value), ensure_ascii=False, allow_nan=False, indent=indent)
    # File names that are not UTF-8 have lone surrogates; they occur inside strings, so they can be escaped.
    return _LONE_SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
