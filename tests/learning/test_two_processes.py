"""Two processes started by torchrun train to the same weights as one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from recurra.data.synthetic.flights import write_corpus
from recurra.runs import RunFolder, read_metrics

OPTIONS = [
    "--hidden-size", 12, "--batch-size", 6, "--segment-length", 9, "--epochs", 2, "--dropout", 0,
    "--optimizer", "sgd", "--learning-rate", 0.5, "--threads", 1, "--device", "cpu",
]  # fmt: skip


def torchrun(*arguments: object) -> list[str]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return [*launcher, "-m", "recurra", "train", *map(str, arguments)]


def finished(command: list[str]) -> subprocess.CompletedProcess:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done


def assert_two_agree_with_one(task: str, options: list[object], folder: Path) -> None:
    """Train into folder/one and folder/two; the weights are the same up to rounding."""
    alone = [sys.executable, "-m", "recurra", "train", task]
    one = finished([*alone, *map(str, options), "-o", str(folder / "one")])
    two = finished(torchrun(task, *options, "-o", folder / "two"))
    assert two.stdout.count("validation: ") == one.stdout.count("validation: ") == 1
    want, got = (RunFolder(folder / name).read_weights() for name in ("one", "two"))
    for name in want:
        torch.testing.assert_close(got[name], want[name], rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("two") / "text.txt"
    path.write_text("the cat sat on the mat\nthe dog sat on the log\n" * 25)
    return path


def test_two_processes_agree_with_one(text, tmp_path):
    """Also if the streams, and so the processes' shares of a segment, differ in length."""
    assert_two_agree_with_one("lm", ["--data", text, *OPTIONS], tmp_path)
    kinds = [[r["kind"] for r in read_metrics(tmp_path / n / "metrics.jsonl")] for n in ("one", "two")]
    assert kinds[0] == kinds[1]


@pytest.mark.slow
def test_two_stopped_processes_go_on_to_the_same_bits(text, tmp_path):
    options = [*OPTIONS, "--dropout", 0.3, "--epochs", 12]
    finished(torchrun("lm", "--data", text, "-o", tmp_path / "whole", *options))
    process = subprocess.Popen(
        torchrun("lm", "--data", text, "-o", tmp_path / "run", *options),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    while not (tmp_path / "run" / "metrics.jsonl").exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert RunFolder(tmp_path / "run").checkpoints.load()[0]["processes"] == 2
    refused = subprocess.run(
        [sys.executable, "-m", "recurra", "train", "--resume", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 2
    assert "torchrun --nproc-per-node 2" in refused.stderr
    finished(torchrun("--resume", tmp_path / "run"))
    want, got = (RunFolder(tmp_path / name).read_weights() for name in ("whole", "run"))
    assert all(torch.equal(got[name], want[name]) for name in want)


def test_a_batch_that_does_not_divide_is_refused(text, tmp_path):
    options = [*OPTIONS, "--batch-size", 3]
    done = subprocess.run(
        torchrun("lm", "--data", text, "-o", tmp_path / "run", *options),
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode != 0
    assert "batch_size: got 3, expected a multiple of the 2 processes" in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "decoder", [pytest.param(["softmax"], marks=pytest.mark.slow), ["crf", "--freeze-vectors"]]
)
def test_two_processes_label_like_one(tmp_path, decoder):
    """Rows of different lengths, a last batch with fewer rows than processes, weights without a gradient."""
    data, vectors = tmp_path / "flights.iob", tmp_path / "vectors.txt"
    write_corpus(data, 45, 1)  # 41 training rows: ten batches of four, and one row
    vectors.write_text("".join(f"{word} {i} 1 {-i}\n" for i, word in enumerate(("to", "leave", "oslo"))))
    options = [
        "--decoder", *decoder, "--data", data, "--word-vectors", "pretrained", "--vectors", vectors,
        "--characters", "cnn", "--hidden-size", 8, "--batch-size", 4, "--epochs", 3,
        "--dropout", 0, "--input-dropout", 0, "--optimizer", "sgd", "--learning-rate", 0.1, "--threads", 1,
        "--device", "cpu",
    ]  # fmt: skip
    assert_two_agree_with_one("tag", options, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("attention", ["additive", "none"])
def test_two_processes_translate_like_one(tmp_path, attention):
    """Pairs of different lengths, and a last batch with fewer pairs than processes."""
    data = tmp_path / "pairs.tsv"
    data.write_text(
        "".join(f"{'ab' * (i % 5 + 1)}{i % 10}\t{i % 10}{'b' * (i % 5 + 1)}\n" for i in range(46))
    )
    options = [
        "--data", data, "--attention", attention, "--learn-initial-state", "--unit", "char",
        "--hidden-size", 8, "--batch-size", 4,
        "--epochs", 3, "--dropout", 0, "--input-dropout", 0, "--optimizer", "sgd", "--learning-rate", 0.1,
        "--label-smoothing", 0.1, "--threads", 1, "--device", "cpu", "--validation-rows", 2,
    ]  # fmt: skip
    assert_two_agree_with_one("translate", options, tmp_path)
