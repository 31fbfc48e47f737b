"""Written dates and the same dates in ISO 8601.

    3 May 1979                  1979-05-03
    Saturday, June 12th 99      1999-06-12

Dates of numbers only are day first (3/5/79, 3.5.1979), or year, month, day if the year comes first. A year
of two digits is one of 1950 to 2049.
"""

import datetime
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from recurra.files import write_text

_FIRST, _LAST = datetime.date(1950, 1, 1), datetime.date(2049, 12, 31)
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_PATTERNS = (
    *("{day} {month} {year}", "{day} {month} {year}", "{month} {day}, {year}", "{month} {day} {year}"),
    *("the {ordinal} of {month} {year}", "{ordinal} {month} {year}", "{month} {ordinal}, {year}"),
    *("{weekday}, {day} {month} {year}", "{weekday} {month} {ordinal} {year}", "{day}-{month}-{year}"),
    *("{day}/{number}/{year}", "{day}.{number}.{year}", "{full}/{number}/{day}", "{full} {month} {day}"),
)


class WrittenDate(NamedTuple):
    """A written date and its ISO 8601 form."""

    written: str
    iso: str


def _ordinal(day: int) -> str:
    ending = "th" if 10 < day % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"


def make_date(draw: random.Random) -> WrittenDate:
    """Draw one date in a random written form."""
    date = _FIRST + datetime.timedelta(days=draw.randrange((_LAST - _FIRST).days + 1))
    month, weekday = _MONTHS[date.month - 1], _WEEKDAYS[date.weekday()]
    pads = draw.random() < 0.3
    written = draw.choice(_PATTERNS).format(
        day=f"{date.day:02}" if pads else date.day,
        number=f"{date.month:02}" if pads else date.month,
        month=month[:3] if draw.random() < 0.4 else month,
        weekday=weekday[:3] if draw.random() < 0.5 else weekday,
        year=f"{date.year % 100:02}" if draw.random() < 0.4 else date.year,
        full=date.year,
        ordinal=_ordinal(date.day),
    )
    written = draw.choice((written, written, written.lower(), written.upper()))
    return WrittenDate(written, date.isoformat())


def make_dates(count: int, seed: int) -> Iterator[WrittenDate]:
    """Yield `count` dates with distinct written forms."""
    draw = random.Random(seed)
    seen: set[str] = set()
    while len(seen) < count:
        date = make_date(draw)
        if date.written not in seen:
            seen.add(date.written)
            yield date


def write_corpus(path: Path, count: int, seed: int) -> None:
    """Write `count` dates as a table with the columns source and target; the same seed gives the same file.

    Raises: StorageError if it cannot be written.
    """
    rows = "".join(f"{date.written}\t{date.iso}\n" for date in make_dates(count, seed))
    write_text(path, f"source\ttarget\n{rows}")
