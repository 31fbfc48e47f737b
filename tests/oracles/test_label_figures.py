"""Spans and their figures beside seqeval, single labels beside scikit-learn."""

from itertools import pairwise

import pytest
import seqeval.metrics
import seqeval.metrics.sequence_labeling
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from recurra.metrics import ClassFigures, EntityFigures, Reliability
from recurra.text import bio_rules, bio_tags, first_inconsistent, is_iob1, mark_spans, spans_of
from recurra.text.spans import Span

ANY = st.sampled_from(["O", *(f"{prefix}-{kind}" for prefix in "BIES" for kind in ("PER", "LOC", "X-Y"))])
BIO = st.sampled_from(["O", *(f"{prefix}-{kind}" for prefix in "BI" for kind in ("PER", "LOC"))])


@given(st.lists(ANY, max_size=12))
def test_spans_are_those_of_seqeval(tags):
    wanted = seqeval.metrics.sequence_labeling.get_entities(tags)
    assert spans_of(tags) == [(kind, first, last + 1) for kind, first, last in wanted]


@given(st.lists(st.lists(st.tuples(ANY, ANY), min_size=1, max_size=9), min_size=1, max_size=6))
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_entity_figures_are_those_of_seqeval(pairs):
    gold = [[a for a, _ in sentence] for sentence in pairs]
    guess = [[b for _, b in sentence] for sentence in pairs]
    figures = EntityFigures.count(gold, guess)
    assert figures.accuracy == pytest.approx(seqeval.metrics.accuracy_score(gold, guess))
    overall = figures.overall
    for name in ("precision", "recall", "f1"):
        wanted = getattr(seqeval.metrics, f"{name}_score")(gold, guess, zero_division=0)
        assert getattr(overall, name) == pytest.approx(float(wanted))
    if not figures.by_type:
        return  # seqeval takes the mean of nothing
    report = seqeval.metrics.classification_report(gold, guess, output_dict=True, zero_division=0)
    for kind, hits in figures.by_type.items():
        assert hits.f1 == pytest.approx(report[kind]["f1-score"])
        assert hits.wanted == report[kind]["support"]


@given(st.lists(st.tuples(*[st.sampled_from("abcd")] * 2), min_size=1, max_size=30))
def test_class_figures_are_those_of_scikit_learn(pairs):
    gold, guess = zip(*pairs, strict=True)
    figures = ClassFigures.count(gold, guess)
    assert figures.accuracy == pytest.approx(sklearn.metrics.accuracy_score(gold, guess))
    assert figures.macro_f1 == pytest.approx(
        sklearn.metrics.f1_score(gold, guess, average="macro", zero_division=0)
    )
    if len(figures.labels) == 1:
        return  # scikit-learn warns of a table of one
    assert figures.table() == sklearn.metrics.confusion_matrix(gold, guess, labels=figures.labels).tolist()
    assert figures.majority == max(gold.count(label) for label in gold) / len(gold)


@given(st.lists(BIO, max_size=12))
def test_spans_and_bio_labels_are_one(tags):
    made = bio_tags(spans_of(tags), len(tags))
    assert spans_of(made) == spans_of(tags)
    assert first_inconsistent(made) is None
    if first_inconsistent(tags) is None:
        assert made == tags


@given(st.lists(BIO, min_size=1, max_size=8))
def test_what_the_rules_allow_is_what_is_consistent(tags):
    labels = sorted({*tags, "O"})
    begins, follows = bio_rules(labels)
    places = [labels.index(tag) for tag in tags]
    allowed = begins[places[0]] and all(follows[a, b] for a, b in pairwise(places))
    assert allowed == (first_inconsistent(tags) is None)


def test_iob1_is_told_from_bio():
    assert is_iob1([["I-PER", "I-PER", "B-PER", "O"], ["O", "I-LOC"]])
    assert not is_iob1([["B-PER", "I-PER"], ["O", "I-LOC"]])
    assert not is_iob1([["O", "O"], ["B-PER"]])
    assert bio_tags(spans_of(["I-PER", "B-PER", "I-LOC"]), 3) == ["B-PER", "B-PER", "B-LOC"]


def test_classes_of_words_are_no_spans():
    assert not mark_spans(["NN", "VB", "O"])
    assert not mark_spans(["O"])
    assert not mark_spans(["B-PER", "NN"])
    assert mark_spans(["O", "B-PER", "I-PER"])


def test_a_type_may_have_a_hyphen():
    assert spans_of(["B-creative-work", "I-creative-work"]) == [Span("creative-work", 0, 2)]


def test_reliability_by_hand():
    reliability = Reliability.count([0.95, 0.95, 0.55, 1.0], [True, False, True, True])
    assert reliability.bins[9] == (3, pytest.approx(2.9 / 3), pytest.approx(2 / 3))
    assert reliability.bins[5] == (1, 0.55, 1.0)
    assert reliability.error == pytest.approx(0.75 * 0.3 + 0.25 * 0.45)
