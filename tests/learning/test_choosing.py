"""The best checkpoint by the metric that counts, macro F1 and class weights."""

import numpy as np
import pytest
from imbalanced import OPTIONS, Stop, flights, reviews, short_targets
from whole_runs import quick_pictures, recurra, refusal, result_of

import recurra as rc
from recurra.config.choosing import OF_LABEL
from recurra.errors import Interrupted
from recurra.runs import RunFolder
from recurra.tasks import registry

sklearn_metrics = pytest.importorskip("sklearn.metrics")
compute_class_weight = pytest.importorskip("sklearn.utils.class_weight").compute_class_weight

CASES = {
    "classify": (rc.Classifier, reviews, ["score", "macro-f1", "f1:bad"]),
    "tag": (
        rc.Tagger,
        flights,
        ["f1", "macro-f1", "f1:to", "sentence-label-macro-f1"],
    ),
    "translate": (rc.Translator, short_targets, ["score", "chrf"]),
}
EACH = [(task, metric) for task, (_, _, metrics) in CASES.items() for metric in metrics]


def figure_of(task, metric):
    if task == "tag" and metric == "macro-f1":
        return "entity_macro_f1"
    return metric if metric.startswith(OF_LABEL) else metric.replace("-", "_")


@pytest.mark.parametrize(("task", "metric"), EACH)
def test_the_best_checkpoint_has_the_best_value_of_the_metric(task, metric, tmp_path):
    kind, write, _ = CASES[task]
    few = {"max_steps": 18} if task == "translate" else {}
    kind.train(out=tmp_path / "run", keep_best=metric, **write(tmp_path), **OPTIONS | few)
    records = RunFolder(tmp_path / "run").read_metrics()
    validations = [record for record in records if record["kind"] == "validation"]
    name = figure_of(task, metric)
    if metric == "score":
        parts = ["accuracy"] if task == "classify" else ["chrf", "exact"]

        def value(record):
            return sum(record[part] / (100 if part == "chrf" else 1) for part in parts)
    else:

        def value(record):
            return -record["loss"] if metric == "loss" else record[name] / (100 if name == "chrf" else 1)

    best = max(validations, key=lambda record: (round(value(record), 12), -record["loss"], -record["step"]))
    (final,) = [record for record in records if record["kind"] == "final"]
    assert final["step"] == best["step"]
    chosen = parts if metric == "score" else [name]
    assert final["selected"] == {"by": metric, "figures": {one: best[one] for one in chosen}}
    if task != "translate":  # whose validations are greedy
        assert {one: final[one] for one in chosen if one in final} == {
            one: best[one] for one in chosen if one in final
        }


def test_what_the_metrics_are_is_scikit_learns(tmp_path):
    model = rc.Classifier.train(out=tmp_path / "run", keep_best="f1:bad", **reviews(tmp_path), **OPTIONS)
    rows = model.held_out()
    gold = [row.label for row in rows]
    found = [one.label for one in model.predict_rows(rows)]
    records = RunFolder(tmp_path / "run").read_metrics()
    final = next(record for record in records if record["kind"] == "final")
    best = next(r for r in records if r["kind"] == "validation" and r["step"] == final["step"])
    macro = sklearn_metrics.f1_score(gold, found, average="macro", zero_division=0)
    (bad,) = sklearn_metrics.f1_score(gold, found, labels=["bad"], average=None, zero_division=0)
    assert final["macro_f1"] == best["macro_f1"] == pytest.approx(macro)
    assert best["f1:bad"] == pytest.approx(bad)


def test_it_is_said_in_every_place(tmp_path):
    run = tmp_path / "run"
    data = reviews(tmp_path)["data"]
    with quick_pictures():
        said = recurra("train", "classify", "--data", data, "-o", run, "--keep-best", "macro-f1",
                       "--epochs", 2,
                       "--hidden-size", 4, "--threads", 1, "--class-weights", "balanced")  # fmt: skip
        again = recurra("train", "--resume", run)
    assert "the best checkpoint is the one with the highest validation macro F1" in said.err
    assert "weights of the labels: good 0." in said.err
    assert "  macro F1 0." in said.err
    assert "macro_f1" not in said.err
    assert ", selected by macro F1 (" in said.out.splitlines()[0]
    page = (run / "report.html").read_text()
    assert "selected by macro F1 (" in page
    assert "alidation macro F1" in page
    assert again.out.splitlines()[0] == said.out.splitlines()[0]
    assert "macro average" in recurra("evaluate", run).out


@pytest.mark.parametrize(
    ("task", "write", "metric", "possible"),
    [
        ("classify", reviews, "f1:worse", "score, loss, accuracy, macro-f1, f1:bad, f1:good, f1:mixed."),
        ("tag", lambda f: flights(f, spans=False), "f1", "score, loss, word-accuracy, macro-f1, f1:O, f1:"),
        ("tag", flights, "f1:go", "score, loss, f1, macro-f1, word-accuracy, f1:from, f1:to, f1:via, "),
        ("translate", short_targets, "bleu", "score, loss, chrf, exact."),
    ],
)
def test_a_metric_that_the_data_cannot_give_is_refused_before_any_work(
    task, write, metric, possible, tmp_path
):
    options = {name.replace("_", "-"): value for name, value in write(tmp_path).items()}
    flags = [part for name, value in options.items() for part in (f"--{name}", value)]
    told = refusal(recurra("train", task, *flags, "-o", tmp_path / "run", "--keep-best", metric))
    assert f"keep_best: got '{metric}', which the training and validation data cannot give" in told
    assert f"use one of {possible}" in told
    assert not (tmp_path / "run" / "run.toml").exists()


def test_a_label_is_printed_as_it_is(tmp_path):
    (tmp_path / "odd.csv").write_text("text,label\na film,good\nodder,[/odd]\nodder,[/odd]\n")
    data = tmp_path / "odd.csv"
    with quick_pictures():
        said = recurra("train", "classify", "--data", data, "--valid", data, "-o", tmp_path / "run",
                       "--epochs", 1,
                       "--keep-best", "f1:[/odd]", "--hidden-size", 4, "--threads", 1)  # fmt: skip
    assert "F1 of [/odd] " in said.err
    assert said.code == 0, said


def test_an_unknown_metric_is_refused(tmp_path):
    data = reviews(tmp_path)["data"]
    told = refusal(recurra("train", "classify", "--data", data, "-o", tmp_path / "a", "--keep-best", "f2"))
    assert "got 'f2', expected score, loss, accuracy, macro-f1 or f1:LABEL." in told
    said = recurra("train", "lm", "--data", data, "-o", tmp_path / "a", "--keep-best", "loss")
    assert said.code == 2


def test_patience_and_the_plateau_follow_it_and_a_stopped_run_gives_the_same_bits(tmp_path):
    own = {"keep_best": "f1:mixed", "patience": 4, "schedule": "plateau", "max_steps": 60, "epochs": 9}
    options = OPTIONS | own | reviews(tmp_path)
    rc.Classifier.train(out=tmp_path / "whole", **options)
    with pytest.raises(Interrupted):
        rc.Classifier.train(out=tmp_path / "run", listeners=[Stop(5)], **options)
    rc.Classifier.resume(tmp_path / "run")
    whole, resumed = result_of(tmp_path / "whole"), result_of(tmp_path / "run")
    assert {**whole, "settings": 0} == {**resumed, "settings": 0}
    place = whole["state"]["place"]
    lacking = [1 - r["f1:mixed"] for r in whole["metrics"] if r["kind"] == "validation"]
    np.testing.assert_allclose(place["validations"], lacking, atol=1e-3)
    assert (place["bad_validations"], place["plateaus"] >= 4, place["step"] < 60) == (4, True, True)


def pairs(folder):
    lines = ["text\ttext2\tlabel"]
    lines += [f"a red car {i}\tthe car is {('red', 'blue')[i % 5 == 0]}\t{i % 5 == 0}" for i in range(40)]
    (folder / "pairs.tsv").write_text("\n".join(lines) + "\n")
    return {"data": folder / "pairs.tsv"}


@pytest.mark.parametrize(
    ("task", "write", "titles"),
    [
        ("classify", reviews, ["labels"]),
        ("pair", pairs, ["labels"]),
        ("tag", flights, ["word labels", "sentence labels"]),
    ],
)
def test_balanced_weights_are_scikit_learns_and_told(task, write, titles, tmp_path):
    made = registry.get(task)
    config = made.config.build(options=write(tmp_path) | {"class_weights": "balanced"})
    corpus = made.read(config)
    network = made.build(config, corpus.symbols, corpus)
    told = {line.split(": ")[0]: line.split(": ")[1] for line in made.introduce(corpus) if "weights" in line}
    assert list(told) == [f"weights of the {title}" for title in titles]
    for title, line in zip(titles, told.values(), strict=True):
        of_words = title == "word labels"
        gold = [tag for row in corpus.train for tag in (row.labels if of_words else [row.label])]
        names = (corpus.symbols.labels if of_words else corpus.symbols.classes).symbols
        expected = compute_class_weight("balanced", classes=np.array(names), y=np.array(gold))
        used = network.label_weights if of_words else network.class_weights
        np.testing.assert_allclose(used.numpy(), expected, rtol=1e-6)
        assert line == ", ".join(f"{n} {w:.3g}" for n, w in zip(names, expected, strict=True))
