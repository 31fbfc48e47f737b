"""The selection of the best checkpoint by a metric, and the names of metrics as text."""

import pytest

from recurra.errors import ConfigError
from recurra.metrics.names import metric_name, metric_value, metrics_told
from recurra.training import Choice, Metric, Selected, selection_of
from recurra.training.place import Place

CHOICE = Choice(
    {"accuracy": Metric("accuracy"), "macro-f1": Metric("macro_f1"), "chrf": Metric("chrf", 100.0)},
    score=("accuracy", "exact"),
)
VALIDATIONS = [
    {"loss": 0.9, "accuracy": 0.7, "macro_f1": 0.6, "chrf": 20.0, "exact": 0.0},
    {"loss": 0.8, "accuracy": 0.8, "macro_f1": 0.4, "chrf": 30.0, "exact": 0.1},
    {"loss": 0.5, "accuracy": 0.8, "macro_f1": 0.5, "chrf": 25.0, "exact": 0.2},
    {"loss": 0.4, "accuracy": 0.6, "macro_f1": 0.5, "chrf": 25.0, "exact": 0.9},
]


def score(figures):
    return 2 - figures["accuracy"] - figures["exact"]


@pytest.mark.parametrize(
    ("by", "best", "told"),
    [
        ("macro-f1", 0, "macro F1 (60.00%)"),
        ("chrf", 1, "chrF (30.00)"),
        ("accuracy", 2, "accuracy (80.00%)"),  # the loss breaks the tie
        ("loss", 3, "loss (0.4000)"),
        ("score", 3, "score (accuracy 60.00%, exact 90.00%)"),
    ],
)
def test_each_metric_selects_its_own_checkpoint(by, best, told):
    selection, place = selection_of(by, CHOICE), Place()
    for step, figures in enumerate(VALIDATIONS):
        place.step = step
        place.count_validation(selection.criterion(figures, score))
    assert place.best_step == best
    selected = selection.selected(VALIDATIONS[best])
    assert str(selected) == told
    assert Selected.of_record({"selected": selected.to_dict()}) == selected
    assert Selected.of_record({}) is None


def test_without_its_figure_the_loss_decides():
    """As a validation that generates no outputs."""
    for by in ("chrf", "score"):
        selected = selection_of(by, CHOICE).selected({"loss": 0.25})
        assert str(selected) == "loss (0.2500)"
    assert selection_of("chrf", CHOICE).criterion({"loss": 0.25}, score) == 0.25


def test_a_metric_that_is_not_possible_is_refused_with_those_that_are():
    with pytest.raises(ConfigError, match=r"use one of score, loss, accuracy, macro-f1, chrf\.$"):
        selection_of("f1:x", CHOICE)


def test_metrics_have_one_name_and_one_format():
    names = ("bleu", "chrf", "f1", "macro_f1", "entity_macro_f1", "f1:a_b", "sentence_label_accuracy")
    assert [*map(metric_name, names)] == [
        *("BLEU", "chrF", "F1", "macro F1", "entity macro F1", "F1 of a_b", "sentence label accuracy")
    ]
    assert metrics_told({"bleu": 12.345, "f1:x": 0.5}) == "BLEU 12.35, F1 of x 50.00%"
    assert metric_value("perplexity", 1234.56) == "1235"
    assert metric_name("f1:a\tb") == "F1 of a b"
