"""The labels that thresholds decide, and where a label is found."""

import numpy as np
import pytest

from recurra.errors import ConfigError
from recurra.tasks.labelling.deciding import (
    Thresholds,
    decided,
    find_label,
    parsed_thresholds,
)
from recurra.tasks.labelling.predicting import Prediction
from recurra.text import Vocabulary
from recurra.text.label_symbols import Symbols

SHARES = {"a": 0.5, "b": 0.3, "c": 0.2}


@pytest.mark.parametrize(
    ("thresholds", "label"),
    [
        ({}, "a"),
        ({"b": 0.3}, "b"),  # reached, if equal
        ({"b": 0.31}, "a"),
        ({"a": 0.6}, "b"),  # the most probable of the others
        ({"a": 0.4, "b": 0.2, "c": 0.1}, "c"),  # 1.25, 1.5 and 2 times their thresholds
        ({"a": 0.4, "b": 0.2}, "b"),
        ({"a": 0.6, "b": 0.4}, "c"),
        ({"a": 0.6, "b": 0.4, "c": 0.3}, "?"),
    ],
)
def test_the_rule_of_thresholds(thresholds, label):
    assert decided("a", SHARES, thresholds) == label


def test_a_predicted_label_without_a_threshold_stays():
    """As the label on the best path of a random field, which need not be the most probable at its word."""
    assert decided("b", SHARES, {"c": 0.9}) == "b"
    assert decided("b", SHARES, {"b": 0.9}) == "a"


def a_tagger(names, *, spans: bool, classes=("x", "y")) -> Symbols:
    return Symbols(None, Vocabulary(names), Vocabulary(classes), spans=spans)


def test_an_entity_below_the_threshold_of_its_type_is_dropped():
    symbols = a_tagger(["O", "B-A", "I-A", "B-C"], spans=True)
    every = np.array([[0.1, 0.9, 0, 0], [0.4, 0, 0.6, 0], [0.3, 0, 0, 0.7], [0.2, 0.8, 0, 0]])
    said = Prediction(
        ("B-A", "I-A", "B-C", "B-A"), (0.9, 0.6, 0.7, 0.8), "x", {"x": 0.9, "y": 0.1}, (), every
    )
    found = Thresholds({"A": 0.7}).decide(said, symbols)
    assert found.labels == ("O", "O", "B-C", "B-A")
    assert found.label_probabilities == (0.1, 0.4, 0.7, 0.8)
    assert (found.label, found.probabilities) == ("x", said.probabilities)
    assert Thresholds({"A": 0.6}).decide(said, symbols) == said  # reached, if equal
    none = a_tagger(["B-A", "I-A", "B-C"], spans=True)
    assert Thresholds({"C": 1.0}).decide(said, none).label_probabilities[2] == 0.0


def test_words_are_decided_one_by_one():
    symbols = a_tagger(["a", "b"], spans=False)
    every = np.array([[0.75, 0.25], [0.5, 0.5]])
    said = Prediction(("a", "a"), (0.75, 0.5), None, None, (), every)
    found = Thresholds({"b": 0.4}).decide(said, symbols)
    assert (found.labels, found.label_probabilities) == (("a", "b"), (0.75, 0.5))
    found = Thresholds({"a": 0.7, "b": 0.7}).decide(said, symbols)
    assert (found.labels, found.label_probabilities) == (("a", "?"), (0.75, 0.5))


def test_a_label_is_found_where_it_stands():
    symbols = a_tagger(["O", "B-meal", "I-meal", "B-a:b"], spans=True, classes=["meal", "flight"])
    assert find_label("flight", symbols, "o") == ("rows", "flight")
    assert find_label("a:b", symbols, "o") == ("words", "a:b")
    assert find_label("entity:meal", symbols, "o") == ("words", "meal")
    assert find_label("sentence:meal", symbols, "o") == ("rows", "meal")
    with pytest.raises(ConfigError, match=r"^o: 'meal' is a label of words and of sentences; write entity:"):
        find_label("meal", symbols, "o")
    with pytest.raises(
        ConfigError,
        match=r"^o: the model has no label 'O'; the entities are meal, a:b; the sentence labels are meal, fl",
    ):
        find_label("O", symbols, "o")
    alone = Symbols(None, None, Vocabulary(["x", "y"]))
    with pytest.raises(ConfigError, match=r"no label 'entity:x'; the labels are x, y\.$"):
        find_label("entity:x", alone, "o")
    for wrong in (0.0, -0.1, 1.5):
        with pytest.raises(ConfigError, match=f"^o: got {wrong} for x, expected 0 < threshold <= 1"):
            Thresholds.named({"x": wrong}, alone, "o")


def test_thresholds_are_written_as_label_and_number():
    assert parsed_thresholds(["x=0.5", "a=b=1"], "o") == {"x": 0.5, "a=b": 1.0}
    for wrong in ("x", "x=", "x=y", "0.5"):
        with pytest.raises(ConfigError, match=f"^o: got '{wrong}', expected LABEL=P with 0 < P <= 1"):
            parsed_thresholds([wrong], "o")


def test_a_label_has_one_threshold():
    assert parsed_thresholds(["a=0.5", "b=0.1"], "threshold") == {"a": 0.5, "b": 0.1}
    with pytest.raises(ConfigError, match="threshold: 'a' is given twice; remove one of them"):
        parsed_thresholds(["a=0.5", "b=0.1", "a=0.2"], "threshold")
