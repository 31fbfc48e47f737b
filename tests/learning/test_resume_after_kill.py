"""A run killed at any moment can be resumed to the same bits as an uninterrupted run."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from recurra.errors import RunError
from recurra.runs import RunFolder, read_metrics

OPTIONS = [
    "--hidden-size", 24, "--batch-size", 4, "--segment-length", 10, "--epochs", 3,
    "--dropout", 0.3, "--update-every", 5, "--validate-every", 70, "--log-every", 7,
    "--checkpoint-every-s", 0.02, "--threads", 1,
    "--weight-drop", 0.2, "--dropout-mask", "segment", "--embedding-dropout", 0.1, "--shift-segments",
    "--temporal-activation-regularization", 1.0, "--averaging", "non-monotone", "--averaging-after", 1,
    "--learning-rate", 0.05,
]  # fmt: skip


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "recurra", "train", *map(str, arguments)]


def finish(run: Path) -> None:
    done = subprocess.run(command("--resume", run), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def result(run: Path):
    """Everything that must be the same: weights, checkpoint, and metrics without times."""
    folder = RunFolder(run)
    state, tensors = folder.checkpoints.load()
    clock = ("elapsed_s", "tokens_per_s", "metrics_size")
    place = {name: value for name, value in state["place"].items() if name not in clock}
    metrics = [{k: v for k, v in r.items() if k not in clock} for r in read_metrics(folder.metrics.path)]
    return folder.read_weights(), tensors, place, metrics


def assert_same(left, right):
    for one, other in zip(left[:2], right[:2], strict=True):
        assert one.keys() == other.keys()
        for name in one:
            assert torch.equal(one[name], other[name]), name
    assert left[2:] == right[2:]


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
    """The corpus, and the result of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole")
    text = folder / "text.txt"
    maker = random.Random(5)
    words = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "rats\n"]
    text.write_text(" ".join(maker.choice(words) for _ in range(3500)))
    done = subprocess.run(
        command("lm", "--data", text, "-o", folder / "run", *OPTIONS),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = result(folder / "run")
    assert any("averaged_steps" in record for record in found[-1])
    return text, found


def start(text: Path, run: Path) -> subprocess.Popen:
    process = subprocess.Popen(
        command("lm", "--data", text, "-o", run, *OPTIONS),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (run / "checkpoint" / "LATEST").exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.005)
    return process


def kill_and_finish(text: Path, run: Path, kills: int, maker: random.Random) -> int:
    """Kill the run `kills` times at random moments, then let it end; returns how many hit the training."""
    process, found = start(text, run), 0
    for _ in range(kills):
        time.sleep(maker.uniform(0.0, 1.5))
        found += process.poll() is None
        process.kill()
        process.communicate()
        process = subprocess.Popen(
            command("--resume", run), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        time.sleep(maker.uniform(2.0, 3.0))  # past its imports, into its training
    process.kill()
    process.communicate()
    finish(run)
    return found


def test_three_kills_change_no_bit(whole_run, tmp_path):
    text, want = whole_run
    maker = random.Random(11)
    found = kill_and_finish(text, tmp_path / "run", 3, maker)
    assert found >= 1
    assert_same(result(tmp_path / "run"), want)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
def test_many_kills_change_no_bit(whole_run, tmp_path, seed):
    text, want = whole_run
    kill_and_finish(text, tmp_path / "run", 6, random.Random(seed))
    assert_same(result(tmp_path / "run"), want)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_tells_how_to_go_on(whole_run, tmp_path, number, code):
    text, want = whole_run
    run = tmp_path / "run"
    process = start(text, run)
    os.kill(process.pid, number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == code
    assert f"recurra train --resume {run}" in told
    assert "Traceback" not in told
    if number == signal.SIGINT:  # on SIGINT, the saved state gives the same result
        finish(run)
        assert_same(result(run), want)


def test_a_damaged_checkpoint_is_named(whole_run, tmp_path):
    text, _ = whole_run
    process = start(text, tmp_path / "run")
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    folder = RunFolder(tmp_path / "run")
    tensors = next((tmp_path / "run" / "checkpoint").glob("step-*/tensors.safetensors"))
    tensors.write_bytes(tensors.read_bytes()[:100])
    with pytest.raises(RunError, match="damaged"):
        folder.checkpoints.load()
