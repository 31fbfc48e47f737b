"""Tagging schemes: the same spans written in each are read alike, and what fits none is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.text.schemes import Fault, Refused, plain_among_marks, scheme_of, to_bio

# first, inside, last and only label of a span, as each scheme's authors write them.
WRITTEN = {
    "bio": ("B", "I", "I", "B"),
    "iobes": ("B", "I", "E", "S"),
    "bilou": ("B", "I", "L", "U"),
    "bmes": ("B", "M", "E", "S"),
}
SPANS = st.lists(
    st.tuples(st.sampled_from(["PER", "LOC", "a-b"]), st.integers(1, 4), st.integers(0, 2)), max_size=4
)


def written(spans: list[tuple[str, int, int]], scheme: str) -> list[str]:
    """Spans, each a type, its words and the words outside after it, as labels of a scheme."""
    first, inside, last, only = WRITTEN[scheme]
    tags: list[str] = []
    for kind, words, outside in spans:
        prefixes = [only] if words == 1 else [first, *[inside] * (words - 2), last]
        tags += [f"{prefix}-{kind}" for prefix in prefixes] + ["O"] * outside
    return tags


@given(SPANS, st.sampled_from(sorted(WRITTEN)))
def test_every_scheme_says_the_same(spans, scheme):
    assert to_bio(written(spans, scheme), scheme) == tuple(written(spans, "bio"))


@given(SPANS, st.sampled_from(sorted(WRITTEN)))
def test_the_scheme_is_recognised_or_another_reads_it_alike(spans, scheme):
    tags = written(spans, scheme)
    found = scheme_of([tags])
    if not spans:
        assert found is None
        return
    assert isinstance(found, str)
    assert to_bio(tags, found) == tuple(written(spans, "bio"))


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        (["U-PER", "O"], "bilou"),
        (["B-PER", "L-PER"], "bilou"),
        (["S-PER", "O"], "iobes"),
        (["B-PER", "M-PER", "E-PER"], "bmes"),
        (["W-PER", "O"], "bmes"),
        (["B-PER", "I-PER", "O"], "bio"),
        (["O", "I-PER"], "iob1"),
        (["NN", "VB"], None),
        (["O", "O"], None),
        (["B-PER", "X"], None),
    ],
)
def test_schemes_are_told_by_their_prefixes(tags, scheme):
    assert scheme_of([["O"], tags]) == scheme


def test_prefixes_of_no_scheme_together_are_named_with_the_first_misfit():
    found = scheme_of([["B-PER", "I-PER"], ["O", "U-LOC", "S-LOC"]])
    assert found == Fault(1, 2, "S-LOC and the prefixes B-, I-, S-, U- fit no tagging scheme together")


@pytest.mark.parametrize(
    ("tags", "scheme", "word", "what"),
    [
        (["O", "I-PER"], "bio", 1, "I-PER after O is not allowed in the scheme bio"),
        (["B-PER", "I-LOC"], "bio", 1, "I-LOC after B-PER is not allowed in the scheme bio"),
        (["U-PER"], "bio", 0, "U-PER is not a label of the scheme bio"),
        (["NN"], "iobes", 0, "NN is not a label of the scheme iobes"),
        (["B-PER", "O"], "iobes", 1, "O after B-PER is not allowed in the scheme iobes"),
        (["O", "E-PER"], "iobes", 1, "E-PER after O is not allowed in the scheme iobes"),
        (["S-PER", "E-PER"], "iobes", 1, "E-PER after S-PER is not allowed in the scheme iobes"),
        (["B-PER", "I-PER"], "bilou", 1, "the end after I-PER is not allowed in the scheme bilou"),
        (["B-PER", "U-PER"], "bilou", 1, "U-PER after B-PER is not allowed in the scheme bilou"),
        (["B-PER", "M-PER", "B-PER"], "bmes", 2, "B-PER after M-PER is not allowed in the scheme bmes"),
    ],
)
def test_the_first_label_that_a_scheme_does_not_allow(tags, scheme, word, what):
    assert to_bio(tags, scheme) == Refused(word, what)


def test_iob1_allows_spans_that_begin_inside():
    assert to_bio(["I-PER", "B-PER", "I-LOC"], "iob1") == ("B-PER", "B-PER", "B-LOC")


def test_a_plain_label_among_marks_is_found():
    assert plain_among_marks([["O", "B-PER"], ["PER"]]) == (1, "PER")
    assert plain_among_marks([["B-PER", "PER"]]) is None  # no O: classes that happen to have a hyphen
    assert plain_among_marks([["O", "PER"]]) is None
    assert plain_among_marks([["B-PER", "0", "I-PER"]]) == (0, "0")  # another label outside of spans
    assert plain_among_marks([["B-PER", "O"], ["-PER"]]) == (1, "-PER")
