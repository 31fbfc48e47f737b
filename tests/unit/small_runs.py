"""A small run made only with RunFolder, its readable content, and processes killed at a given call."""

import errno
import io
import os
import signal
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from recurra.errors import RecurraError
from recurra.runs import RunFolder
from recurra.runs.calibration_file import write_calibration
from recurra.runs.tensor_files import sum_of_tensors

# The calls that change what is on the disk, or open it: between two of them a process may be killed.
CALLS = (
    "open",
    "mkdir",
    "rename",
    "replace",
    "unlink",
    "rmdir",
    "fsync",
    "ftruncate",
    "truncate",
    "pwrite",
    "write",
)
KILLED = 9


def save_symbols(folder: Path) -> None:
    (folder / "vocabulary.json").write_text('{"symbols": ["a", "b"]}\n')
    (folder / "source").mkdir()
    (folder / "source" / "vocabulary.json").write_text('{"symbols": ["c"]}\n')


def save_labels(folder: Path) -> None:
    (folder / "labels.json").write_text('{"labels": ["x"]}\n')


def save_other(folder: Path) -> None:
    save_labels(folder)
    (folder / "vocabulary.json").write_text('{"symbols": ["b"]}\n')


FORMAT_1 = """format_version = 1
task = "lm"

[versions]
recurra = "0.1.0"

[config]
hidden_size = 3

[data.train]
path = "x"
"""


def format_1_run(path: Path) -> RunFolder:
    """A run of an earlier version that was only begun."""
    (path / "source").mkdir(parents=True)
    (path / "run.toml").write_text(FORMAT_1)
    for name in ("vocabulary.json", "labels.json", "source/vocabulary.json", ".lock"):
        (path / name).write_text("old")
    return RunFolder(path)


def begin(path: Path, save=save_symbols, *, overwrite: bool = False, **config) -> RunFolder:
    with RunFolder.claimed(path, overwrite=overwrite) as run:
        run.begin("lm", {"hidden_size": 3} | config, {"train": {"path": "x"}}, save)
    return run


def train(run: RunFolder) -> RunFolder:
    """Write everything that a training writes."""
    with run.locked():
        run.checkpoints.save(0, {"place": {"step": 0}}, {"a": torch.zeros(2)})
        run.metrics.append({"kind": "training", "step": 4, "loss": 1.25})
        run.metrics.append({"kind": "validation", "step": 5, "loss": 0.5})
        run.write_weights({"a": torch.arange(3.0), "b": torch.ones(2, 2, dtype=torch.int64)})
        run.checkpoints.save(5, {"place": {"step": 5}}, {"a": torch.ones(2)})
        write_calibration(run, {"temperature": 1.5}, sum_of_tensors(run.weights))
        run.report.write_text("<html>\n")
        run.events.mkdir()
        (run.events / "events.1").write_text("x")
    return run


def small_run(path: Path) -> RunFolder:
    return train(begin(path))


def content_of(run: RunFolder):
    """All content of a run that can be read, checked."""
    run.check_artefacts()
    state, tensors = run.checkpoints.load()
    tensors |= {f"weights.{name}": tensor for name, tensor in run.read_weights().items()}
    numbers = {name: (tensor.dtype, tensor.tolist()) for name, tensor in tensors.items()}
    return run.read_settings(), run.metrics.read(), state, numbers


def attempt(work: Callable[[], object]) -> tuple[object, str]:
    """The result of `work` and ""; or None and the message of the RecurraError that it raises."""
    try:
        return work(), ""
    except RecurraError as error:
        return None, str(error)


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if not file.is_dir()
    }


def no_strays(folder: Path) -> bool:
    return not list(folder.rglob("*.partial"))


@contextmanager
def at_call(number: int, act: Callable[[], None]):
    """Call `act` before the `number`-th call that touches the disk, once."""
    left = [number]
    with pytest.MonkeyPatch.context() as patches:

        def wrapped(real):
            def call(*arguments, **named):
                left[0] -= 1
                if left[0] == 0:
                    act()
                return real(*arguments, **named)

            return call

        for name in CALLS:
            patches.setattr(os, name, wrapped(getattr(os, name)))
        patches.setattr(io, "open", wrapped(io.open))
        yield
    if left[0] > 0:
        raise Reached


class Reached(Exception):
    """The work ended before that call."""


def fail(number: int = errno.ENOSPC) -> None:
    raise OSError(number, os.strerror(number))


def in_child(work: Callable[[], object]) -> int:
    """Run `work` in a separate process and return its exit code, or the negative signal number."""
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        try:
            work()
        except Reached:
            os._exit(3)
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_everywhere(prepare: Callable[[int], object], work: Callable[[object], object]):
    """Yield what `prepare` made, after `work` on it was killed at its first call, its second, and so on."""
    for number in range(1, 10_000):
        made = prepare(number)

        def killed(made=made, number=number):
            with at_call(number, lambda: os._exit(KILLED)):
                work(made)

        code = in_child(killed)
        assert code in (KILLED, 3), (number, code)
        yield made
        if code == 3:
            assert number > 5, "the calls are watched"
            return


def fail_everywhere(
    prepare: Callable[[int], object], work: Callable[[object], object], error: int = errno.ENOSPC
):
    """Like `kill_everywhere`, but the call fails; also yields the exception that `work` raised, or None."""
    for number in range(1, 10_000):
        made, raised = prepare(number), None
        try:
            with at_call(number, lambda: fail(error)):
                try:
                    work(made)
                except Exception as caught:
                    raised = caught
        except Reached:
            assert raised is None
            assert number > 5, "the calls are watched"
            return
        yield made, raised
