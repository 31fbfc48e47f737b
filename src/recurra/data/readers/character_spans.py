"""Entities that are given by character offsets into a text, as labels of its words."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from recurra.data.examples import BadRow
from recurra.plain import quoted
from recurra.text.spans import Span, bio_tags
from recurra.text.words import Word

_BEGINS, _ENDS, _TYPES = ("begin", "start"), ("end",), ("type", "label")


def labels_of_entities(given: Any, text: str, words: Sequence[Word]) -> tuple[str, ...]:
    """Return the BIO labels of words for entities `[begin, end, type]` with text[begin:end] each, or objects
    with the keys begin (or start), end and type (or label).

    Raises: BadRow for an entity that cuts a word, overlaps another one or lies outside of the text.
    """
    if not isinstance(given, list):
        raise BadRow(f"has {quoted(given)} as entities, expected a list of [begin, end, type]")
    begins, ends = [word.begin for word in words], [word.end for word in words]
    spans: list[Span] = []
    before: tuple[int, int] = (0, 0)
    for begin, end, kind in sorted(map(_entity, given)):
        place = f"the entity [{begin}, {end}, {quoted(kind)}]"
        if not 0 <= begin < end <= len(text):
            raise BadRow(f"{place} lies outside of the text, which has {len(text)} characters")
        if begin < before[1]:
            raise BadRow(f"{place} overlaps the entity [{before[0]}, {before[1]}]")
        before = (begin, end)
        first, last = bisect_right(ends, begin), bisect_left(begins, end)
        for word in words[first:last]:
            if word.begin < begin or end < word.end:
                raise BadRow(
                    f"{place} cuts the word {quoted(word.text)} at {word.begin} to {word.end}",
                    "correct the offsets, or split the text into other words with --split punctuation",
                )
        if first >= last:
            raise BadRow(f"{place} contains no word")
        spans.append(Span(kind, first, last))
    return tuple(bio_tags(spans, len(words)))


def _entity(given: Any) -> tuple[int, int, str]:
    """Return an entity's begin, end and type. Raises: BadRow."""
    parts: Sequence[Any] = given if isinstance(given, list) else ()
    if isinstance(given, Mapping):
        parts = [
            next((given[key] for key in keys if key in given), None) for keys in (_BEGINS, _ENDS, _TYPES)
        ]
    match parts:
        case [int(begin), int(end), str(kind)] if kind.strip() and bool not in (type(begin), type(end)):
            return begin, end, kind.strip()
    raise BadRow(f"has the entity {quoted(given)}, expected [begin, end, type]")
