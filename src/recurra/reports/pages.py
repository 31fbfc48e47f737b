"""Pages with data that scripts read: one self-contained file, safe for any text."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from recurra.files import write_text
from recurra.reports.run_report import template

# Within a script element these would end it, or the line.
_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def script_data(value: Any) -> Markup:
    """Return a value as JSON that may stand in a script element: <, >, & and line separators are escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup("".join(_UNSAFE.get(one, one) for one in text))


def write_map_page(
    path: Path,
    *,
    title: str,
    note: str,
    words: Sequence[str],
    points: Sequence[Sequence[float]],
    nearest: Sequence[Sequence[tuple[str, float]]],
    counts: Sequence[int] | None = None,
) -> None:
    """Write a page with a map of words, to search, zoom and point at.

    `nearest` has the nearest words of each word, which need not be on the map.

    Raises: StorageError.
    """
    places = {word: place for place, word in enumerate(words)}
    others: dict[str, int] = {}
    for each in nearest:
        for word, _ in each:
            if word not in places:
                others.setdefault(word, len(words) + len(others))
    data = {
        "words": list(words),
        "x": [round(float(point[0]), 4) for point in points],
        "y": [round(float(point[1]), 4) for point in points],
        "counts": None if counts is None else list(counts),
        "nearest": [
            [(places.get(word, others.get(word)), cosine) for word, cosine in each] for each in nearest
        ],
        "others": list(others),
    }
    page = template("map.html").render(title=title, note=note, data=script_data(data))
    write_text(path, page)
