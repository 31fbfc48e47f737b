"""Options of word vectors: conditions, effects and defaults."""

from pathlib import Path

import pytest
from vector_runs import GLOVE, SMALL, TOPICS, lines_of, recurra, same, write

import recurra as rc
from recurra.config import build_config
from recurra.errors import ConfigError
from recurra.runs import RunFolder
from recurra.tasks.vectors.config import VectorsConfig


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("text") / "text.txt", lines_of(1200))


@pytest.fixture(scope="module")
def trained(text, tmp_path_factory):
    """Skip-gram with negative sampling; tests must not change it."""
    run = tmp_path_factory.mktemp("run") / "run"
    return rc.WordVectors.train(text, out=run, **SMALL)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"batch_size": 8}, "batch_size: applies only with objective softmax"),
        ({"device": "cpu"}, "device: applies only with objective softmax"),
        ({"precision": "32"}, "precision: applies only with objective softmax"),
        ({"optimizer": "adam"}, "optimizer: applies only with objective softmax"),
        ({"context": "previous-word", "window": 2}, "window: applies only with context other than previous"),
        ({"objective": "glove", "context": "cbow"}, "context: applies only with objective"),
        ({"objective": "glove", "subsample": 0.1}, "subsample: applies only with objective"),
        ({"objective": "glove", "chunk_size": 100}, "chunk_size: applies only with objective"),
        (
            {"objective": "glove", "min_learning_rate": 0.01},
            "min_learning_rate: does not apply to the constant",
        ),
        (
            {"objective": "softmax", "negatives": 3},
            "negatives: applies only with objective negative-sampling",
        ),
        (
            {"objective": "hierarchical-softmax", "vectors": "mean"},
            "vectors: applies only with objective other",
        ),
        ({"context": "previous-concatenated", "vectors": "mean"}, "vectors: applies only with context other"),
        ({"subwords": True, "vectors": "sum"}, "vectors: applies only"),
        ({"buckets": 10}, "buckets: applies only with subwords"),
        ({"x_max": 3}, "x_max: applies only with objective glove"),
        ({"counting_memory_mb": 3}, "counting_memory_mb: applies only with objective glove"),
        ({"phrase_threshold": 3}, "phrase_threshold: applies only with phrase_passes above 0"),
        ({"whole_error": False}, "whole_error: applies only with context cbow"),
        ({"reproducible": True, "threads": 1}, "reproducible: applies only with threads other than 1"),
        ({"subwords": True, "min_ngram": 4, "max_ngram": 3}, "min_ngram: got 4, expected at most max_ngram"),
        (
            {"context": "previous-concatenated", "embedding_size": 10},
            "embedding_size: got 10, expected a mult",
        ),
        (
            {"context": "previous-concatenated", "subwords": True},
            "subwords: cannot be combined with context prev",
        ),
        ({"keep_best": "loss"}, "keep_best"),
        (
            {"learning_rate": 1e-3, "min_learning_rate": 1e-2},
            "^min_learning_rate: got 0.01, expected at most learning_rate, 0.001\\.$",
        ),
        ({"objective": "softmax", "min_learning_rate": 0.02}, "at most learning_rate, 0.01\\."),
    ],
)
def test_options_without_a_use_are_refused_before_any_data_is_read(tmp_path, options, fault):
    with pytest.raises(ConfigError, match=fault):
        rc.WordVectors.train(tmp_path / "none.txt", out=tmp_path / "run", **options)


DEFAULTS = [
    ({}, {"window": 5, "embedding_size": 100, "epochs": 5, "schedule": "linear", "learning_rate": 0.025}),
    ({"context": "previous-average"}, {"window": 4, "embedding_size": 100}),
    ({"context": "previous-concatenated"}, {"window": 4, "embedding_size": 96}),
    ({"context": "previous-concatenated", "objective": "softmax"}, {"window": 4, "embedding_size": 100}),
    ({"context": "previous-word"}, {"window": 1}),
    ({"objective": "softmax"}, {"window": 5, "learning_rate": 0.01, "schedule": "linear"}),
    (
        {"objective": "glove"},
        {"window": 10, "epochs": 25, "schedule": "constant", "learning_rate": 0.05, "embedding_size": 100},
    ),
    # The defaults of other objectives and contexts, if they are given, are kept.
    ({"objective": "glove", "window": 5, "epochs": 5, "schedule": "linear"}, {"window": 5, "epochs": 5}),
    ({"context": "previous-average", "window": 5}, {"window": 5}),
    # The lowest rate is a share of the first one, as in word2vec.
    ({"learning_rate": 1e-5}, {"min_learning_rate": 1e-9}),
    ({"objective": "softmax"}, {"min_learning_rate": 1e-6}),
    ({"min_learning_rate": 0}, {"min_learning_rate": 0}),
]


@pytest.mark.parametrize(("options", "expected"), DEFAULTS)
def test_defaults_depend_on_the_objective_and_the_context(options, expected):
    config = VectorsConfig.build(options={"data": "text.txt"} | options).resolved()
    assert {name: getattr(config, name) for name in expected} == pytest.approx(expected)
    stored = build_config(VectorsConfig, known=config.model_dump())  # as a run stores them
    assert stored.resolved() == config
    assert set(config.chosen()) <= {"data", *options}


def test_a_low_learning_rate_falls(tmp_path):
    options = SMALL | {"learning_rate": 1e-5, "log_every": 1, "epochs": 2}
    model = rc.WordVectors.train(lines_of(60), out=tmp_path / "run", **options)
    rates = [one["learning_rate"] for one in model.run.read_metrics() if one["kind"] == "training"]
    assert rates[0] == pytest.approx(1e-5)
    assert rates == sorted(rates, reverse=True)
    assert len(rates) > 1


EFFECTS = {
    "window": 2,
    "shrink_window": False,
    "negatives": 2,
    "negative_exponent": 0.0,
    "subsample": 0.01,
    "learning_rate": 0.1,
    "min_learning_rate": 0.01,
    "schedule": "constant",
    "warmup_steps": 3,
    "seed": 2,
    "chunk_size": 500,
    "epochs": 1,
    "max_steps": 2,
    "validation_fraction": 0.2,
    "test_fraction": 0.2,
}


@pytest.mark.needs_native
@pytest.mark.parametrize("name", EFFECTS)
def test_every_option_has_an_effect(text, trained, tmp_path, name):
    rc.WordVectors.train(text, out=tmp_path / "run", **SMALL | {name: EFFECTS[name]})
    assert not same(trained.run.path, tmp_path / "run")


@pytest.mark.needs_native
@pytest.mark.parametrize("option", [{"x_max": 3.0}, {"alpha": 0.5}, {"window": 2}, {"learning_rate": 0.01}])
def test_every_option_of_glove_has_an_effect(tmp_path, option):
    lines = lines_of(60)[:12] * 2 + lines_of(100, seed=3, topics=[[f"w{n}" for n in range(300)]])
    rc.WordVectors.train(lines, out=tmp_path / "a", epochs=1, **GLOVE)
    rc.WordVectors.train(lines, out=tmp_path / "b", epochs=1, **GLOVE | option)
    assert not same(tmp_path / "a", tmp_path / "b")


def test_patience_more_epochs_and_seeds(tmp_path):
    text = write(tmp_path / "text.txt", lines_of(100))
    small = SMALL | {"epochs": 1}
    rc.WordVectors.train(text, out=tmp_path / "run", **small)
    done = recurra("train", "--resume", tmp_path / "run", "--epochs", 3)
    assert done.exit_code == 0, done.output
    assert RunFolder(tmp_path / "run").read_metrics()[-1]["epoch"] == 3
    several = rc.WordVectors.train(text, out=tmp_path / "seeds", seeds=2, **small)
    assert len(several) == 2
    assert "word_loss" in several.figures


def test_patience_stops_a_training_that_makes_the_held_out_loss_worse(tmp_path):
    text = write(tmp_path / "text.txt", lines_of(100))
    worse = SMALL | {"epochs": 30, "patience": 2, "learning_rate": 0.2, "valid": words_apart(tmp_path)}
    rc.WordVectors.train(text, out=tmp_path / "run", **worse)
    assert RunFolder(tmp_path / "run").read_metrics()[-1]["epoch"] < 30


def words_apart(folder: Path) -> Path:
    """Write a text of the same words, in which other words are near each other."""
    return write(folder / "apart.txt", lines_of(20, seed=3, topics=list(zip(*TOPICS, strict=True))))


def test_the_last_vectors_are_kept_or_the_best(tmp_path):
    """The text to validate on is of other words that are near each other only by chance."""
    text = write(tmp_path / "text.txt", lines_of(100))
    options = SMALL | {"epochs": 6, "learning_rate": 0.2, "valid": words_apart(tmp_path)}
    last = rc.WordVectors.train(text, out=tmp_path / "last", **options)
    best = rc.WordVectors.train(text, out=tmp_path / "best", keep="best", **options)
    losses = [one["loss"] for one in last.run.read_metrics() if one["kind"] == "validation"]
    assert min(losses) < losses[-1]
    assert last.evaluate().loss == pytest.approx(losses[-1])
    assert best.evaluate().loss == pytest.approx(min(losses))
    assert last.run.read_metrics()[-1]["step"] == 6
