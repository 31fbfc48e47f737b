"""Several folds and seeds: figures over all predictions, the object in Python, and going on."""

import json

import numpy as np
import pytest
import sacrebleu
from imbalanced import OPTIONS, Stop, flights, reviews, short_targets
from whole_runs import SMALL

import recurra as rc
from recurra.errors import ConfigError, Interrupted
from recurra.text import spans_of

sklearn_metrics = pytest.importorskip("sklearn.metrics")

FOLDS = {"folds": 3, "seeds": 2, "epochs": 2, "max_steps": 9}


@pytest.fixture(scope="module")
def repeats(tmp_path_factory):
    folder = tmp_path_factory.mktemp("repeats")
    options = OPTIONS | FOLDS | reviews(folder)
    return rc.Classifier.train(out=folder / "runs", **options), options


def test_pooled_figures_are_scikit_learns(repeats):
    found, _ = repeats
    gold, guess = [], []
    for model in found.models():
        rows = model.held_out("test")
        gold += [row.label for row in rows]
        guess += [one.label for one in model.predict_rows(rows)]
    assert len(gold) == 2 * 90  # every row once per seed
    report = sklearn_metrics.classification_report(gold, guess, output_dict=True, zero_division=0)
    pooled = found.to_dict()["pooled"]
    assert pooled["accuracy"] == pytest.approx(report["accuracy"])
    assert pooled["macro_f1"] == pytest.approx(report["macro avg"]["f1-score"])
    for label, hits in pooled["by_label"]["labels"].items():
        expected = report[label]
        assert hits["f1"] == pytest.approx(expected["f1-score"])
        assert hits["precision"] == pytest.approx(expected["precision"])
        assert (hits["recall"], hits["support"]) == (pytest.approx(expected["recall"]), expected["support"])
    labels = pooled["confusion"]["labels"]
    matrix = sklearn_metrics.confusion_matrix(gold, guess, labels=labels)
    assert pooled["confusion"]["counts"] == matrix.tolist()
    values = found.figures["macro_f1"].values
    assert found.figures["macro_f1"].mean == pytest.approx(np.mean(values))
    assert found.figures["macro_f1"].deviation == pytest.approx(np.std(values, ddof=1))


def test_repeats_in_python(repeats):
    found, _ = repeats
    assert isinstance(found, rc.Repeats)
    assert [run.name for run in found.runs[:2]] == ["fold-1-seed-1", "fold-1-seed-2"]
    assert len(found) == len(found.models()) == 6
    assert found["fold-3-seed-2"].run.path == found[-1].run.path == found.runs[-1]
    assert isinstance(found[0], rc.Classifier)
    with pytest.raises(ConfigError, match=r"run: got 'fold-9', expected one of fold-1-seed-1, "):
        found["fold-9"]
    with pytest.raises(IndexError):
        found[6]
    rows = rc.rows(found)
    assert [(row["run"], row["fold"], row["seed"]) for row in rows][2] == ("fold-2-seed-1", 2, 1)
    assert all(row.keys() == rows[0].keys() for row in rows)
    assert [row["accuracy"] for row in rows] == list(found.figures["accuracy"].values)
    assert all(isinstance(value, str | int | float) for row in rows for value in row.values())
    assert repr(found).startswith(f"Repeats('{found.out}', 6 runs, test: accuracy ")
    lines = found.lines()
    assert lines[0] == found.sentence()
    assert lines[2] == (
        "pooled predictions of 3 folds with 2 seeds: each row is predicted 2 times, by a model that was not "
        "trained on it"
    )
    assert any(line.startswith("macro average") for line in lines)
    assert json.loads((found.out / "summary.json").read_text()) == json.loads(json.dumps(found.to_dict()))


def test_repeats_go_on_with_the_same_call_to_the_same_figures(repeats, tmp_path):
    found, options = repeats
    out = tmp_path / "runs"
    with pytest.raises(Interrupted, match="fold-2-seed-1"):
        rc.Classifier.train(out=out, listeners=[Stop(5, run=3)], **options)
    again = rc.Classifier.train(out=out, **options)
    assert (out / "summary.json").read_bytes() == (found.out / "summary.json").read_bytes()
    assert again.lines() == found.lines()


def test_one_run_gives_the_model_as_before(tmp_path):
    options = OPTIONS | {"max_steps": 3} | reviews(tmp_path)
    assert isinstance(rc.Classifier.train(out=tmp_path / "a", seeds=1, **options), rc.Classifier)
    assert isinstance(rc.Classifier.train(out=tmp_path / "b", folds=3, fold=2, **options), rc.Classifier)


def test_entities_of_all_folds_are_pooled(tmp_path):
    found = rc.Tagger.train(out=tmp_path / "runs", **flights(tmp_path), **OPTIONS | {"folds": 2})
    counts = {name: [0, 0, 0] for name in ("from", "to", "via")}
    for model in found.models():
        rows = model.held_out("test")
        for row, said in zip(rows, model.predict_rows(rows), strict=True):
            gold, guess = set(spans_of(row.labels)), set(spans_of(said.labels))
            for place, spans in enumerate((gold & guess, guess, gold)):
                for span in spans:
                    counts[span.type][place] += 1
    pooled = found.pooled
    by_type = {name: [h.correct, h.predicted, h.support] for name, h in pooled.entities.by_type.items()}
    assert by_type == counts
    assert pooled.rows == 60
    assert pooled.classes.total == 60


def test_outputs_of_all_folds_are_pooled(tmp_path):
    options = OPTIONS | {"folds": 2, "max_steps": 6} | short_targets(tmp_path)
    found = rc.Translator.train(out=tmp_path / "runs", **options)
    outputs, right = [], []
    for model in found.models():
        pairs = model.held_out("test")
        outputs += [answers[0].text for answers in model.answers(pairs)]
        right += [pair.targets[0] for pair in pairs]
    assert len(outputs) == 80
    assert found.pooled.texts.chrf == pytest.approx(sacrebleu.corpus_chrf(outputs, [right]).score)
    assert found.pooled.main().keys() == {"chrf", "exact"}


def test_a_task_without_pooled_figures_has_none(tmp_path):
    (tmp_path / "text.txt").write_text("the cat sat on the mat\n" * 40)
    options = SMALL | {"max_steps": 3, "segment_length": 10, "seeds": 2}
    found = rc.LanguageModel.train(tmp_path / "text.txt", out=tmp_path / "runs", **options)
    assert found.pooled is None
    assert found.lines() == [found.sentence()]
    assert found.to_dict()["pooled"] is None


def test_a_metric_that_one_fold_cannot_give_is_refused_before_any_fold_is_trained(tmp_path):
    lines = ["text,label", *(f"a film {i},{'good' if i % 2 else 'bad'}" for i in range(40))]
    (tmp_path / "films.csv").write_text("\n".join([*lines, "an odd film,[odd]", "odder,[odd]"]) + "\n")
    with pytest.raises(ConfigError, match=r"^fold-1: keep_best: got 'f1:\[odd\]', which the training"):
        rc.Classifier.train(
            tmp_path / "films.csv", out=tmp_path / "runs", folds=2, keep_best="f1:[odd]", **OPTIONS
        )
    assert not (tmp_path / "runs").exists()
