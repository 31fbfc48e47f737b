"""Classifiers of pairs: labels and scores, features and baselines, alignment, from files to predictions."""

import json
import random
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

import recurra as rc
from recurra.cli.main import app
from recurra.errors import ConfigError, DataError, VocabularyError
from recurra.tasks.labelling.pairs import PairSymbols

ANIMALS, DOING = ["cat", "dog", "cow", "fox", "owl"], ["sees", "hears", "likes", "meets"]
SMALL = {
    "hidden_size": 8,
    "embedding_size": 8,
    "epochs": 2,
    "learning_rate": 0.01,
    "threads": 1,
    "dropout": 0.1,
    "input_dropout": 0.0,
}
FEATURES = {"overlap_features": True, "length_features": True, "number_features": True}


def pairs(count: int = 80, seed: int = 1) -> list[dict[str, object]]:
    """Who does what to whom, and the same or another animal in the second text; the score is the overlap."""
    draw, rows = random.Random(seed), []
    for number in range(count):
        a, b, doing = draw.choice(ANIMALS), draw.choice(ANIMALS), draw.choice(DOING)
        same = number % 2 == 0
        other = a if same else draw.choice([one for one in ANIMALS if one != a])
        rows.append(
            {
                "text": f"the {a} {doing} the {b}",
                "text2": f"a {other} {doing} the {b} today",
                "label": "same" if same else "other",
                "alike": 4.5 if same else 1.25,
            }
        )
    return rows


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def recurra(*arguments):
    return CliRunner().invoke(app, [str(one) for one in arguments])


@pytest.fixture(scope="module")
def aligned(tmp_path_factory):
    """A trained model; tests must not change it."""
    folder = tmp_path_factory.mktemp("aligned")
    options = SMALL | FEATURES | {"matching": "aligned", "symmetric": True, "epochs": 8}
    return rc.PairClassifier.train(write(folder / "pairs.jsonl", pairs()), out=folder / "run", **options)


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    """A model of scores; tests must not change it."""
    folder = tmp_path_factory.mktemp("scores")
    options = SMALL | {"matching": "aligned", "score_column": "alike", "epochs": 12, "overlap_features": True}
    return rc.PairClassifier.train(write(folder / "pairs.jsonl", pairs()), out=folder / "run", **options)


def test_labels_are_learnt_and_the_order_does_not_matter(aligned):
    figures = aligned.evaluate(pairs(seed=2))
    assert figures.classes.accuracy > 0.95
    there, back = (aligned.predict(pair) for pair in (("the cat", "a cow"), ("a cow", "the cat")))
    assert there.probabilities == pytest.approx(back.probabilities, abs=1e-6)


def test_baselines_stand_beside_the_metrics(aligned):
    figures = aligned.evaluate(pairs(seed=2))
    told = figures.to_dict()["baselines"]
    assert told["logistic regression"]["accuracy"] > 0.9
    assert "(on features alone: logistic regression accuracy " in figures.sentence()
    stored = aligned.run.read_metrics()[-1]
    assert stored["baselines"].keys() == told.keys()
    again = rc.load(aligned.run.path)
    assert isinstance(again.symbols, PairSymbols)
    assert again.evaluate(pairs(seed=2)).to_dict() == figures.to_dict()


def test_baselines_are_pooled_over_folds(tmp_path):
    found = rc.PairClassifier.train(
        write(tmp_path / "pairs.jsonl", pairs(40)), out=tmp_path / "run", folds=2, **SMALL
    )
    assert found.pooled.baselines.labels["logistic regression"].total == 40


def test_scores_are_learnt_and_told(scores, tmp_path):
    figures = scores.evaluate(pairs(seed=2))
    assert figures.scores.pearson > 0.9
    assert figures.scores.squared_error < 1
    assert figures.main().keys() == {"pearson", "spearman", "squared_error"}
    assert "ridge regression Pearson" in figures.sentence()
    said = scores.predict(("the cat sees the dog", "a cat sees the dog today"))
    assert said.label is None
    assert 1.25 <= said.score <= 4.5
    assert said.line() == f"{said.score:.4f}"
    assert said.to_dict()["score"] == pytest.approx(said.score, abs=1e-6)
    worst = scores.mistakes(pairs(seed=2), count=3)
    errors = [abs(float(one.gold) - float(one.predicted)) for one in worst]
    assert errors == sorted(errors, reverse=True)
    found = recurra(
        "evaluate", scores.run.path, "--data", write(tmp_path / "x.jsonl", pairs(seed=2)), "--json"
    )
    assert json.loads(found.output)["squared_error"] == pytest.approx(figures.scores.squared_error)
    scores.report()
    assert "largest errors" in (scores.run.path / "report.html").read_text()


def test_pearson_can_select_the_best_checkpoint(tmp_path):
    data = write(tmp_path / "pairs.jsonl", pairs(40))
    options = SMALL | {"score_column": "alike"}
    run = rc.PairClassifier.train(data, out=tmp_path / "run", keep_best="pearson", **options)
    assert run.run.read_metrics()[-1]["selected"]["by"] == "pearson"
    with pytest.raises(ConfigError, match=r"^keep_best: got 'accuracy', which the training"):
        rc.PairClassifier.train(data, out=tmp_path / "other", keep_best="accuracy", **options)


@pytest.mark.parametrize(
    ("verb", "options", "fault"),
    [
        ("evaluate", ["--thresholds"], "thresholds: applies to labels, but the model predicts scores"),
        ("calibrate", [], "calibrate: applies to labels, but the model predicts scores"),
        ("evaluate", ["--saved-thresholds"], "saved_thresholds: applies to labels"),
        ("predict", ["--reject-below", "0.5"], "reject_below: applies to labels"),
    ],
)
def test_what_needs_probabilities_is_refused_for_scores(scores, tmp_path, verb, options, fault):
    lines = tmp_path / "lines.txt"
    lines.write_text("the cat\ta cat\n")
    found = recurra(verb, scores.run.path, *([lines] if verb == "predict" else []), *options)
    assert found.exit_code != 0
    assert fault in str(found.exception)


@pytest.mark.parametrize("value", ["high", None, True, "1_0", "nan", "", "1e31"])
def test_a_row_without_a_finite_score_is_named_by_its_line(tmp_path, value):
    rows = pairs(8)
    rows[4]["alike"] = value
    data = write(tmp_path / "pairs.jsonl", rows)
    with pytest.raises(
        DataError, match=r"pairs\.jsonl:5: (has .* as 'alike', expected a number|lacks a sec)"
    ):
        rc.PairClassifier.train(data, out=tmp_path / "run", score_column="alike", **SMALL)
    assert not (tmp_path / "run").exists()
    kept = rc.PairClassifier.train(data, out=tmp_path / "run", score_column="alike", skip_bad=True, **SMALL)
    assert len(kept.held_out()) == 1


def test_scores_stand_in_a_column_without_a_name(tmp_path):
    data = tmp_path / "scores.tsv"
    data.write_text("".join(f"{row['alike']}\t{row['text']}\t{row['text2']}\n" for row in pairs(12)))
    columns = {"score_column": "1", "text_column": "2", "second_column": "3"}
    found = rc.PairClassifier.train(data, out=tmp_path / "run", **columns, **SMALL)
    assert found.symbols.scale.highest == 4.5


def test_scores_have_no_class_weights_and_no_column_of_labels(tmp_path):
    with pytest.raises(ConfigError, match="class_weights: "):
        rc.PairClassifier.train(pairs(), out=tmp_path / "run", score_column="alike", class_weights="balanced")
    with pytest.raises(ConfigError, match="label_column: applies only without score_column"):
        rc.PairClassifier.train(pairs(), out=tmp_path / "run", score_column="alike", label_column="label")
    with pytest.raises(ConfigError, match="score_column: applies only to classifiers of pairs"):
        rc.Classifier.train(pairs(), out=tmp_path / "run", score_column="alike")


def test_words_are_aligned_and_drawn(aligned, tmp_path):
    found = aligned.alignment(("the cat sees", "a cat sees today"))
    assert found.first == ("the", "cat", "sees")
    np.testing.assert_allclose(found.weights.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(found.back.sum(1), 1, atol=1e-6)
    assert found.label in ("same", "other")
    assert len(rc.rows(found)) == 12
    lines = tmp_path / "lines.txt"
    lines.write_text("the cat sees\ta cat sees today\n\tan empty text\nthe owl\tan owl\n")
    folder = tmp_path / "pictures"
    done = recurra("predict", aligned.run.path, lines, "--alignment-pictures", folder)
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in folder.iterdir()) == ["1.png", "3.png"]


def test_contributions_are_those_of_finite_differences(aligned):
    """Scaling the vector of a word changes the log-odds by its contribution, to first order."""
    import torch

    from recurra.inspection import pair_gradient_times_input
    from recurra.models.evaluating import evaluating
    from recurra.models.pair import Steps, same_words
    from recurra.tasks.labelling.feeds import EncodedRows

    (row,) = aligned.rows_of(pairs(1))
    network = aligned.network.double()
    try:
        batch = EncodedRows([row], aligned.symbols).batch([0])
        batch = replace(batch, features=batch.features.double())
        first, _, second, _, features = batch.inputs
        parts = pair_gradient_times_input(network, batch, 0)
        with evaluating(network):
            x, y, same = (
                network.reader.vectors(first),
                network.reader.vectors(second),
                same_words(first, second),
            )

            def odds(at: int, by: float) -> float:
                scaled = x.clone()
                scaled[:, at] *= 1 + by
                logits = network.outputs_of(Steps(scaled, batch.lengths), Steps(y, None), same, features)[0]
                return float(logits[0] - logits[1])

            expected = [(odds(at, 1e-6) - odds(at, -1e-6)) / 2e-6 for at in range(len(row.words))]
        torch.testing.assert_close(parts[0], torch.tensor(expected).double(), atol=1e-6, rtol=1e-4)
    finally:
        aligned.network.float()


def test_only_an_aligned_model_aligns(scores, tmp_path):
    siamese = rc.PairClassifier.train(pairs(20), out=tmp_path / "run", **SMALL)
    with pytest.raises(ConfigError, match="alignment: the model compares whole texts"):
        siamese.alignment(("a", "b"))
    lines = tmp_path / "lines.txt"
    lines.write_text("a\tb\n")
    done = recurra("predict", siamese.run.path, lines, "--alignment-pictures", tmp_path / "p")
    assert "alignment_pictures: the model does not align words" in str(done.exception)
    with pytest.raises(ConfigError, match="a text has no words"):
        scores.alignment(("a cat", " "))
    assert scores.alignment(("a cat", "the cat")).label is None


def test_a_damaged_baseline_is_named(tmp_path):
    rc.PairClassifier.train(pairs(20), out=tmp_path / "run", **SMALL)
    (tmp_path / "run" / "baselines.json").write_text('{"features": {}, "models": []}')
    from recurra.tasks.labelling.pairs import load_pair_symbols

    with pytest.raises(VocabularyError, match=r"baselines\.json: is damaged"):
        load_pair_symbols(tmp_path / "run")


def test_an_aligned_model_starts_from_runs_of_pairs_of_texts_and_of_language_models(aligned, tmp_path):
    first = write(tmp_path / "first.jsonl", pairs(30, seed=4))
    options = SMALL | {"max_steps": 1, "learning_rate": 1e-9}
    again = rc.PairClassifier.train(first, out=tmp_path / "again", from_run=str(aligned.run.path), **options)
    assert again.config.matching == "aligned"
    assert again.symbols.features == aligned.symbols.features
    before, after = aligned.network.state_dict(), again.network.state_dict()
    assert before.keys() == after.keys()
    assert (after["compared.weight"] - before["compared.weight"]).abs().max() < 1e-6
    rows = [(row["text"], row["label"]) for row in pairs(30)]
    single = rc.Classifier.train(rows, out=tmp_path / "single", from_run=str(aligned.run.path), **options)
    known = before["encoder.encoder.recurrent.weight_hh_l0"]
    assert (
        single.network.state_dict()["pooled.reader.encoder.recurrent.weight_hh_l0"] - known
    ).abs().max() < 1e-6
    text = write(tmp_path / "text.txt", [])
    text.write_text("".join(f"{row['text']}\n" for row in pairs(60)))
    own = {
        "unit": "word",
        "hidden_size": 8,
        "embedding_size": 8,
        "num_layers": 1,
        "epochs": 1,
        "batch_size": 2,
    }
    rc.LanguageModel.train(text, out=tmp_path / "lm", segment_length=10, threads=1, **own)
    found = rc.PairClassifier.train(
        first, out=tmp_path / "from-lm", from_run=str(tmp_path / "lm"), matching="aligned", **options
    )
    weights = rc.load(tmp_path / "lm").network.state_dict()["recurrent.weight_hh_l0"]
    taken = found.network.state_dict()["encoder.encoder.recurrent.weight_hh_l0"]
    assert (taken - weights).abs().max() < 1e-6


def test_labels_do_not_start_from_scores(scores, tmp_path):
    with pytest.raises(ConfigError, match=r"score_column: .* predicts scores; name a run of the same kind"):
        rc.PairClassifier.train(pairs(), out=tmp_path / "run", from_run=str(scores.run.path), **SMALL)
