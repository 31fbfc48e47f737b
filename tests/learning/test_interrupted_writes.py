"""A command that is killed, or whose disk fails, at any call leaves a complete or resumable run.

A trial is one command, interrupted at one place. Afterwards `--resume`, or the same command again if the run
had not begun, gives bit for bit the result of an uninterrupted training, and no half-written file is left.
"""

import errno
import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from interruptions import (
    calls_of,
    failing_at,
    in_child,
    killed_at,
    may_mount,
    own_read_only,
    own_small_disk,
    with_files_of,
)
from whole_runs import (
    KINDS,
    Runs,
    Said,
    files_of,
    make_runs,
    names_of,
    quick_pictures,
    recurra,
    refusal,
    result_of,
)

from recurra.runs import RunFolder

TALLY: Counter[str] = Counter()
SCENES = ("train", "resume", "overwrite", "report")
pytestmark = pytest.mark.skipif(
    torch.cuda.is_available(), reason="a process that has used a GPU cannot be forked"
)


@dataclass(frozen=True)
class Scene:
    """A command, the state in which it starts, and the expected result without interruption."""

    run: Path
    command: list[object]
    prepare: Callable[[], object]
    wanted: dict[str, Any]
    names: set[str]
    page: bytes | None  # None for a training: its report contains times
    old: dict[str, Any] | None  # the result of the run that it overwrites

    def work(self) -> Said:
        return recurra(*self.command)

    def check(self) -> None:
        """Check that the interrupted command can be completed to the expected result."""
        said = in_child(self._go_on)
        assert said.code == 0, said
        assert result_of(self.run) == self.wanted
        assert names_of(self.run) == self.names  # so no half-written file is left
        assert self.page in (None, (self.run / "report.html").read_bytes())
        assert "mine.txt" not in self.names or (self.run / "mine.txt").read_text() == "a person's own"

    def _go_on(self) -> Said:
        settings = self.run / "run.toml"
        config = RunFolder(self.run).read_settings()["config"] if settings.exists() else None
        if self.old is not None and config == self.old["settings"]["config"]:
            assert result_of(self.run) == self.old
            assert recurra("evaluate", self.run).code == 0
            return self.work()
        said = self.work() if self.command[0] == "report" else recurra("train", "--resume", self.run)
        if said.code == 0:
            return said
        sentence = refusal(said)
        not_begun = (
            "the folder does not exist",
            "is not a run (it has no run.toml)",
            "stopped while it started",
        )
        assert any(each in sentence for each in not_begun), sentence
        return self.work()


def make_scene(name: str, runs: Runs, stopped: Runs) -> Scene:
    """Make a scene; the expected result is that of an uninterrupted command."""
    own = stopped if name == "resume" else runs
    run, old = own.run, None

    def prepare() -> None:
        if run.exists():
            shutil.rmtree(run)
        if name != "train":
            own.copy()
        if name == "overwrite":
            (run / "mine.txt").write_text("a person's own")

    prepare()
    if name == "overwrite":
        old = result_of(run)
    command = {
        "train": own.train(),
        "resume": ["train", "--resume", run],
        "overwrite": own.overwrite(),
        "report": ["report", run],
    }[name]
    said = recurra(*command)
    assert said.code == 0, said
    page = (run / "report.html").read_bytes() if name == "report" else None
    return Scene(run, command, prepare, result_of(run), names_of(run), page, old)


def scenes_of(kind: str, folder: Path) -> dict[str, Scene]:
    made = {}
    for name, stops in (("whole", None), ("stopped", 4)):
        place = folder / name
        place.mkdir()
        # In this process, so that no child has to import anything.
        made[name] = make_runs(place, replace(KINDS[kind], stops=stops))
    return {name: make_scene(name, made["whole"], made["stopped"]) for name in SCENES}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    with quick_pictures():
        yield scenes_of("lm", tmp_path_factory.mktemp("scenes"))


def count_calls(scene: Scene) -> int:
    scene.prepare()
    return calls_of(scene.run, scene.work)


def check_killed(scene: Scene, number: int) -> None:
    scene.prepare()
    ended = killed_at(number, scene.run, scene.work)
    TALLY["killed" if ended.was_killed else "ended before"] += 1
    scene.check()


def check_torn(scene: Scene, size: int) -> None:
    """The process is killed in the middle of writing a file."""
    scene.prepare()
    ended = with_files_of(size, scene.work, killed=True)
    TALLY["killed while writing" if ended.was_killed else "ended before"] += 1
    scene.check()


def check_failed(scene: Scene, said: Said, place: Path | None = None) -> None:
    """A command whose disk failed has reported it in one sentence, or has succeeded nevertheless."""
    TALLY[f"failed, code {said.code}"] += 1
    if said.code:
        assert str(place or scene.run) in refusal(said), said
    scene.check()


def check_failing(scene: Scene, number: int, error: int, *, once: bool) -> None:
    scene.prepare()
    check_failed(scene, failing_at(number, error, scene.run, scene.work, once=once))


def check_full(scene: Scene, size: int) -> None:
    """No file can grow beyond `size` bytes."""
    scene.prepare()
    check_failed(scene, with_files_of(size, scene.work, killed=False).result)


@pytest.mark.parametrize("name", ["train", "resume", "overwrite"])
def test_some_kills_lose_nothing(scenes, name):
    scene, draw = scenes[name], random.Random(1)
    number = count_calls(scene)
    for part in range(4):
        check_killed(scene, 1 + int(number * (part + draw.random()) / 4))
    for size in (50, 5000):
        check_torn(scene, size)


@pytest.mark.parametrize("name", SCENES)
def test_some_failures_of_the_disk_are_said(scenes, name):
    scene, draw = scenes[name], random.Random(2)
    number = count_calls(scene)
    check_failing(scene, 1, errno.EROFS, once=False)
    check_failing(scene, draw.randint(2, number), errno.ENOSPC, once=False)
    check_failing(scene, draw.randint(2, number), errno.EIO, once=True)
    check_full(scene, 5000)


# Fraction of the calls tested per kind of run: all, or one of this number.
ONE_OF = {"lm": 1, "tag": 3, "translate": 3}


@pytest.fixture(scope="module", params=ONE_OF)
def scenes_of_each(request, tmp_path_factory):
    with quick_pictures():
        made = scenes_of(request.param, tmp_path_factory.mktemp("scenes"))
        yield {name: (scene, ONE_OF[request.param]) for name, scene in made.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENES)
def test_a_kill_at_any_call_loses_nothing(scenes_of_each, name):
    scene, one_of = scenes_of_each[name]
    for number in range(1, count_calls(scene) + 1, one_of):
        check_killed(scene, number)
    print(name, dict(TALLY))


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENES)
def test_a_kill_in_the_midst_of_any_file_loses_nothing(scenes_of_each, name):
    (scene, one_of), draw = scenes_of_each[name], random.Random(3)
    sizes = (*range(0, 60, 7), *sorted(int(10 ** draw.uniform(1.5, 4.7)) for _ in range(30)))
    for size in sizes[::one_of]:
        check_torn(scene, size)
        check_full(scene, size)
    print(name, dict(TALLY))


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENES)
def test_a_disk_that_fails_at_any_call_is_said(scenes_of_each, name):
    (scene, one_of), draw = scenes_of_each[name], random.Random(4)
    for number in range(1, count_calls(scene) + 1, one_of):
        error, once = draw.choice(
            [
                (errno.ENOSPC, False),
                (errno.ENOSPC, True),
                (errno.EROFS, False),
                (errno.EACCES, True),
                (errno.EIO, True),
            ]
        )
        check_failing(scene, number, error, once=once)
    print(name, dict(TALLY))


@pytest.mark.slow
def test_a_kill_while_the_cache_is_written_changes_nothing(scenes, monkeypatch, tmp_path):
    scene, cache = scenes["train"], tmp_path / "cache"
    monkeypatch.setenv("RECURRA_CACHE", str(cache))

    def prepare() -> None:
        scene.prepare()
        shutil.rmtree(cache, ignore_errors=True)

    prepare()
    for number in range(1, calls_of(cache, scene.work) + 1):
        prepare()
        TALLY["killed"] += killed_at(number, cache, scene.work).was_killed
        scene.check()
        prepare()
        check_failed(scene, failing_at(number, errno.ENOSPC, cache, scene.work, once=False), cache)
    print(dict(TALLY))


REAL = """
import os, signal, sys
sys.path.insert(0, {here!r})
from pathlib import Path
from interruptions import Calls
from recurra.cli.main import main

def strike(event):
    if {killed!r}:
        os.kill(os.getpid(), signal.SIGKILL)
    raise OSError(28, os.strerror(28))

Calls(Path({run!r}), strike, {number!r}, from_then_on=True).watch()
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENES)
def test_processes_of_their_own_are_interrupted_alike(scenes, name):
    """As a user runs them: in a new process, and with exactly the output of a terminal."""
    scene, draw = scenes[name], random.Random(6)
    numbers = [draw.randint(1, count_calls(scene)) for _ in range(3)]
    for number, killed in [(number, killed) for number in numbers for killed in (True, False)]:
        scene.prepare()
        code = REAL.format(here=str(Path(__file__).parent), killed=killed, run=str(scene.run), number=number)
        command = [sys.executable, "-c", code, *map(str, scene.command)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if killed:
            assert done.returncode == -signal.SIGKILL, done.stderr
            scene.check()
        else:
            check_failed(scene, Said(done.returncode, done.stdout, done.stderr))


@pytest.fixture
def mounts():
    if not may_mount():
        pytest.skip("a process may not mount here, not even for itself")


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENES)
def test_a_disk_that_can_only_be_read_is_said(scenes, name, mounts):
    scene = scenes[name]
    scene.prepare()
    place = scene.run if scene.run.exists() else scene.run.parent
    before = files_of(place)

    def read_only() -> tuple[Said, Said]:
        own_read_only(place)
        return scene.work(), recurra("evaluate", scene.run)

    said, evaluated = in_child(read_only)
    assert "Read-only file system" in refusal(said)
    assert str(scene.run) in refusal(said)
    assert evaluated.code == (2 if name == "train" else 0)
    assert files_of(place) == before
    check_failed(scene, said)


@pytest.mark.slow
@pytest.mark.parametrize("pages", range(1, 25, 2))
@pytest.mark.parametrize("name", SCENES)
def test_a_disk_that_is_full_is_said(scenes, name, pages, mounts):
    """A disk with space for `pages` more pages of 4096 bytes."""
    scene = scenes[name]
    scene.prepare()
    kept = files_of(scene.run)

    def on_small_disk() -> Said:
        scene.run.mkdir(exist_ok=True)
        resize = own_small_disk(scene.run, 1 << 24)
        for file, content in kept.items():
            if content is None:
                (scene.run / file).mkdir()
            else:
                (scene.run / file).write_bytes(content)
        usage = shutil.disk_usage(scene.run)
        resize(usage.used + 4096 * pages)
        said = scene.work()
        resize(1 << 24)
        check_failed(scene, said)
        return said

    said = in_child(on_small_disk)
    assert pages > 1 or "no space left" in refusal(said)
