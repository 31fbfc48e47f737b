"""A message names only remedies that the command has which prints it."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import recurra as rc
from recurra.cli.main import app
from recurra.errors import DataError, RecurraError


def refused(*arguments: object) -> str:
    """Run a command in this process and return the sentence of its refusal."""
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert isinstance(result.exception, RecurraError), result.output
    return str(result.exception)


def test_an_error_keeps_the_remedies_of_options_that_there_are():
    error = DataError.advising("f: has no end", "correct it", "skip it with --skip-bad", "see --format")
    assert str(error) == "f: has no end; correct it, or skip it with --skip-bad, or see --format."
    error.keep_ways({"skip_bad"}.__contains__)
    assert str(error) == "f: has no end; correct it, or skip it with --skip-bad."
    error = DataError.advising("f: has no end", "see --format")
    error.keep_ways(lambda name: False)
    assert str(error) == "f: has no end; use a file of the kind that the model was trained on."


@pytest.fixture(scope="module")
def tasks_trained(tmp_path_factory):
    """A folder with runs of a translator, a captioner and a classifier, and their data."""
    folder = tmp_path_factory.mktemp("tasks")
    tiny = {"hidden_size": 4, "max_steps": 1}
    (folder / "pairs.tsv").write_text("".join(f"ab{i}\tba{i}\n" for i in range(40)))
    rc.Translator.train(folder / "pairs.tsv", out=folder / "translator", unit="char", **tiny)
    np.save(folder / "pictures.npy", np.arange(60, dtype=np.float32).reshape(20, 3))
    captions = [json.dumps({"image": str(i), "caption": f"a {i}"}) + "\n" for i in range(20)]
    (folder / "captions.jsonl").write_text("".join(captions))
    rc.Captioner.train(folder / "pictures.npy", folder / "captions.jsonl", out=folder / "captioner", **tiny)
    (folder / "rows.tsv").write_text("text\tlabel\n" + "a b\tx\nc\ty\n" * 10)
    rc.Classifier.train(folder / "rows.tsv", out=folder / "classifier", embedding_size=4, **tiny)
    (folder / "one.txt").write_text("one\ntwo\n")
    (folder / "bad.jsonl").write_text('{"source": "a", "target": "b"}\n{"source": "a"}\n')
    (folder / "wide.tsv").write_text("a\tb\tc\nd\te\tf\n")
    (folder / "latin.tsv").write_bytes("text\tlabel\ncafé\tx\n".encode("latin-1"))
    return folder


_OF_TRAINING = "use a file of the kind that the model was trained on."


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("evaluate translator --data one.txt", "one.txt: has no target side; name its file with --target."),
        ("beam-errors translator --data one.txt", "has no target side; name its file with --target."),
        ("train translate --data one.txt", "with --target, or set the format with --format."),
        ("beam-errors translator --data bad.jsonl", "bad.jsonl:2: has no 'target', only source; correct it."),
        ("evaluate translator --data bad.jsonl", "correct it, or skip such rows with --skip-bad."),
        ("evaluate translator --data wide.tsv", f"wide.tsv: has 3 columns (a, b, c); {_OF_TRAINING}"),
        ("train translate --data wide.tsv", "if there is no header."),
        ("evaluate translator --data latin.tsv", "is not UTF-8 (byte 0xe9); convert it to UTF-8."),
        ("evaluate classifier --data latin.tsv", "with --encoding, latin-1 for example."),
        (
            "evaluate captioner --data pictures.npy",
            "has no captions; name a JSON lines file with them in --target.",
        ),
        ("train caption --data pictures.npy", "name a JSON lines file with them in --captions."),
        (
            "train caption --data pictures.npy --captions captions.jsonl --unit char --max-target-length 1",
            "pictures.npy: all 18 pairs are too long; raise --max-target-length, which is 1.",
        ),
        ("evaluate classifier --data one.txt --format csv", "name the right one with --text-column."),
    ],
)
def test_a_command_names_only_remedies_that_it_has(tasks_trained, monkeypatch, tmp_path, command, told):
    monkeypatch.chdir(tasks_trained)
    out = ["-o", tmp_path / "run"] if command.startswith("train") else []
    assert refused(*command.split(), *out).endswith(told)


def test_a_resumed_run_keeps_its_options(tmp_path):
    rows = tmp_path / "rows.tsv"
    rows.write_text("text\tlabel\n" + "a b\tx\nc\ty\n" * 10)
    rc.Classifier.train(rows, out=tmp_path / "run", hidden_size=4, embedding_size=4, max_steps=1)
    with rows.open("a") as file:
        file.write("without a label\n")
    told = refused("train", "--resume", tmp_path / "run")
    assert told.endswith("rows.tsv:22: has 1 column, but the header has 2; correct it.")
