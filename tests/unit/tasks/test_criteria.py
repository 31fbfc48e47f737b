"""The criterion of figures by the option `keep_best`, in validations and for the folds of a search."""

from functools import partial
from types import SimpleNamespace

import pytest

from recurra.data.examples import Example
from recurra.metrics.translation import count_texts
from recurra.tasks import registry
from recurra.tasks.labelling.choosing import choice_of, criterion_of_score, score_of
from recurra.tasks.labelling.figures import count_figures
from recurra.tasks.labelling.predicting import Prediction
from recurra.tasks.seq2seq.figures import PairFigures
from recurra.text import Vocabulary
from recurra.text.label_symbols import Symbols
from recurra.training.selection import selection_of

LABELS = {"spans": ("O", "B-to"), "classes": ("noun", "verb"), "none": None}


def counted(words, has_rows):
    """Symbols, the validation rows and their figures: half of the labels of words and rows are right."""
    labels = LABELS[words]
    symbols = Symbols(
        words=None,
        labels=None if labels is None else Vocabulary(labels),
        classes=Vocabulary(("yes", "no")) if has_rows else None,
        spans=words == "spans",
    )
    gold = None if labels is None else (labels[0], labels[1], labels[1], labels[0])
    said = None if labels is None else (labels[0], labels[1], labels[0], labels[0])
    rows = [Example(words=("a", "b", "c", "d"), labels=gold, label=one) for one in ("yes", "no")]
    rows = rows if has_rows else [Example(words=("a", "b", "c", "d"), labels=gold)]
    answers = [
        Prediction(
            labels=said,
            label="yes" if has_rows else None,
            label_probabilities=(1.0,) * 4 if said else (),
            probabilities={"yes": 1.0} if has_rows else {},
        )
        for _ in rows
    ]
    return symbols, rows, count_figures(rows, answers, symbols)


@pytest.mark.parametrize("words", LABELS)
@pytest.mark.parametrize("has_rows", [True, False])
def test_every_metric_of_labels_is_a_figure_of_the_validation_and_has_the_same_criterion(words, has_rows):
    if words == "none" and not has_rows:
        return
    symbols, rows, figures = counted(words, has_rows)
    choice = choice_of(symbols, rows)
    assert set(choice.metrics) >= ({"macro-f1"} if words != "none" or has_rows else set())
    for name in ("score", *choice.metrics):
        validated = {"loss": 0.5, **figures.of_validation(name)}
        score = partial(criterion_of_score, names=score_of(symbols))
        of_checkpoint = selection_of(name, choice).criterion(validated, score)
        assert figures.criterion(name) == pytest.approx(of_checkpoint - 0.5e-6, abs=1e-12)
    assert figures.criterion("loss") is None


def test_word_accuracy_of_entities_is_that_of_the_words():
    _, _, figures = counted("spans", has_rows=True)
    assert "word_accuracy" not in figures.of_validation("score")
    assert figures.criterion("word-accuracy") == pytest.approx(0.25)
    assert figures.criterion("sentence-label-accuracy") == 0.5
    assert figures.criterion("score") == pytest.approx(1 - 2 / 3 + 0.5)


def test_the_loss_breaks_ties_of_outputs_and_takes_the_place_of_a_score_without_outputs():
    texts = count_texts(["a fine film at last", "no"], [["a fine film at last"], ["a dull film at last"]])
    assert texts.score.figure == "bleu"
    low, high = (PairFigures(loss, 9, texts) for loss in (1.0, 2.0))
    assert low.criterion("score") == 2.0 - texts.bleu / 100 - 0.5 + 1e-6
    assert low.criterion("score") < high.criterion("score")
    assert low.criterion("exact") == 0.5 + 1e-6
    assert low.criterion("chrf") == 1.0 - texts.chrf / 100.0 + 1e-6
    criterion = registry.get("translate").criterion
    assert criterion(SimpleNamespace(keep_best="score", validation_rows=0), high) == 2.0
    assert criterion(SimpleNamespace(keep_best="loss", validation_rows=9), high) == 2.0
    assert criterion(SimpleNamespace(keep_best="exact", validation_rows=9), high) == 0.5 + 2e-6
