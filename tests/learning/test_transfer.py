"""Word vectors of a run, of a file or of a saved folder as the input of other tasks."""

import numpy as np
import pytest
import torch
from typer.testing import CliRunner
from vector_runs import SMALL, TOPICS, lines_of, write

import recurra as rc
from recurra.cli.main import app
from recurra.data.examples import BadRows
from recurra.errors import ConfigError, DataError
from recurra.tasks.labelling.networks import vectors_of
from recurra.tasks.word_sources import open_vectors, source_vectors, vectors_sum

TINY = {"hidden_size": 4, "epochs": 2, "threads": 1}
ROWS = [(" ".join(words[:3]), f"t{number}") for number, words in enumerate(TOPICS)] * 6


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Word vectors with subwords; tests must not change them."""
    folder = tmp_path_factory.mktemp("vectors")
    options = SMALL | {"subwords": True, "buckets": 50, "epochs": 1}
    return rc.WordVectors.train(write(folder / "text.txt", lines_of(200)), out=folder / "run", **options)


def recurra(*arguments):
    return CliRunner().invoke(app, [str(one) for one in arguments])


@pytest.fixture(scope="module")
def sources(trained, tmp_path_factory):
    """The same vectors as a run, as files, and as a folder."""
    folder = tmp_path_factory.mktemp("sources")
    trained.save_vectors(folder / "vectors.npz")
    trained.save_vectors(folder / "saved")
    trained.save_word2vec_format(folder / "vectors.bin", binary=True)
    trained.save_word2vec_format(folder / "vectors.txt")
    return {path.name: path for path in folder.iterdir()} | {"run": trained.run.path}


@pytest.mark.parametrize("name", ["run", "vectors.npz", "saved", "vectors.bin", "vectors.txt"])
def test_the_same_vectors_from_every_kind_of_source(sources, trained, name):
    found = source_vectors(sources[name], [], BadRows(), lambda word, place: place < 4)
    assert found.words == trained.index_to_key[:4]
    np.testing.assert_array_equal(found.vectors, trained.vectors[:4])
    assert len(vectors_sum(sources[name])) == 64


def test_unknown_words_of_the_data_have_the_vectors_of_their_n_grams(trained):
    found = source_vectors(trained.run.path, ["unseen", trained.index_to_key[0]], BadRows(), lambda *_: False)
    assert found.words == ["unseen", trained.index_to_key[0]]
    np.testing.assert_array_equal(found.vectors, trained[["unseen", trained.index_to_key[0]]])


def test_a_classifier_starts_from_the_vectors_of_a_run(trained, tmp_path):
    rows = [*ROWS, ("neverseen word", "t0")] * 2
    options = TINY | {"vectors": str(trained.run.path), "freeze_vectors": True}
    found = rc.Classifier.train(rows, out=tmp_path / "run", **options)
    words, weights = found.symbols.words.words, vectors_of(found.network)
    known = [word for word in trained.index_to_key if word in words]
    ours = weights[[words.ids[word] for word in [*known, "neverseen"]]]
    theirs = torch.from_numpy(trained[[*known, "neverseen"]])
    torch.testing.assert_close(ours / ours.norm(), theirs / theirs.norm())
    again = rc.load(tmp_path / "run")
    assert torch.equal(vectors_of(again.network), weights)


def test_a_run_of_another_task_is_refused_with_the_command_for_its_vectors(tmp_path):
    rc.Classifier.train(ROWS, out=tmp_path / "run", **TINY)
    with pytest.raises(ConfigError, match=r"is a run of the task classify; write its .* vectors from"):
        rc.Classifier.train(ROWS, out=tmp_path / "other", vectors=str(tmp_path / "run"), **TINY)
    assert not (tmp_path / "other").exists()
    with pytest.raises(ConfigError, match="is a run of the task classify"):
        open_vectors(tmp_path / "run")


def test_sources_that_are_not_there_or_have_no_word(trained, tmp_path):
    with pytest.raises(DataError, match="no such file"):
        rc.Classifier.train(ROWS, out=tmp_path / "run", vectors=str(tmp_path / "none"), **TINY)
    with pytest.raises(DataError, match="contains no vectors of the requested words"):
        source_vectors(trained.run.path, [], BadRows(), lambda *_: False)


def test_nearest(trained):
    word = trained.index_to_key[3]
    done = recurra("vectors", "nearest", trained.run.path, word, "--top", 2)
    assert done.exit_code == 0, done.output
    expected = trained.most_similar(word, topn=2)
    assert [line.split()[0] for line in done.output.splitlines()] == [one for one, _ in expected]


LINES = lines_of(40)
OTHER_TASKS = {
    "lm": (rc.LanguageModel, {"unit": "word", "num_layers": 1, "batch_size": 4, "segment_length": 20}),
    "feed-forward": (rc.LanguageModel, {"unit": "word", "model": "feed-forward", "batch_size": 4}),
    "translate": (rc.Translator, {"unit": "word", "validation_rows": 2, "batch_size": 8}),
    "chat": (rc.ChatBot, {"unit": "word", "validation_rows": 2, "batch_size": 8, "vocabulary": "separate"}),
}


def data_of(name):
    return LINES if OTHER_TASKS[name][0] is rc.LanguageModel else [(line, line[:9]) for line in LINES]


def embedding_of(model):
    """The embedding that pretrained vectors fill, and its symbols."""
    if isinstance(model, rc.LanguageModel):
        return model.network.embedding.weight, model.tokenizer.vocabulary
    return model.network.source_embedding.weight, model.symbols.source.vocabulary


@pytest.mark.parametrize("name", OTHER_TASKS)
def test_other_tasks_start_from_vectors_frozen_or_tuned_later(sources, trained, tmp_path, name):
    kind, options = OTHER_TASKS[name]
    options = TINY | options | {"learning_rate": 0.05, "vectors": str(sources["vectors.npz"])}

    def train(folder, **more):
        return kind.train(data_of(name), out=tmp_path / folder, **options | more)

    frozen = train("frozen", freeze_vectors=True)
    weights, vocabulary = embedding_of(frozen)
    words = [word for word in trained.index_to_key if word in vocabulary.ids]
    ours = weights[[vocabulary.ids[word] for word in words]].detach()
    theirs = torch.from_numpy(trained[words])
    torch.testing.assert_close(ours / ours.norm(), theirs / theirs.norm())
    assert rc.load(tmp_path / "frozen").config.embedding_size == trained.vector_size
    kept = {
        epochs: embedding_of(train(f"after{epochs}", tune_after=1, epochs=epochs))[0] for epochs in (1, 2)
    }
    assert torch.equal(kept[1], weights)
    assert not torch.equal(embedding_of(train("tuned", epochs=1))[0], weights)
    facts = frozen.run.read_settings()["data"]["vectors"]
    assert facts["fingerprint"] == vectors_sum(sources["vectors.npz"])


@pytest.mark.parametrize(
    ("name", "options", "fault"),
    [
        ("lm", {"unit": "char"}, "vectors: applies only with unit word"),
        ("lm", {"model": "ngram", "batch_size": None}, "vectors: applies only with model recurrent"),
        ("lm", {"embedding_size": 3}, "embedding_size: got 3, expected 16, the size of the vectors"),
        ("lm", {"freeze_vectors": True, "tune_after": 1}, "tune_after: cannot be combined with freeze"),
        (
            "lm",
            {"freeze_vectors": True, "tie_weights": True},
            "freeze_vectors: applies only without tie_weights",
        ),
        ("translate", {"unit": "subword"}, "vectors: applies only with unit word"),
        (
            "translate",
            {"freeze_vectors": True, "share_vectors": True},
            "freeze_vectors: applies only without share_vectors",
        ),
        ("translate", {"vectors": None, "tune_after": 1}, "tune_after: applies only with vectors"),
    ],
)
def test_options_of_vectors_without_a_use_are_refused(sources, tmp_path, name, options, fault):
    kind, own = OTHER_TASKS[name]
    given = TINY | own | {"vectors": str(sources["vectors.npz"])} | options
    given = {one: value for one, value in given.items() if value is not None}
    if options.get("model") == "ngram":
        given = {one: given[one] for one in ("unit", "vectors", "model")}
    with pytest.raises(ConfigError, match=fault):
        kind.train(data_of(name), out=tmp_path / "run", **given)
    assert not (tmp_path / "run").exists()
