"""Word vectors as a whole: what they learn, equal bits, and what the verbs show of them."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from vector_runs import GLOVE, SMALL, SOFTMAX, lines_of, recurra, same, write

import recurra as rc
from recurra.cli.main import main
from recurra.errors import Interrupted, RecurraError
from recurra.training import Listener


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("text") / "text.txt", lines_of(1200))


@pytest.fixture(scope="module")
def trained(text, tmp_path_factory):
    """Skip-gram with negative sampling; tests must not change it."""
    run = tmp_path_factory.mktemp("run") / "run"
    return rc.WordVectors.train(text, out=run, **SMALL)


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
