"""Word vectors as a whole: what they learn, equal bits, going on with more text, files as they come."""

import gzip
import json
import os
import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import recurra as rc
from recurra.cli.main import app, main
from recurra.errors import ConfigError, DataError, Interrupted, RecurraError, VocabularyError
from recurra.runs import RunFolder
from recurra.training import Listener

TOPICS = [[f"{topic}{number}" for number in range(6)] for topic in ("ship", "bird", "king", "corn")]
SMALL = {"min_count": 1, "embedding_size": 16, "threads": 1, "subsample": 0, "log_every": 5}
GLOVE = {"objective": "glove", "min_count": 1, "embedding_size": 16, "threads": 1}
SOFTMAX = SMALL | {"objective": "softmax", "epochs": 2, "learning_rate": 0.02, "device": "cpu"}


def lines_of(count, *, seed=1, topics=TOPICS):
    drawn = random.Random(seed)
    return [" ".join(drawn.choices(drawn.choice(topics), k=8)) for _ in range(count)]


def write(path: Path, lines) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("text") / "text.txt", lines_of(1200))


@pytest.fixture(scope="module")
def trained(text, tmp_path_factory):
    """Skip-gram with negative sampling; tests must not change it."""
    run = tmp_path_factory.mktemp("run") / "run"
    return rc.WordVectors.train(text, out=run, **SMALL)


def recurra(*arguments, input=None):
    return CliRunner().invoke(app, [str(one) for one in arguments], input=input, catch_exceptions=False)


def same(run, other):
    weights, others = RunFolder(Path(run)).read_weights(), RunFolder(Path(other)).read_weights()
    assert weights.keys() == others.keys()
    return all(torch.equal(weights[name], others[name]) for name in weights)


LEARNERS = {
    "skip-gram": SMALL,
    "tree": SMALL | {"objective": "hierarchical-softmax", "learning_rate": 0.1},
    "cbow": SMALL | {"context": "cbow"},
    "average": SMALL | {"context": "previous-average", "epochs": 10},
    "concatenated": SMALL | {"context": "previous-concatenated", "window": 2, "epochs": 15},
    "previous": SMALL | {"context": "previous-word", "epochs": 15},
    "nearby": SMALL | {"context": "nearby-word", "epochs": 15},
    "subwords": SMALL | {"subwords": True, "buckets": 500},
    "softmax": SOFTMAX,
    "glove": GLOVE | {"epochs": 10},
    "output": SMALL | {"vectors": "output"},
    "mean": GLOVE | {"vectors": "mean", "epochs": 10},
}


@pytest.mark.needs_native
@pytest.mark.parametrize("name", LEARNERS)
def test_words_of_a_topic_are_near_and_likely(text, tmp_path, name):
    """A word is one of six if the topic is known, and one of 24 if not: log 6 = 1.79, log 24 = 3.18."""
    model = rc.WordVectors.train(text, out=tmp_path / "run", **LEARNERS[name])
    found = model.evaluate()
    assert found.unigram_loss == pytest.approx(3.18, abs=0.06)
    assert 1.75 < found.word_loss < (2.6 if name in ("glove", "mean") else 2.3)
    if name != "subwords":  # there all words that begin alike are near from the start
        assert all(word.startswith("bird") for word, _ in model.most_similar("bird0", topn=5))
    if name == "softmax":
        assert found.loss == pytest.approx(found.word_loss, abs=0.05)


def test_training_loss_is_the_mean_per_prediction(trained):
    records = trained.run.read_metrics()
    losses = [one["loss"] for one in records if one["kind"] == "training"]
    assert 1 < losses[-1] < losses[0] < 6 * np.log(2)  # that of six labels that nothing is known about
    final = next(one for one in records if one["kind"] == "final")
    assert final["loss"] == pytest.approx(losses[-1], abs=0.1)


class Stop(Listener):
    def on_step(self, report):
        if report.step == 4:
            os.kill(os.getpid(), signal.SIGINT)


MODES = {
    "one thread": SMALL,
    "reproducible": SMALL | {"threads": 2, "reproducible": True},
    "subwords": SMALL | {"subwords": True, "buckets": 500, "context": "cbow"},
    "glove": GLOVE | {"threads": 2, "epochs": 2},
    "softmax": SOFTMAX,
}


@pytest.mark.needs_native
@pytest.mark.parametrize("name", MODES)
def test_a_stopped_run_ends_with_the_bits_of_one_that_was_not(text, tmp_path, name):
    rc.WordVectors.train(text, out=tmp_path / "whole", **MODES[name])
    with pytest.raises(Interrupted):
        rc.WordVectors.train(text, out=tmp_path / "stopped", listeners=[Stop()], **MODES[name])
    rc.WordVectors.resume(tmp_path / "stopped")
    assert same(tmp_path / "whole", tmp_path / "stopped")


KILLED = """
import os, signal
import recurra as rc
from recurra.training import Listener
class Kill(Listener):
    def on_step(self, report):
        if report.step == 7:
            os.kill(os.getpid(), signal.SIGKILL)
rc.WordVectors.train({text!r}, out={run!r}, listeners=[Kill()], checkpoint_every_s=1e-9, **{options!r})
"""


@pytest.mark.slow
@pytest.mark.needs_native
@pytest.mark.parametrize("name", MODES)
def test_a_killed_run_ends_with_the_bits_of_one_that_was_not(text, tmp_path, name):
    options, run = MODES[name] | {"epochs": 8}, tmp_path / "killed"
    rc.WordVectors.train(text, out=tmp_path / "whole", **options)
    code = KILLED.format(text=str(text), run=str(run), options=options)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    rc.WordVectors.resume(run)
    assert same(tmp_path / "whole", run)


@pytest.mark.needs_native
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--threads", 1], "1 thread: the same seed gives the same vectors"),
        (["--threads", 2], "2 threads, fast: .* slightly different vectors"),
        (["--threads", 2, "--reproducible"], "2 threads, reproducible: .* copies .* merged"),
        (["--threads", 2, "--objective", "glove"], "the same vectors with any number of threads"),
    ],
)
def test_the_run_says_how_far_it_can_be_repeated(text, tmp_path, options, sentence):
    done = recurra("train", "vectors", "--data", text, "-o", tmp_path / "run", "--max-steps", 1, *options)
    assert re.search(sentence, " ".join(done.output.split()))


# Going on


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


# Files as they come


def counts_of(tmp_path, content: bytes, name="odd.txt", **options):
    (tmp_path / name).write_bytes(content)
    how = {"min_count": 1, "embedding_size": 4, "epochs": 1, "threads": 1, "max_steps": 1} | options
    model = rc.WordVectors.train(tmp_path / name, out=tmp_path / f"{name}-run", overwrite=True, **how)
    return model.counts


def test_a_text_is_read_in_the_forms_that_it_comes_in(tmp_path):
    plain = ("a b c\n\nd e a\n" * 40).encode()
    expected = counts_of(tmp_path, plain)
    assert expected["a"] in range(76, 81)
    assert counts_of(tmp_path, plain.replace(b"\n", b"\r\n")) == expected
    assert counts_of(tmp_path, b"\xef\xbb\xbf" + plain) == expected
    assert counts_of(tmp_path, gzip.compress(plain), "odd.txt.gz") == expected
    for content, fault in ((b"a b\n\xff\n" * 40, ":2: is not UTF-8"), (b"a b\0\n" * 40, "looks binary")):
        with pytest.raises(DataError, match=fault):
            counts_of(tmp_path, content)


def test_long_lines_are_cut_not_dropped(tmp_path):
    content = ("a b c d\n" * 50).encode()
    assert counts_of(tmp_path, content, max_sentence_length=2) == counts_of(tmp_path, content)
    model = rc.load(tmp_path / "odd.txt-run")
    cut = rc.WordVectors.train(
        tmp_path / "odd.txt", out=tmp_path / "cut", objective="glove", window=1, max_sentence_length=2,
        min_count=1, embedding_size=4, epochs=1, validation_fraction=0.1,
    )  # fmt: skip
    assert model.counts.keys() == cut.counts.keys()
    sentences = cut.held_out().words
    assert set(np.diff(sentences.starts).tolist()) == {2}
    pairs = {tuple(sentences.tokens[a : a + 2]) for a in sentences.starts[:-1]}
    b, c = cut.get_index("b"), cut.get_index("c")
    assert (b, c) not in pairs


@pytest.mark.parametrize(
    ("content", "options", "fault"),
    [
        (b"a a a a\n" * 40, {}, "one word only"),
        (b"a b c d\n" * 40, {"min_count": 100}, "no word that occurs 100 times; lower --min-count"),
        (b"one\ntwo\n" * 40, {}, "no line with enough known words for a prediction in its first part"),
        (
            b"a b\n" * 98 + b"a\nb\n" * 2,
            {},
            "no line with enough known words for a prediction in its last part",
        ),
        (
            b"a b c\n" * 40,
            {"objective": "softmax", "context": "previous-concatenated"},
            "no line with enough known words",
        ),
        (b"a b", {}, "cannot be split between lines or words"),
        (b"", {}, "is empty"),
    ],
)
def test_texts_that_nothing_can_be_learnt_from(tmp_path, content, options, fault):
    with pytest.raises((DataError, VocabularyError), match=fault):
        counts_of(tmp_path, content, **options)


def test_a_text_of_one_line(tmp_path):
    words = " ".join(lines_of(400)).split()
    counts = counts_of(tmp_path, " ".join(words).encode(), subsample=0)
    assert sum(counts.values()) in range(3100, 3150)  # 2 % of 3,200 words are held out, at a blank
    assert set(counts) == set(words)


def test_the_largest_vocabulary(tmp_path):
    counts = counts_of(tmp_path, ("a a a b b b b c d\n" * 40).encode(), max_vocabulary_size=2)
    assert list(counts) == ["b", "a"]


def test_lines_in_memory_and_data_moved_away(tmp_path):
    lines = lines_of(60)
    model = rc.WordVectors.train(lines, out=tmp_path / "run", epochs=1, **SMALL | {"valid": lines[:20]})
    write(tmp_path / "file.txt", lines)
    write(tmp_path / "valid.txt", lines[:20])
    options = SMALL | {"epochs": 1, "valid": tmp_path / "valid.txt"}
    rc.WordVectors.train(tmp_path / "file.txt", out=tmp_path / "other", **options)
    assert same(tmp_path / "run", tmp_path / "other")
    (tmp_path / "valid.txt").rename(tmp_path / "moved.txt")
    moved = rc.load(tmp_path / "other")
    assert moved.most_similar("bird0") == model.most_similar("bird0")
    with pytest.raises(DataError, match=r"valid\.txt"):
        moved.evaluate()
    assert moved.evaluate(tmp_path / "moved.txt").word_loss == model.evaluate().word_loss


# Options


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
    ],
)
def test_options_without_a_use_are_refused_before_any_data_is_read(tmp_path, options, fault):
    with pytest.raises(ConfigError, match=fault):
        rc.WordVectors.train(tmp_path / "none.txt", out=tmp_path / "run", **options)


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
    still = small | {"epochs": 9, "patience": 2, "learning_rate": 1e-9, "min_learning_rate": 0}
    rc.WordVectors.train(text, out=tmp_path / "still", **still)
    assert RunFolder(tmp_path / "still").read_metrics()[-1]["epoch"] < 9


def test_the_last_vectors_are_kept_or_the_best(tmp_path):
    """The text to validate on is of other words that are near each other only by chance."""
    text = write(tmp_path / "text.txt", lines_of(100))
    apart = write(tmp_path / "apart.txt", lines_of(20, seed=3, topics=list(zip(*TOPICS, strict=True))))
    options = SMALL | {"epochs": 6, "learning_rate": 0.2, "valid": apart}
    last = rc.WordVectors.train(text, out=tmp_path / "last", **options)
    best = rc.WordVectors.train(text, out=tmp_path / "best", keep="best", **options)
    losses = [one["loss"] for one in last.run.read_metrics() if one["kind"] == "validation"]
    assert min(losses) < losses[-1]
    assert last.evaluate().loss == pytest.approx(losses[-1])
    assert best.evaluate().loss == pytest.approx(min(losses))
    assert last.run.read_metrics()[-1]["step"] == 6


# Verbs


def test_tests_by_analogies_and_similarity(trained, tmp_path):
    (tmp_path / "questions.txt").write_text(
        ": places\nship0 ship1 bird0 bird1\nship0 ship1 bird0 none\n: gram1\nking0 king1 corn0 corn1\n"
    )
    (tmp_path / "a.txt").write_text("ship0 ship1 9\nship0 bird1 2\nking0 king3 8\nking0 none 5\n")
    (tmp_path / "b.txt").write_text("ship0 ship1 1\nship0 bird1 2\n")
    files = ["--analogies", tmp_path / "questions.txt"]
    files += ["--similarity", tmp_path / "a.txt", "--similarity", tmp_path / "b.txt"]
    done = recurra("evaluate", trained.run.path, *files)
    assert done.exit_code == 0, done.output
    for sentence in ("places", "semantic", "syntactic", "total", "1 of 2 questions asked", "mean of 2 lists"):
        assert sentence in done.stdout
    assert "a.txt: Spearman 1.0000, 3 of 4 pairs (25.0% unknown)" in done.stdout.replace("0.5000", "1.0000")
    assert "nats" not in done.stdout
    found = json.loads(recurra("evaluate", trained.run.path, *files, "--json").stdout)
    assert [one["name"] for one in found["analogies"][0]["totals"]] == ["semantic", "syntactic", "total"]
    assert found["analogies"][0]["totals"][2]["questions"] == 3
    assert found["similarity"][1]["spearman"] == pytest.approx(-1)
    results = trained.word_tests(similarity=[tmp_path / "a.txt", tmp_path / "b.txt"], restrict_vocab=24)
    assert results.mean_spearman == pytest.approx(found["mean_spearman"])
    assert results.mean_with_unknown == pytest.approx(found["mean_spearman_with_unknown"])
    both = recurra("evaluate", trained.run.path, *files, "--pairs", 50)
    assert "50 pairs; by frequency alone" in both.stdout
    (tmp_path / "bad.txt").write_text("ship0 ship1\n")
    with pytest.raises(RecurraError, match=r"bad\.txt:1: "):
        trained.word_tests(similarity=[tmp_path / "bad.txt"])


def test_a_list_without_known_pairs_is_not_defined_and_others_are(trained, tmp_path):
    (tmp_path / "near.txt").write_text("ship0 ship1 9\nship0 bird1 2\nking0 none 5\n")
    (tmp_path / "far.txt").write_text("x y 1\nz w 2\nship0 ship1 4\n")
    (tmp_path / "empty.txt").write_text("# no pairs\n")
    (tmp_path / "questions.txt").write_text(": places\nship0 ship1 bird0 bird1\n")
    lists = [tmp_path / "far.txt", tmp_path / "near.txt", tmp_path / "empty.txt"]
    done = recurra("evaluate", trained.run.path, *(part for each in lists for part in ("--similarity", each)))
    assert done.exit_code == 0, done.output
    told = " ".join(done.stdout.split())
    assert "far.txt: Spearman not defined, 1 of 3 pairs (66.7% unknown)" in told
    assert "near.txt: Spearman 1.0000, 2 of 3 pairs" in told
    assert "empty.txt: Spearman not defined, 0 of 0 pairs" in told
    assert "mean of 1 of 3 lists: Spearman 1.0000" in told
    found = trained.word_tests(similarity=lists)
    assert found.mean_spearman == pytest.approx(1)
    assert found.mean_with_unknown == found.similarity[1].found.with_unknown
    arguments = ["evaluate", trained.run.path, "--similarity", lists[0]]
    answered = recurra(*arguments, "--analogies", tmp_path / "questions.txt", "--json")
    values = json.loads(answered.stdout)
    assert values["analogies"][0]["totals"][0]["questions"] == 1
    assert values["similarity"][0]["spearman"] is values["mean_spearman"] is None
    what = r"far\.txt: fewer than two pairs have two known words; give a file with words of the vocabulary\."
    with pytest.raises(RecurraError, match=what):
        trained.word_tests(similarity=[lists[0], lists[2]])


def test_neighbours_of_lines(trained, tmp_path):
    done = recurra("predict", trained.run.path, "-", "--n-best", 3, input="bird0\nnone\n\nbird1 none bird2\n")
    assert done.exit_code == 0, done.output
    lines = done.stdout.split("\n")
    assert [len(line.split()) for line in lines[:4]] == [3, 0, 0, 3]
    assert "2 words left out: not in the vocabulary" in done.stderr
    each = recurra("predict", trained.run.path, "-", "--json", input="bird0\n").stdout
    assert json.loads(each)["nearest"][0]["word"].startswith("bird")


def test_unknown_words_have_subwords(tmp_path):
    options = SMALL | {"subwords": True, "buckets": 500, "epochs": 1}
    model = rc.WordVectors.train(lines_of(60), out=tmp_path / "run", **options)
    assert "birdhouse" in model
    assert model["birdhouse"].shape == (16,)
    done = recurra("predict", tmp_path / "run", "-", "--n-best", 2, input="birdhouse\n")
    assert len(done.stdout.split()) == 2, done.output


@pytest.mark.parametrize("verb", ["sample", "score", "complete", "calibrate", "chat", "translate", "export"])
def test_verbs_of_other_models_say_so(trained, tmp_path, verb, monkeypatch, capsys):
    more = {"export": ["--out", str(tmp_path / "a")], "complete": ["a"]}.get(verb, [])
    monkeypatch.setattr(sys, "argv", ["recurra", verb, str(trained.run.path), *more])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "is a run of task 'vectors'" in " ".join(capsys.readouterr().err.split())


def test_the_page_shows_neighbours(trained):
    assert isinstance(rc.load(trained.run.path), rc.WordVectors)
    page = trained.page()
    assert page.tables[0].title == "Nearest words, with their cosines"
    assert len(page.tables[0].rows) > 5
    assert "validation word loss" in {name.lower() for name in page.figures}
    html = trained.report().read_text()
    assert "bird0" in html
    assert "Nearest words" in html
