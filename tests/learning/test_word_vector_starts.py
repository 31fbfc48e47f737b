"""Word vectors that start from those of another run: more text, new words, and phrases."""

import json

import numpy as np
import pytest
import torch
from vector_runs import SMALL, lines_of, recurra, write

import recurra as rc
from recurra.errors import ConfigError


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Skip-gram with negative sampling; tests must not change it."""
    run = tmp_path_factory.mktemp("run") / "run"
    return rc.WordVectors.train(lines_of(40), out=run, **SMALL | {"epochs": 1})


MORE = [["ship0", "whale", "bird0"], ["king1", "whale", "bird0"]] * 20
FROZEN = {"learning_rate": 1e-9, "max_steps": 1, "validation_fraction": 0.1}


def gone_on(run, tmp_path, **options):
    more = write(tmp_path / "more.txt", [" ".join(line) for line in MORE])
    start = {"from_run": run, "min_count": 1, "threads": 1}
    return rc.WordVectors.train(more, out=tmp_path / "more", overwrite=True, **start | FROZEN | options)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"subwords": True, "buckets": 300},
        {"objective": "glove"},
        {"objective": "softmax", "device": "cpu", "threads": 1},
        {"objective": "hierarchical-softmax"},
        {"context": "previous-concatenated", "window": 2},
    ],
)
def test_more_text_and_new_words(tmp_path, options):
    small = {"min_count": 1, "embedding_size": 16, "threads": 1, "epochs": 1}
    first = rc.WordVectors.train(lines_of(40), out=tmp_path / "first", **small | options)
    model = gone_on(tmp_path / "first", tmp_path)
    assert set(model.index_to_key) == {*first.index_to_key, "whale"}
    before, after = first.counts, model.counts
    assert after["ship0"] == before["ship0"] + 19  # the last three lines are held out
    assert after["whale"] == 37
    assert list(after.values()) == sorted(after.values(), reverse=True)
    old = first.index_to_key
    assert np.allclose(model[old], first[old], atol=1e-5)
    for name in {"output", "input_bias", "output_bias"} & dict(first.network.named_parameters()).keys():
        if name != "output" or options.get("objective") != "hierarchical-softmax":
            mine, theirs = (getattr(one.network, name).data for one in (model, first))
            assert torch.allclose(mine[[model.get_index(w) for w in old]], theirs[: len(old)], atol=1e-5)
    if "subwords" in options:
        assert torch.allclose(model.network.input[-300:], first.network.input[-300:], atol=1e-5)


def test_a_tree_begins_afresh_and_says_so(tmp_path):
    small = {"min_count": 1, "embedding_size": 8, "threads": 1, "epochs": 1}
    rc.WordVectors.train(lines_of(40), out=tmp_path / "run", objective="hierarchical-softmax", **small)
    more = write(tmp_path / "more.txt", lines_of(40, seed=2))
    done = recurra("train", "vectors", "--data", more, "--from", tmp_path / "run", "-o", tmp_path / "more")
    assert done.exit_code == 0, done.output
    assert "fresh: vectors of the tree's inner nodes" in " ".join(done.output.split())


def test_known_words_only_and_a_largest_vocabulary(tmp_path):
    small = {"min_count": 1, "embedding_size": 8, "threads": 1, "epochs": 1}
    first = rc.WordVectors.train(lines_of(40), out=tmp_path / "run", **small)
    more = write(tmp_path / "more.txt", [" ".join(line) for line in MORE])
    start = {"from_run": tmp_path / "run", "threads": 1} | FROZEN
    known = rc.WordVectors.train(more, out=tmp_path / "a", new_words="unknown", **start)
    assert set(known.index_to_key) == set(first.index_to_key)  # although no word occurs five times
    with pytest.raises(ConfigError, match=r"max_vocabulary_size: got 10, but .* has 24 words"):
        rc.WordVectors.train(more, out=tmp_path / "b", max_vocabulary_size=10, **start)
    full = rc.WordVectors.train(more, out=tmp_path / "c", max_vocabulary_size=24, min_count=1, **start)
    assert "whale" not in full


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("embedding_size", 12),
        ("context", "cbow"),
        ("objective", "glove"),
        ("lowercase", True),
        ("subwords", True),
    ],
)
def test_another_architecture_is_refused(trained, tmp_path, option, value):
    with pytest.raises(ConfigError, match=f"{option}: got {value}, but .* has"):
        gone_on(trained.run.path, tmp_path, **{option: value})


SOURCES = {
    "sampling": (
        {"context": "cbow", "window": 3, "shrink_window": False, "negatives": 2, "negative_exponent": 0.5}
        | {"subsample": 0.1, "whole_error": False, "vectors": "sum"},
        {"negatives": 3},
    ),
    # Also values that are defaults of other objectives are taken.
    "glove": (
        {"objective": "glove", "window": 5, "x_max": 3.0, "alpha": 0.5, "vectors": "input"},
        {"x_max": 30.0},
    ),
    "concatenated": (
        {"context": "previous-concatenated", "window": 2, "embedding_size": 16},
        {"negatives": 3},
    ),
}


@pytest.mark.parametrize("name", SOURCES)
def test_options_of_training_are_those_of_the_source_unless_given(tmp_path, name):
    """Options with a condition need no repetition of the objective that they apply with."""
    options, other = SOURCES[name]
    small = {"min_count": 1, "threads": 1, "max_steps": 1, "embedding_size": 8}
    rc.WordVectors.train(lines_of(40), out=tmp_path / "first", **small | options)
    model = gone_on(tmp_path / "first", tmp_path, **other)
    expected = options | other
    assert {option: getattr(model.config, option) for option in expected} == expected
    again = gone_on(tmp_path / "first", tmp_path)
    assert {option: getattr(again.config, option) for option in options} == options


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (
            {"x_max": 3.0},
            "^x_max: applies only with objective glove; set objective to glove, or remove x_max",
        ),
        ({"min_learning_rate": 0.1}, "^min_learning_rate: got 0.1, expected at most learning_rate, 1e-09"),
        ({"chunk_size": 100, "batch_size": 4}, "^batch_size: applies only with objective softmax[^:]*$"),
    ],
)
def test_options_that_do_not_apply_with_those_of_the_source_are_refused(trained, tmp_path, options, fault):
    with pytest.raises(ConfigError, match=fault):
        gone_on(trained.run.path, tmp_path, **options)
    assert not (tmp_path / "more").exists()


# Phrases

CITY = [f"{line} new york {line[::-1]}" for line in lines_of(60)] + ["new ideas york"] * 3


def test_phrases_are_found_and_joined_everywhere(tmp_path):
    how = {"phrase_passes": 2, "phrase_threshold": 10.0, "phrase_min_count": 3, "min_count": 1, "threads": 1}
    city = write(tmp_path / "city.txt", CITY)
    model = rc.WordVectors.train(city, out=tmp_path / "run", epochs=1, validation_fraction=0.1, **how)
    assert model.counts["new_york"] == 55
    assert "york" not in model  # stands alone only in the last lines, which are held out
    assert model.get_index("new_york") in np.asarray(model.held_out().words.tokens)
    done = recurra("predict", tmp_path / "run", "-", "--json", input="new york\n")
    asked = json.loads(done.stdout)
    assert [one["word"] for one in asked["nearest"]] == [w for w, _ in model.most_similar("new_york")]
    more = gone_on(tmp_path / "run", tmp_path)
    assert more.symbols.reading == model.symbols.reading
    with pytest.raises(ConfigError, match="phrase_passes: applies only to new runs"):
        gone_on(tmp_path / "run", tmp_path, phrase_passes=1)
