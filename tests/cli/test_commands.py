"""The commands, called as on the command line."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import recurra as rc
from recurra.cli.main import app, main
from recurra.cli.options import default_text
from recurra.cli.verbs import VERBS
from recurra.config import Part
from recurra.config.conditions import can_apply
from recurra.config.part import choices
from recurra.tasks import registry
from recurra.tasks.language_modeling.config import LanguageModelConfig


def say(*arguments: object, typed: str | None = None) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments], input=typed, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    text = folder / "text.txt"
    text.write_text("the cat sat on the mat\nthe dog sat on the log\n" * 40)
    told = say(
        "train", "lm", "--data", text, "-o", folder / "run", "--unit", "word", "--hidden-size", 24,
        "--batch-size", 4, "--segment-length", 10, "--epochs", 15, "--cell", "gru", "--dropout", 0,
        "--learning-rate", 0.02,
    )  # fmt: skip
    assert "validation: " in told
    assert "nats per word" in told
    assert f"recurra sample {folder / 'run'}" in told
    return folder / "run"


def test_a_page_of_its_own_comes_with_a_run(run):
    page = (run / "report.html").read_text()
    assert "<svg" in page
    assert "hidden_size" in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert str(run / "report.html") in say("report", run)


def test_evaluate(run, tmp_path):
    sentence = say("evaluate", run)
    assert "perplexity" in sentence
    assert "per word" in sentence
    figures = json.loads(say("evaluate", run, "--json"))
    assert figures["loss"] == rc.load(run).evaluate().loss
    path = tmp_path / "new.txt"
    path.write_text("the cow sat\n")
    assert "25.00% are <unk>" in say("evaluate", run, "--data", path)


def test_sample(run):
    one = say("sample", run, "--prime", "the cat", "--length", 12, "--seed", 3)
    assert one == say("sample", run, "--prime", "the cat", "--length", 12, "--seed", 3)
    assert one.startswith("the cat ")
    assert one.endswith("\n")


def test_score_ranks_the_likely_line_first(run, tmp_path):
    lines = "mat the on sat cat the\nthe cat sat on the mat\n"
    told = say("score", run, "--rank", typed=lines).splitlines()
    assert [line.split("\t")[2] for line in told] == ["the cat sat on the mat", "mat the on sat cat the"]
    path = tmp_path / "lines.txt"
    path.write_text(lines)
    records = [json.loads(line) for line in say("score", run, path, "--json", "--tokens").splitlines()]
    assert [record["line"] for record in records] == lines.splitlines()
    assert sum(p for _, p in records[1]["tokens"]) == pytest.approx(records[1]["log_prob"])
    assert len(records[1]["tokens"]) == 7
    assert "'cat' -" in say("score", run, path, "--tokens")


def test_score_prints_lines_as_they_arrive(run, monkeypatch):
    """Lines that wait in a pipe are scored together; a score does not wait for the end of the input."""
    reading, writing = os.pipe()
    batches = []
    score = rc.LanguageModel.score

    def scored(self, lines):
        batches.append(list(lines))
        if lines == ["the cat sat"] * 2:  # the first lines have been read, and the pipe is still open
            os.write(writing, b"the dog\n")
            os.close(writing)
        return score(self, lines)

    monkeypatch.setattr(rc.LanguageModel, "score", scored)
    os.write(writing, b"the cat sat\n" * 2)
    with os.fdopen(reading, encoding="utf-8") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        monkeypatch.setattr("sys.argv", ["recurra", "score", str(run)])
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code == 0
    assert batches == [[], ["the cat sat"] * 2, ["the dog"]]


def test_complete(run):
    told = say("complete", run, "the cat", "--n-best", 2).splitlines()
    assert len(told) == 2
    assert told[0].endswith("  sat")
    records = json.loads(say("complete", run, "the cat", "--n-best", 2, "--json"))
    assert records[0]["ending"] == " sat"
    assert say("complete", run, "the cat ", "--n-best", 1) == told[0].replace("   ", "  ") + "\n"
    assert say("complete", run, "the cat s", "--n-best", 1).endswith("  at\n")
    assert 0.5 < records[0]["probability"] <= 1


def test_data_make_kinematics(tmp_path):
    path = tmp_path / "problems.txt"
    say("data", "make", "kinematics", "-o", path, "--count", 20, "--seed", 4)
    text = path.read_text()
    assert text.count("Answer:") == 20
    result = CliRunner().invoke(app, ["data", "make", "kinematics", "-o", str(path)])
    assert "exists" in str(result.exception)
    assert path.read_text() == text


def test_a_finished_run_is_only_evaluated_again(run):
    before = (run / "model.safetensors").read_bytes()
    told = say("train", "--resume", run)
    assert "validation: " in told
    assert (run / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize("task", registry.names())
def test_help_shows_what_matters_and_cuts_nothing(task):
    """Fits on two screens of 80 columns; --help-all lists every option that can apply."""
    config, told = registry.config_of(task), say("train", task, "--help")
    lines = told.splitlines()
    assert len(lines) <= (56 if config.main_options else 200)
    assert max(map(len, lines)) <= 80
    assert "…" not in told
    tuning = " ".join(say("tune", task, "--help").split())
    assert f"Search over the options of `recurra train {task}`, such as" in tuning
    every = say("train", task, "--help-all")
    assert max(map(len, every.splitlines())) <= 80
    words = set(re.findall(r"--(?:\[no-\])?([a-z-]+)", every))
    shown = set(re.findall(r"^  (?:--[a-z-]+, )?--(?:\[no-\])?([a-z-]+)", told, re.MULTILINE))
    for name, field in config.model_fields.items():
        flag = name.replace("_", "-")
        assert (flag in words) == can_apply(config, name), name
        if config.main_options:
            assert (flag in shown) == (name in config.main_options and can_apply(config, name)), name
        for value in choices(field.annotation) if can_apply(config, name) else ():
            assert re.search(rf"(?<![\w-]){re.escape(value)}(?![\w-])", every), (name, value)


LONG_HELP = {"evaluate": 45, "predict": 54, "translate": 61, "caption": 62, "chat": 40, "beam-errors": 54}


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_command_is_small_and_plain(verb):
    """One sentence on the command, also shown in `recurra --help`; 80 columns, one or two screens."""
    told = say(verb, "--help")
    lines = told.splitlines()
    assert len(lines) <= LONG_HELP.get(verb, 38)
    assert max(map(len, lines)) <= 80
    summary = told.split("\n\n")[1]
    assert summary.strip().endswith(".")
    assert f"{verb} {' '.join(summary.split())}" in " ".join(say("--help").split())
    for flag, meaning in re.findall(r"^  (--?[a-z][^\n]*?)  +(\S.*)$", told, re.MULTILINE):
        assert meaning[0].isupper(), (flag, meaning)


def test_limits_and_defaults_stand_in_one_bracket():
    told = " ".join(say("complete", "--help").split())
    assert "or of symbols that complete a word (if not given: 1 word, 24 symbols; >= 1)" in told
    assert "Number of completions (default: 5; >= 1)" in told
    assert "(one of awd-lstm, char-small, " in " ".join(say("compare", "--help").split())
    assert "total probability (0 < x <= 1)" in " ".join(say("sample", "--help").split())
    assert "hidden_size, for characters" not in " ".join(say("train", "chat", "--help-all").split())
    every = " ".join(say("train", "lm", "--help-all").split())
    assert "(if not given: dropout; 0 <= x < 1)" in every
    assert not re.search(r"\(if not given[^()]*\) \(", every)


def test_every_option_is_on_the_command_line_and_in_its_help():
    told = " ".join(say("train", "lm", "--help-all").split())
    for name, field in LanguageModelConfig.model_fields.items():
        flag = name.replace("_", "-")
        assert f"--{flag} " in told or f"--[no-]{flag} " in told
        if field.default is not None and not isinstance(field.default, bool):
            assert f"default: {default_text(field)}" in told
    for part in LanguageModelConfig.__bases__:
        assert issubclass(part, Part)
        assert part.title in told


def test_ctrl_c_is_answered_in_words(run, monkeypatch, capsys):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("recurra.tasks.model.load", interrupted)
    monkeypatch.setattr(sys, "argv", ["recurra", "evaluate", str(run)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_version_and_help():
    assert say("--version").strip() == f"recurra {rc.__version__}"
    told = say("--help")
    assert all(name in told for name in ("train", "evaluate", "sample", "score", "complete", "demo"))


def printed_to(output, command):
    """Run a command in a process of its own, with its standard output going to a file."""
    return subprocess.run(
        [sys.executable, "-m", "recurra", *command.split()],
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "command", ["sample {run} --length 1000000 --seed 1", "evaluate {run}", "--help", "--version"]
)
def test_output_into_a_closed_pipe_ends_with_141(run, command):
    read, write = os.pipe()
    os.close(read)
    done = printed_to(write, command.format(run=run))
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a device of Linux")
@pytest.mark.parametrize(
    "command", ["sample {run} --length 20", "evaluate {run}", "evaluate {run} --json", "--help", "--version"]
)
def test_output_onto_a_full_disk_is_named(run, command):
    with open("/dev/full", "w") as full:
        done = printed_to(full, command.format(run=run))
    assert done.returncode == 2
    assert re.fullmatch(r"error: standard output: cannot be written \(No space left [^\n]+\.\n", done.stderr)


def test_score_reads_a_pipe_whole(run):
    done = subprocess.run(
        f"{sys.executable} -m recurra score {run} <(seq 1 2000) | tail -n 1 | cut -f 3",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "2000\n"


@pytest.fixture(scope="module", params=["word", "char", "subword"])
def counted(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("counted")
    text = folder / "text.txt"
    text.write_text("the cat sat on the mat\nthe dog sat on the log\n" * 40)
    told = say(
        "train", "lm", "--model", "ngram", "--order", 3, "--data", text, "-o", folder / "run",
        "--unit", request.param,
    )  # fmt: skip
    assert "counted " in told
    return folder / "run"


def test_a_counted_model_has_all_the_verbs(counted):
    figures = json.loads(say("evaluate", counted, "--json"))
    assert figures["perplexity"] < 3
    assert json.loads(say("evaluate", counted, "--json", "--streams", 4))["symbols"] == figures["symbols"]
    one = say("sample", counted, "--prime", "the cat", "--length", 12, "--seed", 3)
    assert one == say("sample", counted, "--prime", "the cat", "--length", 12, "--seed", 3)
    assert one.startswith("the cat")
    told = say(
        "score", counted, "--rank", typed="mat the on sat cat the\nthe cat sat on the mat\n"
    ).splitlines()
    assert told[0].endswith("the cat sat on the mat")
    assert say("complete", counted, "the cat s" if "word" not in str(told) else "the cat", "--n-best", 2)
    page = (counted / "report.html").read_text()
    assert "Learning curves" not in page
    assert "kneser-ney" in page


def test_a_counted_model_is_only_measured_again(counted):
    before = (counted / "model.safetensors").read_bytes(), (counted / "metrics.jsonl").read_bytes()
    assert "symbols in" in say("train", "--resume", counted)
    assert before == ((counted / "model.safetensors").read_bytes(), (counted / "metrics.jsonl").read_bytes())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ["--model", "ngram", "--hidden-size", 3],
            "hidden_size: applies only with model recurrent",
        ),
        (["--order", 3], "order: applies only with model ngram"),
        (["--model", "ngram", "--add-k", 0.5], "add_k: applies only with smoothing add-k"),
        (
            ["--model", "ngram", "--smoothing", "add-k", "--cutoff", 1],
            "cutoff: applies only with smoothing kneser-ney or witten-bell",
        ),
    ],
)
def test_options_of_another_model_are_refused(tmp_path, options, sentence):
    (tmp_path / "text.txt").write_text("a b\n" * 20)
    line = [
        "train",
        "lm",
        "--data",
        str(tmp_path / "text.txt"),
        "-o",
        str(tmp_path / "run"),
        *map(str, options),
    ]
    result = CliRunner().invoke(app, line)
    assert sentence in str(result.exception)
    assert not (tmp_path / "run").exists()


def test_a_feed_forward_model_trains_and_resumes(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("the cat sat on the mat\nthe dog sat on the log\n" * 40)
    line = [
        "train", "lm", "--model", "feed-forward", "--context-size", 3, "--data", text, "--unit", "word",
        "--dropout", 0, "--hidden-size", 24, "--embedding-size", 8, "--batch-size", 4,
        "--segment-length", 10, "--epochs", 12, "--learning-rate", 0.02, "--direct",
    ]  # fmt: skip
    told = say(*line, "-o", tmp_path / "run")
    assert rc.load(tmp_path / "run").perplexity() < 1.6
    assert say("sample", tmp_path / "run", "--prime", "the cat", "--length", 5, "--seed", 1).startswith(
        "the cat "
    )
    assert say("complete", tmp_path / "run", "the cat", "--n-best", 1).endswith("  sat\n")
    again = say("train", "--resume", tmp_path / "run")
    assert [row for row in told.splitlines() if row.startswith("validation")] == [
        row for row in again.splitlines() if row.startswith("validation")
    ]


def test_what_training_prints_counts_in_words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text("abcab\n" * 60)
    tiny = ["--max-steps", "1", "--hidden-size", "4", "--num-layers", "1"]
    options = ["--data", "text.txt", "--backend", "torch", *tiny]
    result = CliRunner().invoke(app, ["train", "lm", *options, "-o", "lm"])
    assert "1 step on cpu; loss: mean over the characters of each update; " in result.stderr
    result = CliRunner().invoke(app, ["train", "lm", *options, "--zoneout", "0.1", "-o", "zoneout"])
    assert re.search(r"torch's functions have no zoneout; use 'auto' or '\w+'\.$", str(result.exception))
    (tmp_path / "rows.tsv").write_text("words\tlabels\n" + "a b\tB-x O\nc\tO\n" * 3)
    options = ["--data", "rows.tsv", "--text-column", "words", *tiny]
    told = say("train", "tag", *options, "--seeds", 2, "-o", "tag")
    assert "of 2 runs: F1 " in told
