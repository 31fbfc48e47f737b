"""Plain values as strict JSON, which every command prints and every file holds, and as text."""

import json
import math
import re
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")


def counted(number: int, noun: str) -> str:
    """A number with a noun that adds an s for the plural: 1 step, 2,000 steps."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def finite(value: Any) -> Any:
    """The same value of dicts, lists, texts, numbers and None alone, which JSON has.

    Tuples become lists, numpy's scalars Python's; a float that is infinite or NaN becomes None. What is none
    of these stays, for `json_line` to refuse.
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
    # numpy's own booleans are neither bool nor numbers.
    return finite(value.item()) if type(value).__module__ == "numpy" and value.ndim == 0 else value


def json_line(value: Any) -> str:
    """A value as one line of strict JSON, without its line end; `finite` says what becomes of numbers.

    Raises: TypeError for a value that is no plain one.
    """
    return _dumps(value, None)


def json_text(value: Any, indent: int = 1) -> str:
    """A value as strict JSON for a file that people may read, without a last line end; see `json_line`."""
    return _dumps(value, indent)


def _dumps(value: Any, indent: int | None) -> str:
    text = json.dumps(finite(value), ensure_ascii=False, allow_nan=False, indent=indent)
    # Names of files that are not UTF-8 have them; they stand within strings, so they may be escaped.
    return _LONE_SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
