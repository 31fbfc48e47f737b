"""Spans and their figures against the published rules of conlleval, single labels against scikit-learn."""

from collections import Counter
from itertools import pairwise

import pytest
import sklearn.metrics
from hypothesis import example, given
from hypothesis import strategies as st

from recurra.metrics import ClassFigures, EntityFigures, Reliability
from recurra.text import bio_rules, bio_tags, is_iob1, mark_spans, spans_of
from recurra.text.schemes import Refused, to_bio
from recurra.text.spans import Span

ANY = st.sampled_from(["O", *(f"{prefix}-{kind}" for prefix in "BIES" for kind in ("PER", "LOC", "X-Y"))])
BIO = st.sampled_from(["O", *(f"{prefix}-{kind}" for prefix in "BI" for kind in ("PER", "LOC"))])

# The rules of conlleval (E. Tjong Kim Sang 2000, https://www.cnts.ua.ac.be/conll2000/chunking/): which pairs
# of neighbouring prefixes end a chunk and which begin one, each pair written out; a change of the type does
# both. S, a chunk of one word, continues as E does.
ENDS = {"BB", "BO", "BS", "IB", "IO", "IS", "EB", "EI", "EE", "EO", "ES", "SB", "SI", "SE", "SO", "SS"}
BEGINS = {"BB", "IB", "EB", "SB", "OB", "BS", "IS", "ES", "SS", "OS", "EI", "EE", "SI", "SE", "OI", "OE"}


def ends_chunk(before: str, here: str) -> bool:
    return before[0] + here[0] in ENDS or (before != "O" and before[2:] != here[2:])


def begins_chunk(before: str, here: str) -> bool:
    return before[0] + here[0] in BEGINS or (here != "O" and before[2:] != here[2:])


def conlleval(gold_sentences, guess_sentences):
    """The counts per type (correct, predicted, support) and the number of correct words.

    One pass over the words, as in conlleval: a chunk is correct if both sides begin it with the same type and
    end it together.
    """
    right, found, wanted = Counter(), Counter(), Counter()
    right_words = 0
    for gold, guess in zip(gold_sentences, guess_sentences, strict=True):
        alike = False
        for (gold_before, gold_here), (guess_before, guess_here) in zip(
            pairwise(["O", *gold, "O"]), pairwise(["O", *guess, "O"]), strict=True
        ):
            gold_ends, guess_ends = (
                ends_chunk(gold_before, gold_here),
                ends_chunk(guess_before, guess_here),
            )
            if alike and (gold_ends or guess_ends):
                right[gold_before[2:]] += gold_ends and guess_ends
                alike = False
            gold_begins = begins_chunk(gold_before, gold_here)
            guess_begins = begins_chunk(guess_before, guess_here)
            wanted[gold_here[2:]] += gold_begins
            found[guess_here[2:]] += guess_begins
            alike |= gold_begins and guess_begins and gold_here[2:] == guess_here[2:]
        right_words += sum(a == b for a, b in zip(gold, guess, strict=True))
    return right, found, wanted, right_words


def conlleval_chunks(tags):
    """The spans of the chunks, by the same rules."""
    pairs = list(enumerate(pairwise(["O", *tags, "O"])))
    begins = [place for place, pair in pairs if begins_chunk(*pair)]
    ends = [place for place, pair in pairs if ends_chunk(*pair)]
    return [(tags[first][2:], first, last) for first, last in zip(begins, ends, strict=True)]


@given(st.lists(ANY, max_size=12))
def test_spans_are_those_of_conlleval(tags):
    assert spans_of(tags) == conlleval_chunks(tags)


@given(st.lists(st.lists(st.tuples(ANY, ANY), min_size=1, max_size=9), min_size=1, max_size=6))
@example([[("B-PER", "B-PER"), ("I-PER", "I-PER"), ("O", "I-PER")]])  # different ends: not correct
@example([[("B-PER", "I-PER"), ("B-PER", "I-PER")]])  # two chunks, predicted as one
@example([[("I-PER", "B-PER"), ("I-LOC", "B-LOC")]])  # I after O, and a change of the type, begin a chunk
def test_entity_figures_are_those_of_conlleval(pairs):
    gold = [[a for a, _ in sentence] for sentence in pairs]
    guess = [[b for _, b in sentence] for sentence in pairs]
    figures = EntityFigures.count(gold, guess)
    right, found, wanted, right_words = conlleval(gold, guess)
    assert figures.accuracy == right_words / sum(map(len, gold))
    sums = (figures.overall.correct, figures.overall.predicted, figures.overall.support)
    assert sums == (right.total(), found.total(), wanted.total())
    assert figures.by_type.keys() == (+found + +wanted).keys()
    for kind, hits in figures.by_type.items():
        assert (hits.correct, hits.predicted, hits.support) == (right[kind], found[kind], wanted[kind])
        precision = right[kind] / found[kind] if found[kind] else 0.0
        recall = right[kind] / wanted[kind] if wanted[kind] else 0.0
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        assert (hits.precision, hits.recall) == (precision, recall)
        assert hits.f1 == pytest.approx(f1)


@given(st.lists(st.tuples(*[st.sampled_from("abcd")] * 2), min_size=1, max_size=30))
def test_class_figures_are_those_of_scikit_learn(pairs):
    gold, guess = zip(*pairs, strict=True)
    figures = ClassFigures.count(gold, guess)
    assert figures.accuracy == pytest.approx(sklearn.metrics.accuracy_score(gold, guess))
    assert figures.macro_f1 == pytest.approx(
        sklearn.metrics.f1_score(gold, guess, average="macro", zero_division=0)
    )
    if len(figures.labels) == 1:
        return  # scikit-learn warns about a 1 x 1 confusion matrix
    assert figures.table() == sklearn.metrics.confusion_matrix(gold, guess, labels=figures.labels).tolist()
    assert figures.majority == max(gold.count(label) for label in gold) / len(gold)


@given(st.lists(BIO, max_size=12))
def test_spans_and_bio_labels_are_one(tags):
    made = bio_tags(spans_of(tags), len(tags))
    assert spans_of(made) == spans_of(tags)
    assert to_bio(made, "bio") == tuple(made)
    if not isinstance(to_bio(tags, "bio"), Refused):
        assert made == tags


@given(st.lists(BIO, min_size=1, max_size=8))
def test_what_the_rules_allow_is_what_is_consistent(tags):
    labels = sorted({*tags, "O"})
    begins, follows = bio_rules(labels)
    places = [labels.index(tag) for tag in tags]
    allowed = begins[places[0]] and all(follows[a, b] for a, b in pairwise(places))
    assert allowed == (not isinstance(to_bio(tags, "bio"), Refused))


def test_iob1_is_told_from_bio():
    assert is_iob1([["I-PER", "I-PER", "B-PER", "O"], ["O", "I-LOC"]])
    assert not is_iob1([["B-PER", "I-PER"], ["O", "I-LOC"]])
    assert not is_iob1([["O", "O"], ["B-PER"]])
    assert bio_tags(spans_of(["I-PER", "B-PER", "I-LOC"]), 3) == ["B-PER", "B-PER", "B-LOC"]


def test_classes_of_words_are_no_spans():
    assert not mark_spans(["NN", "VB", "O"])
    assert not mark_spans(["O"])
    assert not mark_spans(["B-PER", "NN"])
    assert not mark_spans(["B-PER", "-PER"])
    assert not mark_spans(["B-PER", "O-PER"])
    assert mark_spans(["O", "B-PER", "I-PER"])


def test_a_type_may_have_a_hyphen():
    assert spans_of(["B-creative-work", "I-creative-work"]) == [Span("creative-work", 0, 2)]


def test_reliability_by_hand():
    reliability = Reliability.count([0.95, 0.95, 0.55, 1.0], [True, False, True, True])
    assert reliability.bins[9] == (3, pytest.approx(2.9 / 3), pytest.approx(2 / 3))
    assert reliability.bins[5] == (1, 0.55, 1.0)
    assert reliability.error == pytest.approx(0.75 * 0.3 + 0.25 * 0.45)
