"""Tagging schemes: how labels of words mark spans, and the same spans in BIO.

words   U.N.  official  Ekeus  Rolf   says
BIO     B-ORG O         B-PER  I-PER  O
IOB1    I-ORG O         I-PER  I-PER  O      (B- only right after a span of the same type)
IOBES   S-ORG O         B-PER  E-PER  O
BILOU   U-ORG O         B-PER  L-PER  O      (also called BILUO)
BMES    S-ORG O         B-PER  E-PER  O      (M- inside of a span; BMEWO has W- for S-)
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from recurra.text.spans import OUTSIDE, bio_tags, spans_of, split_tag

# What each prefix of a scheme stands for, as IOBES writes it.
SCHEMES = {
    "bio": {"B": "B", "I": "I"},
    "iob1": {"B": "B", "I": "I"},
    "iobes": {"B": "B", "I": "I", "E": "E", "S": "S"},
    "bilou": {"B": "B", "I": "I", "L": "E", "U": "S"},
    "bmes": {"B": "B", "M": "I", "E": "E", "S": "S", "W": "S"},
}
_PREFIXES = {prefix for scheme in SCHEMES.values() for prefix in scheme}
_STRICT = ("iobes", "bilou", "bmes")  # the end of a span is marked, too


class Fault(NamedTuple):
    """A label that fits no scheme: its sequence, its word, and what is wrong with it."""

    sequence: int
    word: int
    what: str


class Refused(NamedTuple):
    """The first label of a sequence that its scheme does not allow: its word, and what is wrong with it."""

    word: int
    what: str


def scheme_of(sequences: Sequence[Sequence[str]]) -> str | Fault | None:
    """The scheme of labels, or the first label that fits no scheme though all look like marks of spans.

    None for plain classes, such as parts of speech: some label is neither O nor has a prefix.
    """
    tags = {tag for sequence in sequences for tag in sequence}
    if not tags - {OUTSIDE} or not all(tag == OUTSIDE or has_prefix(tag) for tag in tags):
        return None
    used = {split_tag(tag)[0] for tag in tags} - {OUTSIDE}
    fitting = [name for name, prefixes in SCHEMES.items() if used <= prefixes.keys()]
    if not fitting:
        return _misfit(sequences, used)
    return "iob1" if fitting[0] == "bio" and is_iob1(sequences) else fitting[0]


def _misfit(sequences: Sequence[Sequence[str]], used: set[str]) -> Fault:
    """The first label whose prefix fits no scheme together with those before it."""
    before: set[str] = set()
    for number, sequence in enumerate(sequences):
        for word, tag in enumerate(sequence):
            before |= {split_tag(tag)[0]} - {OUTSIDE}
            if not any(before <= prefixes.keys() for prefixes in SCHEMES.values()):
                listed = ", ".join(f"{prefix}-" for prefix in sorted(used))
                return Fault(number, word, f"{tag} and the prefixes {listed} fit no tagging scheme together")
    raise AssertionError("asked for where some scheme fits")


def has_prefix(tag: str) -> bool:
    """Whether a label is written as the mark of a span is: B-PER, U-LOC."""
    prefix, kind = split_tag(tag)
    return prefix in _PREFIXES and bool(kind)


def plain_among_marks(sequences: Iterable[Sequence[str]]) -> tuple[int, str] | None:
    """The sequence and the first label without a prefix where others have one and O stands beside them."""
    plain, marks, outside = None, False, False
    for number, sequence in enumerate(sequences):
        for tag in sequence:
            if tag == OUTSIDE:
                outside = True
            elif has_prefix(tag):
                marks = True
            elif plain is None:
                plain = (number, tag)
    return plain if marks and outside else None


def to_bio(tags: Sequence[str], scheme: str) -> tuple[str, ...] | Refused:
    """Labels of a scheme in BIO, or the first label that the scheme does not allow.

    IOB1 allows every label that it has, the others only those that continue what stands before them.
    """
    prefixes = SCHEMES[scheme]
    parts = [split_tag(tag) for tag in tags]
    for word, (tag, (prefix, kind)) in enumerate(zip(tags, parts, strict=True)):
        if tag != OUTSIDE and not (prefix in prefixes and kind):
            return Refused(word, f"{tag} is not a label of the scheme {scheme}")
    plain = [
        f"{prefixes[prefix]}-{kind}" if tag != OUTSIDE else tag
        for tag, (prefix, kind) in zip(tags, parts, strict=True)
    ]
    if scheme != "iob1":
        fault = _first_inconsistent(plain, strict=scheme in _STRICT)
        if fault is not None:
            before = tags[fault - 1] if fault else "the beginning"
            here = tags[fault] if fault < len(tags) else "the end"
            return Refused(
                min(fault, len(tags) - 1), f"{here} after {before} is not allowed in the scheme {scheme}"
            )
    return tuple(bio_tags(spans_of(plain), len(plain)))


def _first_inconsistent(tags: Sequence[str], *, strict: bool) -> int | None:
    """The place of the first label that may not follow the one before it; the length if the last is open."""
    for place, (before, here) in enumerate(pairwise([OUTSIDE, *tags, OUTSIDE])):
        (prefix_before, kind_before), (prefix, kind) = split_tag(before), split_tag(here)
        is_open = prefix_before in "BI"
        continues = prefix in "IE" and prefix != OUTSIDE
        if continues and not (is_open and kind == kind_before):
            return place
        if strict and is_open and not continues:
            return place
    return None


def is_iob1(sequences: Sequence[Sequence[str]]) -> bool:
    """Whether labels are IOB1: some span begins with I-, and B- stands only after its own type."""
    begins_inside = False
    for tags in sequences:
        for before, here in pairwise([OUTSIDE, *tags]):
            (prefix_before, kind_before), (prefix, kind) = split_tag(before), split_tag(here)
            if prefix == "B" and (prefix_before not in "BI" or kind_before != kind):
                return False
            begins_inside |= prefix == "I" and (prefix_before == OUTSIDE or kind_before != kind)
    return begins_inside
