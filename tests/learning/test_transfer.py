"""Word vectors of a run, of a file or of a saved folder as the input of other tasks."""

import os
import shutil
import signal

import numpy as np
import pytest
import torch
from typer.testing import CliRunner
from vector_runs import SMALL, TOPICS, lines_of, write

import recurra as rc
from recurra.cli.main import app
from recurra.data.examples import BadRows
from recurra.errors import ConfigError, DataError, Interrupted
from recurra.runs import RunFolder
from recurra.tasks import registry
from recurra.tasks.driver import resume, train
from recurra.tasks.labelling.networks import vectors_of
from recurra.tasks.word_sources import open_vectors, source_vectors, vectors_sum
from recurra.training import Listener

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
    words, weights = found.symbols.words.words, vectors_of(found.network).weight
    known = [word for word in trained.index_to_key if word in words]
    ours = weights[[words.ids[word] for word in [*known, "neverseen"]]]
    theirs = torch.from_numpy(trained[[*known, "neverseen"]])
    torch.testing.assert_close(ours / ours.norm(), theirs / theirs.norm())
    again = rc.load(tmp_path / "run")
    assert torch.equal(vectors_of(again.network).weight, weights)


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


def rows_of(weights, vocabulary, words):
    return weights[[vocabulary.ids[word] for word in words]].detach()


def assert_one_factor(ours, theirs, initial_deviation):
    """The rows are those of the source times one number, which gives them the initial deviation."""
    factor = initial_deviation / theirs.std()
    torch.testing.assert_close(ours, theirs * factor, rtol=0.2, atol=0)  # the deviation of a sample
    torch.testing.assert_close(ours / ours.norm(), theirs / theirs.norm())


@pytest.mark.parametrize("task", ["translate", "caption"])
def test_the_target_has_vectors_of_its_own(sources, trained, tmp_path, task):
    """The source is in letters that no vector has; only the target's embedding starts from vectors."""
    own = {"unit": "word", "validation_rows": 2, "batch_size": 8, "tie_weights": False}
    options = TINY | own | {"learning_rate": 0.05, "target_vectors": str(sources["run"])}
    if task == "caption":
        pictures = np.random.default_rng(0).normal(size=(len(LINES), 3)).astype(np.float32)
        found = rc.Captioner.train(
            list(pictures), LINES, out=tmp_path / "run", freeze_vectors=True, **options
        )
    else:
        pairs = [(line[:9].upper(), line) for line in LINES]
        options |= {"vocabulary": "separate"}
        found = rc.Translator.train(pairs, out=tmp_path / "run", freeze_vectors=True, **options)
    vocabulary, weights = found.symbols.target.vocabulary, found.network.embedding.weight
    words = [word for word in trained.index_to_key if word in vocabulary.ids]
    assert len(words) == 24
    ours, theirs = rows_of(weights, vocabulary, words), torch.from_numpy(trained[words])
    assert_one_factor(ours, theirs, trained.vector_size**-0.5)
    assert set(found.run.read_settings()["data"]) >= {"target_vectors"}
    later = {"tune_after": 1, "epochs": 2}
    if task == "translate":
        tuned = rc.Translator.train(pairs, out=tmp_path / "later", **options | later)
        assert not torch.equal(tuned.network.embedding.weight, weights)


def test_source_and_target_start_from_vectors_of_one_size(sources, tmp_path):
    (tmp_path / "narrow.txt").write_text("ship0 1 2\nbird0 2 1\n")
    pairs = [(line, line) for line in LINES]
    own = TINY | {"unit": "word", "validation_rows": 2, "vectors": str(sources["run"])}
    with pytest.raises(
        ConfigError, match=r"target_vectors: got vectors of 2 numbers, expected 16, .* of one"
    ):
        rc.Translator.train(pairs, out=tmp_path / "run", target_vectors=str(tmp_path / "narrow.txt"), **own)
    both = rc.Translator.train(pairs, out=tmp_path / "both", target_vectors=str(sources["run"]), **own)
    assert set(both.run.read_settings()["data"]) >= {"vectors", "target_vectors"}


@pytest.mark.parametrize("name", ["lm", "translate"])
def test_the_share_of_words_with_a_vector_is_told_by_every_task(tmp_path, name):
    """Half of the words are in upper case, which the vectors do not have."""
    lines = ["ship0 SHIP1 bird0 BIRD1 owl", "BIRD1 owl ship0 bird0 SHIP1"] * 30
    (tmp_path / "v.txt").write_text("".join(f"{word} 1 2\n" for word in ("ship0", "ship1", "bird0", "bird1")))
    text = tmp_path / "data.txt"
    text.write_text("".join(f"{line}\n" if name == "lm" else f"{line}\t{line}\n" for line in lines))
    options = {"data": text, "vectors": tmp_path / "v.txt", "unit": "word"}
    if name == "translate":
        options["format"] = "tsv"
    task = registry.get(name)
    corpus = task.read(
        task.config.build(options={one: str(each) for one, each in options.items()}).resolved()
    )
    assert [note for note in corpus.vectors.notes if note in list(task.introduce(corpus))] == [
        "vectors: 2 of 5 different words and 40.0% of all words have a vector",
        "vectors: if the text were in lower case, 80.0% of all words would have one",
    ]


class Stop(Listener):
    """Notes the steps with a validation, which ends an epoch; sends SIGINT after `step`."""

    def __init__(self, step=None):
        self.step, self.ends = step, []

    def on_step(self, report):
        if report.step == self.step:
            os.kill(os.getpid(), signal.SIGINT)

    def on_validation(self, record, *, best):
        self.ends.append(record["step"])


RESUMED = {
    "tag": {"hidden_size": 4, "word_dropout": 0.1},
    "lm": {"unit": "word", "num_layers": 1, "segment_length": 20, "tie_weights": True, "hidden_size": 16},
    "translate": {"unit": "word", "validation_rows": 2, "format": "tsv", "hidden_size": 4},
}


@pytest.mark.parametrize("name", RESUMED)
@pytest.mark.parametrize("epoch", [0, 1])
def test_a_run_that_tunes_later_resumes_to_the_same_bits_without_the_vectors(trained, tmp_path, name, epoch):
    """Stopped while the vectors are kept, or after they began to change; their run is gone by then."""
    text, vectors = tmp_path / "data.txt", tmp_path / "vectors"
    of_task = {"tag": lambda line: "".join(f"{word} {word[0]}\n" for word in line.split())}
    of_task |= {"lm": str, "translate": lambda line: f"{line}\t{line[:9]}"}
    text.write_text("".join(f"{of_task[name](line)}\n" for line in LINES))
    shutil.copytree(trained.run.path, vectors)
    options = {"data": text, "vectors": vectors, "batch_size": 4, "threads": 1}
    options |= {"tune_after": 1, "epochs": 2, "learning_rate": 0.05} | RESUMED[name]
    options |= {"format": "conll"} if name == "tag" else {}
    task = registry.get(name)
    config = task.config.build(options=options)
    noted = Stop()
    train(task, config, tmp_path / "whole", listeners=[noted])
    with pytest.raises(Interrupted):
        train(task, config, tmp_path / "stopped", listeners=[Stop(1 + epoch * noted.ends[0])])
    shutil.rmtree(vectors)
    resume(tmp_path / "stopped")
    one, other = (RunFolder(tmp_path / each).read_weights() for each in ("whole", "stopped"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[each], other[each]) for each in one)
