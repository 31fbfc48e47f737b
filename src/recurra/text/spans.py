"""Word labels that mark spans (entities); see `schemes` for the tagging schemes.

words   U.N.  official  Ekeus  heads  for  Baghdad
BIO     B-ORG O         B-PER  O      O    B-LOC
IOB1    I-ORG O         I-PER  O      O    I-LOC      (B- only right after a span of the same type)
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

OUTSIDE = "O"


class Span(NamedTuple):
    """An entity of a type: the words `first` … `last` - 1."""

    type: str
    first: int
    last: int


def split_tag(tag: str) -> tuple[str, str]:
    """Split a label into prefix and type: ("B", "PER") for "B-PER"; without a hyphen it has no type."""
    prefix, hyphen, kind = tag.partition("-")
    return (prefix, kind) if hyphen else (tag, "")


def _begins(before: tuple[str, str], here: tuple[str, str]) -> bool:
    (prefix_before, kind_before), (prefix, kind) = before, here
    if prefix == OUTSIDE:
        return False
    return prefix in "BS" or prefix_before in (OUTSIDE, "E", "S") or kind != kind_before


def spans_of(tags: Sequence[str]) -> list[Span]:
    """Return the spans of labels, as conlleval reads them: a label that continues no span begins one.

    Source: E. Tjong Kim Sang's conlleval (2000), the scorer of the CoNLL shared tasks.
    """
    found, first, before = [], None, (OUTSIDE, "")
    for place, tag in enumerate([*tags, OUTSIDE]):
        here = split_tag(tag)
        begins = _begins(before, here)
        if first is not None and (begins or here[0] == OUTSIDE):
            found.append(Span(before[1], first, place))
            first = None
        if begins:
            first = place
        before = here
    return found


def bio_tags(spans: Sequence[Span], length: int) -> list[str]:
    """Return the BIO labels of spans that do not overlap."""
    tags = [OUTSIDE] * length
    for kind, first, last in spans:
        tags[first:last] = [f"B-{kind}"] + [f"I-{kind}"] * (last - first - 1)
    return tags


def mark_spans(tags: Sequence[str]) -> bool:
    """Whether all labels belong to a span scheme, unlike classes such as parts of speech."""
    parts = [split_tag(tag) for tag in tags if tag != OUTSIDE]
    return bool(parts) and all(prefix in ("B", "I", "E", "S") and kind for prefix, kind in parts)


def bio_rules(labels: Sequence[str]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which labels may begin a sequence, and which labels may follow which, in BIO.

    Shapes: begins (K,); follows (K, K), [before, after].
    """
    parts = [split_tag(label) for label in labels]
    begins = np.array([prefix != "I" for prefix, _ in parts], dtype=bool)
    follows = np.array(
        [
            [after[0] != "I" or (before[0] in "BI" and before[1] == after[1]) for after in parts]
            for before in parts
        ],
        dtype=bool,
    )
    return begins, follows
