"""Calibrating trained taggers and classifiers: probabilities, thresholds, commands and refusals."""

import copy
import json
import math
import pickle
import shutil

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import recurra as rc
from recurra.cli.main import app
from recurra.errors import ConfigError, DataError, RunError
from recurra.metrics import Hits
from recurra.tasks.labelling.feeds import EncodedRows
from recurra.tasks.labelling.predicting import scores_of

SMALL = {
    "batch_size": 8,
    "hidden_size": 8,
    "embedding_size": 8,
    "threads": 1,
    "dropout": 0,
    "input_dropout": 0,
}
TEXTS = ["a good film", "a bad film"]


def say(*arguments: object, typed: str | None = None) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments], input=typed, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def refusal(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code != 0
    return str(result.exception)


def reviews(rng, count: int) -> str:
    """A fifth of the rows has the wrong label, so that a model that memorises its rows is too confident."""
    rows = []
    for _ in range(count):
        good = rng.random() < 0.7
        words = ["good" if good else "bad", *rng.choice(list("abcdefghij"), 3)]
        rows.append(f"{' '.join(words)}\t{'yes' if good == (rng.random() < 0.8) else 'no'}\n")
    return "text\tlabel\n" + "".join(rows)


def slots(rng, count: int) -> str:
    """BIO slots and intents; a fifth of the cities has no label."""
    rows = []
    for _ in range(count):
        city, slot = rng.choice(["oslo", "rome"]), "B-to" if rng.random() < 0.8 else "O"
        word = rng.choice(["go", "stay"])
        intent = word if rng.random() < 0.8 else "look"
        rows.append(f"BOS {word} now to {city} EOS\tO O O O {slot} {intent}\n")
    return "".join(rows)


def keywords(rng, count: int) -> str:
    rows = []
    for _ in range(count):
        words = rng.choice(["x", "y", "z"], 4)
        labels = ["1" if word == "x" and rng.random() < 0.8 else "0" for word in words]
        rows.append(f"{' '.join(words)}\t{' '.join(labels)}\n")
    return "words\tlabels\n" + "".join(rows)


KINDS = {
    "classifier": (rc.Classifier, reviews, "tsv", {"epochs": 12, "learning_rate": 0.02}),
    "crf": (rc.Tagger, slots, "iob", {"epochs": 3, "decoder": "crf", "learning_rate": 0.02}),
    "softmax": (rc.Tagger, slots, "iob", {"epochs": 3, "learning_rate": 0.02}),
    "sigmoid": (
        rc.Tagger,
        keywords,
        "tsv",
        {"epochs": 2, "decoder": "sigmoid", "text_column": "words", "learning_rate": 0.02},
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One run of each kind, with a file of other rows."""
    folder = tmp_path_factory.mktemp("calibrated")
    for name, (kind, write, ending, options) in KINDS.items():
        rng = np.random.default_rng(5)
        for part, count in (("train", 120), ("valid", 100), ("other", 80)):
            (folder / f"{name}.{part}.{ending}").write_text(write(rng, count))
        files = [folder / f"{name}.{part}.{ending}" for part in ("train", "valid")]
        kind.train(files[0], valid=files[1], out=folder / name, **SMALL, **options)
    return folder


def run_of(folder, name, tmp_path):
    """A copy of a run, which a test may calibrate."""
    rc.load(folder / name).save(tmp_path / "run")
    return rc.load(tmp_path / "run")


def known_probabilities(model, temperatures):
    """P of each word's label, and of each row's label, from scores divided by the temperatures."""
    rows = model.rows_of()
    encoded = EncodedRows(rows, model.symbols)
    found = {}
    for batch, emissions, classes in scores_of(model.network, encoded):
        shares = None if classes is None else (classes / temperatures.rows).softmax(1)
        marginals = None
        if emissions is not None:
            crf = model.network.crf
            if crf is not None:
                scaled = copy.deepcopy(crf)
                with torch.no_grad():
                    for weights in scaled.parameters():
                        weights /= temperatures.words
                marginals = scaled.marginals(emissions / temperatures.words, batch.lengths)
            elif model.network.decoder == "sigmoid":
                yes = torch.sigmoid(emissions / temperatures.words)
                marginals = torch.cat([1 - yes, yes], 2)
            else:
                marginals = (emissions / temperatures.words).softmax(2)
        for b, row in enumerate(batch.rows):
            found[row] = (None if marginals is None else marginals[b], None if shares is None else shares[b])
    return rows, [found[row] for row in range(len(rows))]


@pytest.mark.parametrize("name", KINDS)
def test_a_temperature_changes_probabilities_and_no_label(folder, name, tmp_path):
    model = run_of(folder, name, tmp_path)
    before = model.predict_rows(model.rows_of())
    calibration = model.calibrate()
    assert rc.load(tmp_path / "run").calibration == model.calibration == calibration
    rows, wanted = known_probabilities(model, calibration.temperatures)
    loss = {"words": 0.0, "rows": 0.0}
    for row, one, said, (marginals, shares) in zip(
        rows, before, rc.load(tmp_path / "run").predict_rows(rows), wanted, strict=True
    ):
        assert (said.labels, said.label) == (one.labels, one.label)
        if marginals is not None:
            ids = [model.symbols.labels.ids[label] for label in said.labels]
            at = [float(marginals[t, k]) for t, k in enumerate(ids)]
            assert said.label_probabilities == pytest.approx(at, abs=1e-6)
            gold = [model.symbols.labels.ids[label] for label in row.labels]
            loss["words"] -= sum(math.log(marginals[t, k]) for t, k in enumerate(gold))
        if shares is not None:
            assert list(said.probabilities.values()) == pytest.approx(shares.tolist(), abs=1e-6)
            loss["rows"] -= math.log(shares[model.symbols.classes.ids[row.label]])
    for scaling in calibration.scalings:
        assert scaling.temperature != 1.0
        assert scaling.after.loss < scaling.before.loss < scaling.crossed.loss + 1
        if (name, scaling.where) != ("crf", "words"):  # whose loss is that of whole paths
            count = len(rows) if scaling.where == "rows" else sum(map(len, rows))
            assert scaling.after.loss == pytest.approx(loss[scaling.where] / count, rel=1e-4)
    where = "rows" if model.symbols.classes else "words"
    (shown,) = (one for one in calibration.scalings if one.where == where)
    assert model.evaluate().reliability.error == pytest.approx(shown.after.reliability.error)
    assert rc.load(folder / name).evaluate().reliability.error == pytest.approx(
        shown.before.reliability.error
    )


def test_an_overconfident_classifier_is_cooled(folder, tmp_path):
    """Scores that are 5 times as large need 5 times the temperature, and give the same probabilities."""
    model = run_of(folder, "classifier", tmp_path)
    (first,) = model.calibrate().scalings
    weights = model.run.read_weights()
    grown = {name: 5 * each if name.startswith("output.") else each for name, each in weights.items()}
    model.run.write_weights(grown)
    model = rc.load(tmp_path / "run")
    assert model.calibration is None
    (scaling,) = model.calibrate().scalings
    assert scaling.temperature == pytest.approx(5 * first.temperature, rel=1e-4)
    assert scaling.after.loss == pytest.approx(first.after.loss)
    assert scaling.crossed.loss < scaling.before.loss / 1.2
    assert scaling.crossed.reliability.error < scaling.before.reliability.error
    model.remove_calibration()
    assert model.calibration is rc.load(tmp_path / "run").calibration is None
    assert model.evaluate().to_dict() == rc.load(tmp_path / "run").evaluate().to_dict()


def test_the_saved_threshold_decides_as_it_was_counted(folder, tmp_path):
    model = run_of(folder, "classifier", tmp_path)
    with pytest.raises(
        ConfigError, match="run has no saved thresholds; choose them with `recurra calibrate`"
    ):
        model.deciding()
    (chosen,) = model.calibrate().chosen
    assert (chosen.label, chosen.objective, chosen.reached) == ("no", "f1", True)  # the less frequent one
    figures = model.deciding().evaluate()
    assert figures.classes.by_label["no"] == chosen.hits
    best = max(row["f1"] for row in rc.rows(model.thresholds()) if row["label"] == "no")
    assert chosen.hits.f1 == pytest.approx(best)
    assert best > model.evaluate().classes.by_label["no"].f1 - 1e-9
    told = say("evaluate", tmp_path / "run", "--saved-thresholds")
    assert f"{chosen.hits.f1:.2%}" in told
    for copied in (pickle.loads(pickle.dumps(model.deciding())), copy.deepcopy(model.deciding())):
        assert copied.evaluate() == figures
    # Each option of `reading` keeps the thresholds, and the other way round.
    assert model.deciding().reading(split="punctuation").decided_by == model.deciding().decided_by


def test_a_precision_is_reached_on_the_data_that_it_was_chosen_on(folder, tmp_path):
    model = run_of(folder, "classifier", tmp_path)
    chosen = model.calibrate(threshold_for={"yes": "precision:0.85", "no": "recall:0.9"}).chosen
    hits = {one.label: one.hits for one in chosen}
    assert hits["yes"].precision >= 0.85
    assert hits["no"].recall >= 0.9
    (chosen,) = model.calibrate(threshold_for={"yes": "precision:1"}).chosen
    figures = model.deciding().evaluate().classes.by_label["yes"]
    assert figures == (chosen.hits if chosen.reached else Hits(0, 0, chosen.hits.support))


def test_entities_below_their_threshold_are_dropped(folder, tmp_path):
    model = run_of(folder, "crf", tmp_path)
    curve = model.thresholds().tables["entities"]["to"]
    decision = curve.at(len(curve) // 2)
    figures = model.deciding({"to": decision.threshold}).evaluate()
    assert figures.entities.by_type["to"] == decision.hits
    text = "go now to oslo"
    (entity,) = model.predict(text).entities
    (word,) = (w for w in model.deciding({"to": 1.0}).predict(text).words if w.text == "oslo")
    assert (word.label, word.probability) == ("O", pytest.approx(1 - entity.probability, abs=1e-6))
    assert model.deciding({"to": 1.0}).predict(text).entities == ()
    assert say("predict", tmp_path / "run", "--threshold", "to=1", typed=text).startswith("O O O O\t")
    assert [one.label for one in model.calibrate().chosen] == ["to"]  # of three intents none


def test_the_sweep_is_printed_and_drawn(folder, tmp_path):
    run, picture = folder / "classifier", tmp_path / "curves.png"
    told = say("evaluate", run, "--thresholds", "--picture", picture)
    assert "yes: average precision " in told
    assert told.count("precision >= 90%") == 2
    assert picture.read_bytes().startswith(b"\x89PNG")
    rc.load(run).thresholds().draw(tmp_path / "method.png")
    assert (tmp_path / "method.png").read_bytes() == picture.read_bytes()
    one = say("evaluate", run, "--thresholds", "--label", "no")
    assert "yes: average" not in one
    content = json.loads(say("evaluate", run, "--thresholds", "--json"))["thresholds"]["labels"]["no"]
    curve = rc.load(run).thresholds().tables["labels"]["no"]
    assert content["average_precision"] == pytest.approx(curve.average_precision)
    assert content["curve"]["threshold"] == pytest.approx(curve.thresholds.tolist())
    assert content["best_f1"]["f1"] == pytest.approx(curve.best().hits.f1)
    words = json.loads(say("evaluate", folder / "sigmoid", "--thresholds", "--json"))["thresholds"]
    assert words["word labels"]["1"]["curve"]["recall"][-1] == 1.0
    rows = rc.rows(rc.load(folder / "softmax").thresholds())
    assert {row["of"] for row in rows} == {"entities", "sentence labels"}


def test_rejected_rows_are_told(folder):
    run = folder / "classifier"
    options = ("--threshold", "yes=1", "--threshold", "no=1")
    assert say("predict", run, *options, typed="a good film\n") == "?\n"
    found = json.loads(say("predict", run, *options, "--json", typed="a good film\n"))
    assert (found["label"], found["rejected"]) == ("?", True)
    accepted = json.loads(say("predict", run, "--threshold", "yes=0.01", "--json", typed="a bad film\n"))
    assert (accepted["label"], accepted["rejected"]) == ("yes", False)
    figures = rc.load(run).deciding({"yes": 1.0, "no": 1.0}).evaluate()
    assert figures.classes.accuracy == 0.0
    assert figures.reliability.error == 0.0  # no prediction


def test_the_command_calibrates_reports_and_removes(folder, tmp_path):
    run_of(folder, "classifier", tmp_path)
    run, other = tmp_path / "run", folder / "classifier.other.tsv"
    told = say("calibrate", run, "--threshold-for", "no=precision:0.5", "--data", other)
    assert told.startswith(f"fitted on 80 rows: {other}\nthese are few rows, so that temperatures and ")
    assert f"report: {run / 'report.html'}" in told
    page = (run / "report.html").read_text()
    for text in ("Precision-recall curves, validation data", "before and after calibration", "precision:0.5"):
        assert text in page
    assert rc.load(run).calibrate(maximise="none").chosen == ()
    assert say("calibrate", run, "--remove") == "removed\n"
    assert say("calibrate", run, "--remove") == f"{run}: has no calibration\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--data", "classifier.train.tsv"], "is the file that the model was trained on, and its probabil"),
        (["--data", "copy.tsv"], "copy.tsv: has the rows that the model was trained on"),
        (["--data", "plain.txt", "--format", "label-text"], "plain.txt"),
        (["--format", "csv"], "format: applies to a file that is given as data; give one or remove it."),
        (["--threshold-for", "maybe=f1"], "threshold_for: the model has no label 'maybe'; the labels are "),
        (
            ["--threshold-for", "no=best"],
            "threshold_for: got 'best' for no, expected f1, f0.5, f2, precision",
        ),
        (["--threshold-for", "no=precision:2"], "threshold_for: got 'precision:2' for no, expected f1"),
        (["--threshold-for", "no=none"], "threshold_for: got 'none' for no, expected f1"),
        (["--threshold-for", "no", "--maximise", "f1"], "maximise: cannot be combined with threshold_for"),
        (["--threshold-for", "no=f2", "--maximise", "f2"], "maximise: cannot be combined with threshold_for"),
        (["--remove", "--maximise", "f1"], "--remove: cannot be combined with other options"),
    ],
)
def test_what_cannot_be_calibrated_is_refused(folder, monkeypatch, arguments, told):
    monkeypatch.chdir(folder)
    rows = (folder / "classifier.train.tsv").read_text()
    (folder / "copy.tsv").write_text(rows)
    (folder / "plain.txt").write_text("word\n")
    assert told in refusal("calibrate", "classifier", *arguments)
    assert not (folder / "classifier" / "calibration.json").exists()


@pytest.mark.parametrize(("rate", "stays"), [(0.02, False), (1e-12, True)])
def test_a_run_that_goes_on_tells_what_becomes_of_its_calibration(folder, tmp_path, rate, stays):
    run = tmp_path / "run"
    shutil.copytree(folder / "softmax", run)
    found = rc.load(run).calibrate()
    more = ["train", "--resume", run, "--epochs", 6, "--learning-rate", rate]
    told = CliRunner().invoke(app, [str(a) for a in more], catch_exceptions=False).stderr
    note = (
        "calibration.json: was fitted to the best weights so far, so it is removed if a later validation is "
    )
    assert told.count(note) == 1
    assert f"recurra calibrate {run}`" in told
    assert rc.load(run).calibration == (found if stays else None)
    ended = CliRunner().invoke(app, ["train", "--resume", str(run)], catch_exceptions=False).stderr
    assert "calibration.json" not in ended


def test_labels_with_objectives_of_their_own_leave_nothing_to_maximise(folder, tmp_path):
    model = run_of(folder, "classifier", tmp_path)
    for maximise in ("f1", "f2", "none"):
        with pytest.raises(
            ConfigError, match=r"^maximise: cannot be combined with threshold_for, where each "
        ):
            model.calibrate(maximise=maximise, threshold_for={"no": "f2"})
    with pytest.raises(DataError, match=r"; omit data to use the validation data, or name another file\.$"):
        model.calibrate(folder / "classifier.train.tsv")
    say("calibrate", tmp_path / "run", "--threshold-for", "no")
    (chosen,) = model.calibrate(threshold_for={"no": "f1"}).chosen
    assert rc.load(tmp_path / "run").calibration.chosen == (chosen,)


def test_predictions_can_be_asked_for_before_thresholds_decide(folder):
    model = rc.load(folder / "classifier")
    rows, careful = model.rows_of(), model.deciding({"yes": 1.0, "no": 1.0})
    assert {one.label for one in careful.predict_rows(rows)} == {"?"}
    assert careful.predict_rows(rows, decide=False) == model.predict_rows(rows)


def test_a_model_of_another_task_has_no_calibration(tmp_path):
    (tmp_path / "text.txt").write_text("ab\n" * 40)
    rc.LanguageModel.train(tmp_path / "text.txt", out=tmp_path / "run", model="ngram")
    assert "is a run of task 'lm', expected 'tag' or 'classify' or 'pair'" in refusal(
        "calibrate", tmp_path / "run"
    )


def test_a_damaged_calibration_is_named(folder, tmp_path):
    model = run_of(folder, "classifier", tmp_path)
    model.calibrate()
    file = tmp_path / "run" / "calibration.json"
    file.write_text(file.read_text().replace("temperature", "temperatura"))
    with pytest.raises(RunError, match=r"calibration.json: is damaged \(its checksum differs\); restore it"):
        rc.load(tmp_path / "run")
    assert say("calibrate", tmp_path / "run", "--remove") == "removed\n"
    rc.load(tmp_path / "run")


def test_correct_predictions_alone_determine_no_temperature(folder, tmp_path):
    model = run_of(folder, "classifier", tmp_path)
    rows = [f"{text}\t{model.predict(text).label}\n" for text in TEXTS]
    (tmp_path / "sure.tsv").write_text("text\tlabel\n" + "".join(rows))
    (scaling,) = model.calibrate(tmp_path / "sure.tsv").scalings
    assert (scaling.temperature, scaling.note) == (
        1.0,
        "not determined, as every prediction on these rows is correct",
    )
    (tmp_path / "unknown.tsv").write_text("text\tlabel\na\tmaybe\n")
    with pytest.raises(DataError, match="no row has labels that the model can predict; use other data"):
        model.calibrate(tmp_path / "unknown.tsv")


def test_validation_rows_that_were_trained_on_are_refused(folder, tmp_path):
    file = folder / "classifier.train.tsv"
    model = rc.Classifier.train(file, valid=file, out=tmp_path / "run", max_steps=1, **SMALL)
    with pytest.raises(DataError, match=r"^validation data: has the rows .*; name another file as data\.$"):
        model.calibrate()


def test_a_calibration_is_told_in_a_line_and_in_rows(folder, tmp_path):
    model = run_of(folder, "classifier", tmp_path)
    found = model.calibrate()
    assert repr(found).startswith("Calibration(temperature of the labels ")
    thresholds, temperatures = rc.rows(found), rc.rows(found, of="temperatures")
    assert [row["threshold"] for row in thresholds] == [one.threshold for one in found.chosen]
    assert temperatures[0]["temperature"] == found.temperatures.rows
