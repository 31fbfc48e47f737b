"""The run folder: what it refuses, what it returns, and who may write to it."""

import errno
import fcntl
import json
import os
import re
import subprocess
import threading
from pathlib import Path

import pytest
import torch
from small_runs import (
    FORMAT_1,
    begin,
    content_of,
    fail,
    files_of,
    format_1_run,
    in_child,
    save_labels,
    save_symbols,
    small_run,
    train,
)

from recurra.errors import RunError, StorageError
from recurra.files import write_text
from recurra.runs import FORMAT_VERSION, RunFolder


@pytest.fixture
def run(tmp_path) -> RunFolder:
    return begin(tmp_path / "run")


@pytest.fixture
def old_run(tmp_path) -> RunFolder:
    """A run as an earlier version wrote it."""
    return format_1_run(tmp_path / "old")


def test_settings_come_back(run):
    settings = RunFolder.open(run.path).read_settings()
    assert settings["format_version"] == FORMAT_VERSION
    assert settings["task"] == "lm"
    assert settings["config"] == {"hidden_size": 3}
    assert settings["data"] == {"train": {"path": "x"}}
    assert {"recurra", "torch", "python", "numpy"} <= settings["versions"].keys()
    assert settings["artefacts"].keys() == {"vocabulary.json", "source/vocabulary.json"}


def test_sums_are_those_of_sha256sum(run):
    for name, digest in run.read_settings()["artefacts"].items():
        told = subprocess.run(["sha256sum", run.path / name], capture_output=True, text=True, check=True)
        assert told.stdout.split()[0] == digest
    head = run.settings.read_bytes().rsplit(b"\n", 2)[0] + b"\n"
    told = subprocess.run(["sha256sum"], input=head, capture_output=True, check=True)
    assert told.stdout.split()[0] in run.settings.read_bytes().splitlines()[-1]


def test_weights_come_back(run):
    with pytest.raises(RunError, match="has no model yet"):
        run.read_weights()
    run.write_weights({"a": torch.arange(3.0), "b": torch.ones(2, 2).t()})
    assert torch.equal(run.read_weights()["a"], torch.arange(3.0))


def test_what_is_no_run_is_refused(tmp_path, run):
    with pytest.raises(RunError, match="the folder does not exist"):
        RunFolder.open(tmp_path / "none")
    with pytest.raises(RunError, match="is a file"):
        RunFolder.open(run.settings)
    with pytest.raises(RunError, match=rf"is not a run, but contains runs; .* such as {run.path}\."):
        RunFolder.open(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match=r"is not a run \(it has no run.toml\)"):
        RunFolder.open(tmp_path / "empty")
    with (
        pytest.raises(RunError, match=r"is not a run \(it has no run.toml\)"),
        RunFolder(tmp_path / "empty").locked(),
    ):
        pass
    assert not list((tmp_path / "empty").iterdir())


def test_a_change_of_the_settings_is_noticed_and_can_be_accepted(run):
    text = run.settings.read_text()
    edited = text.replace("hidden_size = 3", "hidden_size = 4")
    run.settings.write_text(edited)
    with pytest.raises(RunError, match=r"run\.toml: was edited or damaged .* with `accepted`"):
        RunFolder.open(run.path)
    accepted = re.sub(r"(?<=# sha256 )[0-9a-f]{64}(?= of .*\n\Z)", "accepted", edited)
    run.settings.write_text(accepted)
    assert RunFolder.open(run.path).read_settings()["config"] == {"hidden_size": 4}
    last = accepted.rindex("# sha256 accepted of the text above;")
    for cut in range(last + len("# sha256 accepted of the text above; ")):
        run.settings.write_text(accepted[:cut])
        with pytest.raises(RunError, match=r"run\.toml: is damaged"):
            run.read_settings()


def test_a_newer_or_damaged_run_is_refused(run):
    text = run.settings.read_text()
    above = text[: text.rindex("# sha256")]
    run.settings.write_text(above.replace(f"format_version = {FORMAT_VERSION}", "format_version = 99"))
    with pytest.raises(RunError, match="written by a newer Recurra"):
        RunFolder.open(run.path)
    run.settings.write_text(above)
    with pytest.raises(RunError, match=r"run\.toml: is damaged \(its last line"):
        RunFolder.open(run.path)
    run.settings.write_text(above.replace(f"format_version = {FORMAT_VERSION}", "format_version = 1"))
    with pytest.raises(RunError, match=r"run\.toml: is damaged \(it says format 1"):
        RunFolder.open(run.path)
    run.settings.write_text(text[: len(text) // 2] + "=")
    with pytest.raises(RunError, match="is damaged"):
        RunFolder.open(run.path)


@pytest.mark.parametrize("line", ["task = ", "[config]\nhidden_size = 3\n", "[data.train]"])
def test_settings_of_format_1_lack_nothing(old_run, line):
    old_run.settings.write_text(FORMAT_1.replace(line, "xyz = 1 #" if line != "task = " else "xyz = "))
    with pytest.raises(RunError, match=r"run\.toml: is damaged"):
        old_run.read_settings()


def test_a_run_of_format_1_is_read_and_gone_on_with(old_run):
    assert RunFolder.open(old_run.path).read_settings()["config"] == {"hidden_size": 3}
    old_run.check_artefacts()
    with old_run.locked():
        old_run.metrics.append({"kind": "training", "step": 1})
    assert (old_run.path / ".recurra").exists()
    with pytest.raises(RunError, match="holds a run already"):
        RunFolder.check_free(old_run.path)


def test_over_a_run_of_format_1_exactly_its_files_go(old_run):
    (old_run.path / "notes.txt").write_text("keep")
    (old_run.path / "source" / "notes.txt").write_text("keep")
    begin(old_run.path, save_labels, overwrite=True)
    assert files_of(old_run.path).keys() == {
        ".recurra",
        "run.toml",
        "labels.json",
        "notes.txt",
        "source/notes.txt",
    }
    old_run.check_artefacts()


def test_a_folder_in_the_way_is_never_harmed(tmp_path, run):
    with pytest.raises(RunError, match=r"resume it with `recurra train --resume .*--overwrite"):
        begin(run.path)
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("keep")
    for overwrite in (False, True):
        for path in (tmp_path / "letters", tmp_path / "letters" / "dear.txt"):
            with pytest.raises(RunError, match="exists and is not a run"):
                begin(path, overwrite=overwrite)
    (tmp_path / "letters" / "run.toml").write_text("hidden_size = 3\n")  # the user's own file
    with pytest.raises(RunError, match="exists and is not a run"):
        begin(tmp_path / "letters", overwrite=True)
    assert files_of(tmp_path / "letters").keys() == {"dear.txt", "run.toml"}


def test_overwriting_removes_what_a_run_wrote_and_nothing_else(tmp_path):
    run = small_run(tmp_path / "run")
    (run.path / "notes.txt").write_text("keep")
    (run.path / ".run.toml.original").write_text("keep")
    (run.path / ".run.toml.0123abcd.partial").write_text("{")
    (run.path / "checkpoint" / ".step-3.4242").mkdir()
    begin(run.path, save_labels, overwrite=True)
    assert files_of(run.path).keys() == {
        ".recurra",
        ".run.toml.original",
        "run.toml",
        "labels.json",
        "notes.txt",
    }
    assert sorted(entry.name for entry in run.path.iterdir() if entry.is_dir()) == []
    assert run.begun_only


def test_a_run_that_is_removed_leaves_what_it_did_not_write(tmp_path):
    run = small_run(tmp_path / "run")
    run.remove()
    assert not run.path.exists()
    run = small_run(tmp_path / "run")
    (run.path / "notes.txt").write_text("keep")
    run.remove()
    assert files_of(run.path).keys() == {"notes.txt"}
    with pytest.raises(RunError, match=r"is not a run \(it has no run\.toml\)"):
        run.remove()


def test_a_file_of_a_person_is_never_replaced(tmp_path):
    run = small_run(tmp_path / "run")
    want = content_of(run)
    (run.path / "labels.json").write_text("keep")
    with pytest.raises(RunError, match=r"labels\.json: is in the way and was not written by a run"):
        begin(run.path, save_labels, overwrite=True)
    assert content_of(run) == want
    assert (run.path / "labels.json").read_text() == "keep"
    (run.path / "labels.json").unlink()
    (run.path / "words").write_text("keep")

    def save_below(folder: Path) -> None:
        (folder / "words").mkdir()
        (folder / "words" / "a.json").write_text("{}")

    with pytest.raises(RunError, match=r"words: is in the way"):
        begin(run.path, save_below, overwrite=True)
    assert content_of(run) == want


def test_the_name_of_an_artefact_of_long_ago_is_free(tmp_path):
    run = begin(tmp_path / "run", save_symbols)
    begin(run.path, save_labels, overwrite=True)
    (run.path / "vocabulary.json").write_text("keep")
    begin(run.path, save_labels, overwrite=True)
    assert (run.path / "vocabulary.json").read_text() == "keep"
    with pytest.raises(RunError, match=r"vocabulary\.json: is in the way"):
        begin(run.path, save_symbols, overwrite=True)


def test_what_lies_elsewhere_is_never_removed(tmp_path):
    run = small_run(tmp_path / "run")
    (tmp_path / "mine.txt").write_text("keep")
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "vocabulary.json").write_text("keep")
    with (run.path / ".recurra").open("a") as marker:
        marker.write(f"../mine.txt\n{tmp_path}/mine.txt\n")
    (run.path / "source" / "vocabulary.json").unlink()
    (run.path / "source").rmdir()
    (run.path / "source").symlink_to(tmp_path / "source")
    begin(run.path, save_labels, overwrite=True)
    assert (tmp_path / "mine.txt").exists()
    assert (tmp_path / "source" / "vocabulary.json").read_text() == "keep"


def test_a_marker_that_points_elsewhere_is_not_followed(tmp_path, run):
    (tmp_path / "mine.txt").write_text("keep")
    (run.path / ".recurra").unlink()
    (run.path / ".recurra").symlink_to(tmp_path / "mine.txt")
    with pytest.raises(StorageError, match=r"\.recurra: cannot be written"), run.locked():
        pass
    assert (tmp_path / "mine.txt").read_text() == "keep"


def test_artefacts_that_are_missing_or_damaged_are_named(run):
    run.check_artefacts()
    path = run.path / "source" / "vocabulary.json"
    path.write_text('{"symbols": ["d"]}\n')
    with pytest.raises(RunError, match=rf"{path}: is damaged \(its sha256 differs"):
        run.check_artefacts()
    path.unlink()
    with pytest.raises(RunError, match=rf"{path}: is missing; copy it"):
        run.check_artefacts()


def test_a_run_that_has_just_begun_is_told_from_one_that_trained(tmp_path):
    run = begin(tmp_path / "run")
    assert run.begun_only
    run.checkpoints.save(0, {}, {})
    assert not run.begun_only
    assert not RunFolder(tmp_path / "none").begun_only


def test_a_run_without_its_settings_is_not_lost_in_silence(tmp_path):
    run = small_run(tmp_path / "run")
    run.settings.unlink()
    with pytest.raises(RunError, match=r"the run\.toml of this run is missing; restore it"):
        begin(run.path)
    assert run.weights.exists()
    begin(run.path, overwrite=True)
    assert run.begun_only


def test_odd_names_of_artefacts(tmp_path):
    def save(folder: Path) -> None:
        for name in ("# beginning", "a b", "é.json", ".hidden", 'quoted "x"'):
            (folder / name).write_text(name)

    run = begin(tmp_path / "run", save)
    run.check_artefacts()
    assert len(run.read_settings()["artefacts"]) == 5
    begin(run.path, save_labels, overwrite=True)
    assert files_of(run.path).keys() == {".recurra", "run.toml", "labels.json"}


def test_a_run_is_held_by_one_process_which_is_named(run):
    def hold(ready: int, done: int) -> None:
        with run.locked():
            os.write(ready, b"x")
            os.read(done, 1)

    told, ready = os.pipe()
    done, end = os.pipe()
    child = os.fork()
    if child == 0:
        hold(ready, done)
        os._exit(0)
    os.read(told, 1)
    where = f" (pid {child})" if Path("/proc/locks").exists() else ""
    want = re.escape(
        f"{run.path}: is being written by another process{where}; wait until it ends, or stop it first."
    )
    before = files_of(run.path)
    for attempt in (run.locked(), RunFolder.claimed(run.path, overwrite=True)):
        with pytest.raises(RunError, match=want), attempt:
            pass
    with pytest.raises(RunError, match=want):
        run.remove()
    assert files_of(run.path) == before
    os.write(end, b"x")
    os.waitpid(child, 0)
    with run.locked():
        pass
    for descriptor in (told, ready, done, end):
        os.close(descriptor)


def test_within_a_thread_a_run_is_held_more_than_once(run):
    with RunFolder.claimed(run.path, overwrite=True), run.locked(), RunFolder(run.path).locked():
        refused = []

        def other() -> None:
            try:
                with run.locked():
                    pass
            except RunError as error:
                refused.append(error)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert len(refused) == 1
    with run.locked():
        pass


def test_of_many_that_begin_on_one_folder_one_does(tmp_path):
    for attempt in range(10):
        path = tmp_path / str(attempt)
        children = []
        for number in range(4):
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    begin(path, lambda folder: write_text(folder / "own.json", "{}"), number=number)
                    code = 0
                except RunError:
                    code = 2
                finally:
                    os._exit(code)
            children.append(child)
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        assert sorted(codes) == [0, 2, 2, 2]
        run = RunFolder.open(path)
        assert run.read_settings()["config"]["number"] == codes.index(0)
        run.check_artefacts()


def test_a_marker_that_is_replaced_while_it_is_opened_is_opened_again(tmp_path, monkeypatch):
    path, real, times = tmp_path / "run", fcntl.flock, []

    def withdrawn(descriptor: int, how: int) -> None:
        real(descriptor, how)
        times.append(1)
        if len(times) == 1:  # another process removes it first
            (path / ".recurra").unlink()
            path.rmdir()
        if len(times) == 2:
            (path / ".recurra").unlink()
            (path / ".recurra").touch()

    monkeypatch.setattr(fcntl, "flock", withdrawn)
    with RunFolder.claimed(path):
        monkeypatch.undo()
        assert len(times) == 3
        assert in_child(lambda: begin(path)) == 1  # only this process has it
    assert path.exists()


def test_what_comes_before_the_lock_is_seen(tmp_path, monkeypatch):
    path, real, times = tmp_path / "run", fcntl.flock, []

    def late(descriptor: int, how: int) -> None:
        times.append(1)
        if len(times) == 1:  # another process is faster
            assert in_child(lambda: begin(path, number=1)) == 0
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(RunError, match="holds a run already"):
        begin(path, number=2)
    assert RunFolder.open(path).read_settings()["config"]["number"] == 1


def test_a_claim_that_comes_to_nothing_leaves_nothing(tmp_path):
    def fails(_: Path) -> None:
        raise ValueError("ours")

    with pytest.raises(ValueError, match="ours"):
        begin(tmp_path / "a" / "run", fails)
    assert not (tmp_path / "a").exists()  # it was made for the run
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="ours"):
        begin(tmp_path / "empty", fails)
    assert not list((tmp_path / "empty").iterdir())
    run = small_run(tmp_path / "run")
    before = files_of(run.path)
    with pytest.raises(ValueError, match="ours"):
        begin(run.path, fails, overwrite=True)
    assert files_of(run.path) == before


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_a_folder_that_cannot_be_written_to(run, monkeypatch, number):
    real = os.open

    def refusing(path, flags, *arguments, **named):
        if flags & (os.O_WRONLY | os.O_RDWR):
            fail(number)
        return real(path, flags, *arguments, **named)

    monkeypatch.setattr(os, "open", refusing)
    monkeypatch.setattr(os, "mkdir", lambda *_, **__: fail(number))
    sentence = r"\.recurra: (cannot be written \(.*\); check|no space left)"
    attempts = [
        run.locked(),
        RunFolder.claimed(run.path, overwrite=True),
        RunFolder.claimed(run.path.parent / "new"),
    ]
    for attempt in attempts:
        with pytest.raises(StorageError, match=sentence), attempt:
            pass


def test_a_disk_without_locks_is_named(run, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", lambda *_: fail(errno.ENOLCK))
    with pytest.raises(StorageError, match="cannot be locked"), run.locked():
        pass


def test_what_cannot_be_read_is_named(run, monkeypatch):
    monkeypatch.setattr(os, "listdir", lambda *_: fail(errno.EACCES))
    for attempt in (
        lambda: RunFolder.check_free(run.path),
        lambda: RunFolder.open(run.path / "none"),
        run.checkpoints.exists,
    ):
        with pytest.raises(RunError, match="cannot be read"):
            attempt()


def test_the_lock_ends_with_its_process(tmp_path):
    run = small_run(tmp_path / "run")

    def die() -> None:
        with run.locked():
            os._exit(7)

    assert in_child(die) == 7
    with run.locked():
        assert content_of(run)[2] == {"place": {"step": 5}}


def test_a_copy_needs_what_its_settings_list(tmp_path):
    run = small_run(tmp_path / "run")
    copy = RunFolder(tmp_path / "copy")
    for name in ("run.toml", "model.safetensors", *run.read_settings()["artefacts"]):
        (copy.path / name).parent.mkdir(parents=True, exist_ok=True)
        (copy.path / name).write_bytes((run.path / name).read_bytes())
    copy.check_artefacts()
    assert torch.equal(copy.read_weights()["a"], run.read_weights()["a"])
    with copy.locked():
        assert json.loads((copy.path / "vocabulary.json").read_text())
    train(begin(copy.path, save_symbols, overwrite=True))
    assert content_of(copy)[1] == content_of(run)[1]
