"""A process that is killed, or whose disk fails, at any call leaves a usable run folder."""

import errno
import os
from pathlib import Path

import pytest
from small_runs import (
    attempt,
    begin,
    content_of,
    fail_everywhere,
    files_of,
    format_1_run,
    kill_everywhere,
    no_strays,
    save_other,
    small_run,
    train,
)

from recurra.errors import RecurraError, RunError
from recurra.runs import RunFolder

ARTEFACTS = {"labels.json", "vocabulary.json"}


@pytest.fixture(autouse=True)
def _nothing_is_waited_for(monkeypatch):
    """Skip fsync: a killed process leaves what it wrote, even if it is not on the disk yet."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


def new_folder(tmp_path):
    return lambda number: tmp_path / str(number) / "run"


def begin_new(path: Path) -> None:
    begin(path, save_other, size=2)


def begin_over(path: Path) -> None:
    begin(path, save_other, overwrite=True, size=2)


def check_begun_or_free(path: Path) -> None:
    """After a kill in `begin`, the run is complete or the same command begins again; no file is left over."""
    _, told = attempt(lambda: begin_new(path))
    if told:
        assert "holds a run already" in told
        run = RunFolder.open(path)
        assert run.read_settings()["config"]["size"] == 2
        assert run.begun_only
        run.check_artefacts()
    with RunFolder(path).locked():
        assert no_strays(path)
    assert files_of(path).keys() == ARTEFACTS | {".recurra", "run.toml"}


def test_killed_while_it_begins(tmp_path):
    for path in kill_everywhere(new_folder(tmp_path), begin_new):
        check_begun_or_free(path)


def test_a_disk_that_fails_while_a_run_begins(tmp_path):
    for error in (errno.ENOSPC, errno.EROFS, errno.EIO):
        for path, raised in fail_everywhere(new_folder(tmp_path / str(error)), begin_new, error):
            assert raised is None or isinstance(raised, RecurraError)
            check_begun_or_free(path)


def old_run(tmp_path):
    def prepare(number: int) -> Path:
        run = small_run(tmp_path / str(number) / "run")
        (run.path / "notes.txt").write_text("keep")
        return run.path

    return prepare


def check_old_or_new(path: Path, want) -> bool:
    """The old or the new run is complete, or the folder is free for it; returns True for the old run."""
    run, is_old = RunFolder(path), False
    if run.settings.exists():
        is_old = run.read_settings()["config"] == want[0]["config"]
        if is_old:
            assert {**content_of(run)[0], "versions": 0} == {**want[0], "versions": 0}
            assert content_of(run)[1:] == want[1:]
            begin_over(path)
        else:
            assert run.begun_only
            run.check_artefacts()
    else:
        begin_new(path)
    with run.locked():
        assert no_strays(path)
    assert files_of(path).keys() == ARTEFACTS | {".recurra", "run.toml", "notes.txt"}
    train(run)
    return is_old


def test_killed_while_it_overwrites(tmp_path):
    want = content_of(small_run(tmp_path / "want"))
    found = [check_old_or_new(path, want) for path in kill_everywhere(old_run(tmp_path), begin_over)]
    assert sorted(found, reverse=True) == found  # the old run up to some call, never after it
    assert len(set(found)) == 2


def test_killed_while_it_overwrites_a_run_of_format_1(tmp_path):
    for path in kill_everywhere(lambda number: format_1_run(tmp_path / str(number)).path, begin_over):
        begin_over(path)
        assert files_of(path).keys() == ARTEFACTS | {".recurra", "run.toml"}


def test_a_disk_that_fails_while_a_run_is_overwritten(tmp_path):
    want = content_of(small_run(tmp_path / "want"))
    for path, raised in fail_everywhere(old_run(tmp_path), begin_over):
        assert raised is None or isinstance(raised, RecurraError)
        check_old_or_new(path, want)


def test_the_old_run_can_be_gone_on_with_where_the_new_one_was_stopped(tmp_path):
    want = content_of(small_run(tmp_path / "want"))
    for path in kill_everywhere(old_run(tmp_path), begin_over):
        run = RunFolder(path)
        if not run.settings.exists() or run.read_settings()["config"] != want[0]["config"]:
            return
        with run.locked():
            assert no_strays(path)
            assert content_of(run)[1:] == want[1:]
        (path / "labels.json").write_text("keep")  # the user's own file: the new run had not written it yet
        with pytest.raises(RunError, match="is in the way"):
            begin_over(path)


def save_again(run: RunFolder) -> None:
    with run.locked():
        run.metrics.append({"kind": "training", "step": 6})
        run.checkpoints.save(6, {"place": {"step": 6}}, run.checkpoints.load()[1])
        run.write_weights(run.read_weights())
        run.checkpoints.save(6, {"place": {"step": 7}}, run.checkpoints.load()[1])


def check_saved(run: RunFolder) -> int:
    content = content_of(run)
    assert [record["step"] for record in content[1]] in ([4, 5], [4, 5, 6])
    with run.locked():
        assert no_strays(run.path)
        assert content_of(run) == content
        run.checkpoints.save(9, {"place": {"step": 9}}, {})
    assert {entry.name for entry in run.checkpoints.path.iterdir()} == {"LATEST", "step-9"}
    return content[2]["place"]["step"]


def test_killed_while_it_saves(tmp_path):
    runs = kill_everywhere(lambda number: small_run(tmp_path / str(number)), save_again)
    steps = [check_saved(run) for run in runs]
    assert steps == sorted(steps)
    assert set(steps) == {5, 6, 7}


def test_a_disk_that_fails_while_a_run_saves(tmp_path):
    for run, raised in fail_everywhere(lambda number: small_run(tmp_path / str(number)), save_again):
        assert raised is None or isinstance(raised, RecurraError)
        check_saved(run)
