"""`predict --workers`, and answers to lines as they arrive on standard input, in real processes."""

import json
import os
import pickle
import signal
import subprocess
import sys
from itertools import islice
from pathlib import Path

import every_task
import pytest
from typer.testing import CliRunner

import recurra as rc
from recurra.cli.main import app
from recurra.errors import ArgumentTypeError, ConfigError, DataError, WorkerError
from recurra.tasks import workers
from recurra.tasks.shown import CountedNote
from recurra.tasks.workers import predicted_lines

POSIX = pytest.mark.skipif(os.name != "posix", reason="needs signals to processes")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Return a function that trains a model once, when it is first needed, and a file of lines."""
    trained: dict[str, Path] = {}

    def of(task: str) -> Path:
        if task not in trained:
            case, folder = every_task.CASES[task], tmp_path_factory.mktemp(task)
            case.facade.train(**case.write(folder, 40), **case.all_options, out=folder / "run")
            trained[task] = folder / "run"
        return trained[task]

    return of


@pytest.fixture
def processes(monkeypatch):
    """The worker processes that were started."""
    started = []

    class Recorded(subprocess.Popen):
        def __init__(self, *arguments, **options) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(workers.subprocess, "Popen", Recorded)
    return started


def written(folder: Path, lines: list[str]) -> Path:
    path = folder / "lines.txt"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def said(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_workers_print_what_one_process_prints(runs, tmp_path, processes):
    file = written(tmp_path, [("go to oslo", "stay", "", "BOS go to rome now")[i % 4] for i in range(1200)])
    one = said("predict", runs("tag"), file, "--json")
    assert said("predict", runs("tag"), file, "--json", "--workers", 2) == one
    assert len(one.splitlines()) == 1200
    assert len(processes) == 2
    assert all(process.poll() is not None for process in processes)


def test_batches_do_not_change_predictions(runs):
    tagger = rc.load(runs("tag"))
    texts = ["go to oslo", "", "stay", "BOS go to rome now now now EOS", "unknown words"] * 40
    expected = list(tagger.predict_stream(texts, at_once=1))
    for answers in (
        tagger.predict_stream(texts),
        tagger.predict_stream(iter(texts)),
        tagger.predict_stream(iter(texts), at_once=7),
    ):
        for answer, one in zip(answers, expected, strict=True):
            assert answer.line() == one.line()
            assert answer.confidence == pytest.approx(one.confidence, abs=1e-5)


@POSIX
def test_a_killed_worker_is_told(runs, tmp_path, processes):
    file = written(tmp_path, ["abab", "bb"] * 2000)
    lines = predicted_lines(runs("letters"), file, workers=2)  # a task that only this process has registered
    first = next(lines)
    for process in processes:
        process.kill()
    with pytest.raises(WorkerError, match=r"worker \d: ended unexpectedly \(killed by SIGKILL.*; use fewer"):
        list(lines)
    assert first == next(predicted_lines(runs("letters"), file))


@pytest.mark.parametrize(
    ("source", "count", "expected"),
    [("-", 2, "needs a file to share, not standard input"), ("x", 0, "got 0, expected >= 1")],
)
def test_what_cannot_be_shared_is_refused(runs, source, count, expected):
    with pytest.raises(ConfigError, match=expected):
        list(predicted_lines(runs("tag"), source, workers=count))


def test_a_model_that_reads_its_input_as_a_whole_is_refused(runs, tmp_path, monkeypatch, processes):
    letters = every_task.CASES["letters"].facade

    def whole(self, source, options, *, as_json=False, tell=None):
        yield source.path.read_text()

    monkeypatch.setattr(letters, "predictions", whole)
    with pytest.raises(ConfigError, match="workers: the model reads its input as a whole"):
        list(predicted_lines(runs("letters"), written(tmp_path, ["a"]), workers=2))
    assert not processes


def test_options_are_refused_before_workers_start(runs, tmp_path, processes):
    file = written(tmp_path, ["a"])
    options = type(rc.load(runs("tag")).config).prediction(n_best=2)
    with pytest.raises(ConfigError, match="n_bset: unknown option"):
        predicted_lines(runs("tag"), file, {"n_bset": 2}, workers=2)
    with pytest.raises(ArgumentTypeError, match="options: got 3, expected options of `predict` by name"):
        predicted_lines(runs("tag"), file, 3)
    named = predicted_lines(runs("tag"), file, {"reject_below": 1.0}, as_json=True)
    assert json.loads(next(named))["rejected"]
    with pytest.raises(ConfigError, match="n_best: applies to output as JSON only; use --json"):
        list(predicted_lines(runs("tag"), file, options, workers=2))
    assert not processes


def test_notes_of_workers_are_added_up():
    told: list[str] = []
    notes = workers._Notes(told.append)
    for number in (1, 2, 1):
        notes.add(pickle.loads(pickle.dumps(CountedNote(number, "output", "cut."))))
    for _ in range(3):
        notes.add("a warning")
    notes.end()
    assert told == ["a warning", "4 outputs cut."]


@POSIX
def test_each_line_of_a_slow_pipe_is_answered_at_once_and_ctrl_c_ends(runs):
    """The answer to a line comes while the pipe is open, without the next line."""
    command = [sys.executable, "-m", "recurra", "predict", str(runs("tag")), "-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        for _ in range(3):
            process.stdin.write(b"go to oslo\n")
            process.stdin.flush()
            assert process.stdout.readline().count(b"\t") == 1
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert process.stderr.read() == b"interrupted\n"


@pytest.mark.slow
@POSIX
def test_ctrl_c_ends_all_workers(runs, tmp_path):
    file = written(tmp_path, ["go to oslo"] * 200_000)
    command = [sys.executable, "-m", "recurra", "predict", str(runs("tag")), str(file), "--workers", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.send_signal(signal.SIGINT)
        for _ in process.stdout:  # the pipe may be full
            pass
        assert process.wait(20) == 130
        assert process.stderr.read() == b"interrupted\n"
    assert len(listed) == 2
    assert not any(Path(f"/proc/{child}").exists() for child in listed)


@pytest.mark.slow
def test_answers_before_a_bad_line_come_first(runs, tmp_path):
    file, got = written(tmp_path, ["good 1\tbad 1"] * 700 + ["no tab"] + ["good 1\tbad 1"] * 700), []
    with pytest.raises(DataError, match=r"lines\.txt:701: has no tab"):
        got.extend(predicted_lines(runs("pair"), file, workers=2))
    assert got == list(islice(predicted_lines(runs("pair"), file), 700))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "options"),
    [
        ("translate", {"sample": 2, "seed": 5, "max_length": 3}),
        ("translate", {"n_best": 2, "max_length": 3}),
        ("caption", {}),
        ("lm", {"n_best": 3}),
        ("classify", {"reject_below": 0.55}),
    ],
)
def test_workers_of_every_task_print_what_one_process_prints(runs, tmp_path, task, options):
    case, told = every_task.CASES[task], ([], [])
    file = runs(task).parent / case.ask if task == "caption" else written(tmp_path, [case.ask.strip()] * 600)
    part = type(rc.load(runs(task)).config).prediction(**options)
    one, two = (
        list(predicted_lines(runs(task), file, part, workers=count, tell=notes.append))
        for count, notes in zip((1, 2), told, strict=True)
    )
    assert one == two
    assert told[0] == told[1]
