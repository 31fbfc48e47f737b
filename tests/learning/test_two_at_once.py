"""If two processes write to one run, one proceeds undisturbed and the other is refused."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from interruptions import Child
from whole_runs import KINDS, OTHER, Runs, Said, make_runs, quick_pictures, recurra, refusal, result_of

import recurra as rc
from recurra.errors import RunError
from recurra.training import Listener, Trainer

pytestmark = pytest.mark.skipif(
    torch.cuda.is_available(), reason="a process that has used a GPU cannot be forked"
)
DIFFERENT = {"learning_rate": 0.02}


class Gate:
    """A pipe at which processes wait until it is opened."""

    def __init__(self) -> None:
        self._out, self._in = os.pipe()

    def open(self) -> None:
        os.write(self._in, b"xx")

    def wait(self) -> None:
        os.read(self._out, 1)


@pytest.fixture(scope="module", autouse=True)
def _quick_pictures():
    with quick_pictures():
        yield


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Runs:
    return make_runs(tmp_path_factory.mktemp("two"), KINDS["lm"])


@pytest.fixture(scope="module")
def wanted(runs):
    """The results of the two trainings when each runs alone."""
    results = []
    for options in ({}, DIFFERENT):
        out = runs.folder / f"alone{len(results)}"
        assert recurra(*runs.train(out, **options)).code == 0
        results.append(result_of(out))
    assert results[0]["weights"] != results[1]["weights"]
    return results


def held_at(step: int, begun: int, go_on: Gate) -> None:
    """Make the trainings of this child process stop after a step and signal it, until the gate opens."""
    go_one_step = Trainer._step

    def held(self: Trainer) -> None:
        go_one_step(self)
        if self.place.step == step:
            os.write(begun, b"x")
            go_on.wait()

    Trainer._step = held


class Live:
    """A training in a separate process, paused after a step until `go_on`."""

    def __init__(self, command: list[object], step: int = 4, start: Gate | None = None) -> None:
        self._gate = Gate()
        reached, begun = os.pipe()

        def work() -> Said:
            held_at(step, begun, self._gate)
            if start is not None:
                start.wait()
            return recurra(*command)

        self.child = Child(work)
        os.close(begun)
        self._reached = reached

    def wait_until_held(self) -> bool:
        """Wait for the step; False if the process ended before it."""
        return os.read(self._reached, 1) == b"x"

    def go_on(self) -> Said:
        self._gate.open()
        return self.child.wait().result


def check_race(runs: Runs, wanted: list[dict[str, Any]], out: Path) -> int:
    start = Gate()
    both = [Live(runs.train(out, **options), 1, start) for options in ({}, DIFFERENT)]
    start.open()
    while not any(one.child.has_ended for one in both):
        time.sleep(0.005)
    (winner,) = [number for number, one in enumerate(both) if not one.child.has_ended]
    assert both[winner].wait_until_held()
    sentence = refusal(both[1 - winner].go_on())
    said = (
        "is being written by another process (pid ",
        "holds a run already",
    )  # before the first begins, or after
    assert sentence.startswith(tuple(f"error: {out}: {each}" for each in said))
    assert both[winner].go_on().code == 0
    assert result_of(out) == wanted[winner]
    return winner


def test_of_two_that_begin_in_one_new_folder_one_trains(runs, wanted, tmp_path):
    for number in range(3):
        check_race(runs, wanted, tmp_path / str(number))


@pytest.mark.slow
def test_of_many_pairs_that_begin_in_one_new_folder_one_trains(runs, wanted, tmp_path):
    winners = {check_race(runs, wanted, tmp_path / str(number)) for number in range(60)}
    assert winners == {0, 1}


@pytest.mark.parametrize("step", [1, 4])
def test_a_live_training_is_not_disturbed(runs, wanted, step):
    """Neither before nor after the first validation."""
    run = runs.folder / f"live{step}"
    live = Live(runs.train(run), step)
    assert live.wait_until_held()
    held = f"error: {run}: is being written by another process (pid "
    expected = {
        "train": (runs.train(run), f"error: {run}: holds a run already"),
        "overwrite": (runs.train(run, "--overwrite", **OTHER), held),
        "resume": (["train", "--resume", run], held),
        "report": (["report", run], held if step > 3 else f"error: {run}: has no model yet"),
    }
    for command, sentence in expected.values():
        assert refusal(recurra(*command)).startswith(sentence)
    assert recurra("evaluate", run).code == (0 if step > 3 else 2)
    assert live.go_on().code == 0
    assert result_of(run) == wanted[0]


class Meanwhile(Listener):
    """Does some work in other threads after a given step."""

    def __init__(self, step: int, attempts: list[Callable[[], object]]) -> None:
        self.told: list[str] = []
        self._step, self._attempts = step, attempts

    def on_step(self, report):
        if report.step == self._step:
            for attempt in self._attempts:
                thread = threading.Thread(target=self._try, args=[attempt])
                thread.start()
                thread.join()

    def _try(self, attempt: Callable[[], object]) -> None:
        try:
            attempt()
        except RunError as error:
            self.told.append(str(error))


def test_of_two_threads_one_trains(runs, wanted):
    out = runs.folder / "threads"
    asked = runs.kind.options | runs.data
    meanwhile = Meanwhile(
        4,
        [
            lambda: rc.LanguageModel.train(out=out, overwrite=True, **asked | OTHER),
            lambda: rc.LanguageModel.resume(out),
            lambda: rc.load(out).report(),
        ],
    )
    rc.LanguageModel.train(out=out, listeners=[meanwhile], **asked)
    held = (
        f"{out}: is being written by another process (pid {os.getpid()}); "
        "wait until it ends, or stop it first."
    )
    assert meanwhile.told == [held] * 3
    assert result_of(out) == wanted[0]
