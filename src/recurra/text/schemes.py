"""Tagging schemes: how word labels mark spans, and their conversion to BIO.

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

# The IOBES prefix that each prefix of a scheme corresponds to.
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
    """A label that fits no scheme: index of its sequence, index of its word, and the reason."""

    sequence: int
    word: int
    what: str


class Refused(NamedTuple):
    """The first label of a sequence that its scheme does not allow: index of its word, and the reason."""

    word: int
    what: str


def scheme_of(sequences: Sequence[Sequence[str]]) -> str | Fault | None:
    """Return the scheme of labels, or the first label that fits no scheme although all look like span labels.

    Returns None for plain classes, such as parts of speech: some label is neither O nor has a prefix.
    """
    tags = {tag for sequence in sequences for tag in sequence}
    if not tags - {OUTSIDE} or any(map(is_plain, tags)):
        return None
    used = {split_tag(tag)[0] for tag in tags} - {OUTSIDE}
    fitting = [name for name, prefixes in SCHEMES.items() if used <= prefixes.keys()]
    if not fitting:
        return _misfit(sequences, used)
    return "iob1" if fitting[0] == "bio" and is_iob1(sequences) else fitting[0]


def _misfit(sequences: Sequence[Sequence[str]], used: set[str]) -> Fault:
    """Return the first label whose prefix fits no scheme together with the prefixes before it."""
    before: set[str] = set()
    for number, sequence in enumerate(sequences):
        for word, tag in enumerate(sequence):
            before |= {split_tag(tag)[0]} - {OUTSIDE}
            if not any(before <= prefixes.keys() for prefixes in SCHEMES.values()):
                listed = ", ".join(f"{prefix}-" for prefix in sorted(used))
                return Fault(number, word, f"{tag} and the prefixes {listed} fit no tagging scheme together")
    raise AssertionError("asked for where some scheme fits")


def has_prefix(tag: str) -> bool:
    """Whether a label has the form of a span label: B-PER, U-LOC."""
    prefix, kind = split_tag(tag)
    return prefix in _PREFIXES and bool(kind)


def is_plain(tag: str) -> bool:
    """Whether a label cannot mark a span: it is neither O nor has a prefix."""
    return tag != OUTSIDE and not has_prefix(tag)


def first_plain(tags: Sequence[str]) -> int | None:
    """Return the index of the first label that cannot mark a span, None if all can."""
    return next((word for word, tag in enumerate(tags) if is_plain(tag)), None)


def plain_among_marks(sequences: Iterable[Sequence[str]]) -> tuple[int, str] | None:
    """Return the first label without a prefix, with its sequence, if the other labels look like span labels:
    some have a prefix, and there is an O or a type with two prefixes, such as B-PER and I-PER."""
    plain = None
    tags: set[str] = set()
    for number, sequence in enumerate(sequences):
        tags.update(sequence)
        if plain is None and (word := first_plain(sequence)) is not None:
            plain = (number, sequence[word])
    kinds = [split_tag(tag)[1] for tag in tags if has_prefix(tag)]
    return plain if kinds and (OUTSIDE in tags or len(set(kinds)) < len(kinds)) else None


def to_bio(tags: Sequence[str], scheme: str) -> tuple[str, ...] | Refused:
    """Return labels of a scheme in BIO, or the first label that the scheme does not allow.

    IOB1 allows any order of its labels; the other schemes require that each span is complete.
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
    """Return the index of the first label that may not follow the previous one (the length for the end)."""
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
    """Whether labels are IOB1: some span begins with I-, and B- occurs only after a span of the same type."""
    begins_inside = False
    for tags in sequences:
        for before, here in pairwise([OUTSIDE, *tags]):
            (prefix_before, kind_before), (prefix, kind) = split_tag(before), split_tag(here)
            if prefix == "B" and (prefix_before not in "BI" or kind_before != kind):
                return False
            begins_inside |= prefix == "I" and (prefix_before == OUTSIDE or kind_before != kind)
    return begins_inside
