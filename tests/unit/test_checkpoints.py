"""Checkpoints: a run resumes from the latest; if the latest is unknown, from the newest complete one."""

import json
import subprocess

import pytest
import torch

from recurra.errors import RunError, StorageError
from recurra.runs import CheckpointFolder


@pytest.fixture
def folder(tmp_path) -> CheckpointFolder:
    return CheckpointFolder(tmp_path / "checkpoint")


def beside(folder: CheckpointFolder, step: int) -> None:
    """A complete checkpoint not yet marked as the latest, as left by a process killed before that."""
    other = CheckpointFolder(folder.path.parent / "other")
    other.save(step, {"a": step}, {"x": torch.tensor(float(step))})
    (other.path / f"step-{step}").rename(folder.path / f"step-{step}")


def test_the_latest_checkpoint_is_the_one_and_only(folder):
    assert not folder.exists()
    folder.save(0, {"a": 1}, {"x": torch.zeros(1)})
    folder.save(5, {"a": 2}, {"x": torch.ones(1)})
    state, tensors = folder.load()
    assert (state, tensors["x"].item()) == ({"a": 2}, 1.0)
    assert sorted(path.name for path in folder.path.iterdir()) == ["LATEST", "step-5"]


def test_a_step_that_is_saved_again_is_never_without_a_checkpoint(folder):
    folder.save(5, {"a": 1}, {})
    folder.save(5, {"a": 2}, {})
    assert folder.load()[0] == {"a": 2}
    folder.latest.unlink()
    assert folder.load()[0] == {"a": 2}
    folder.save(5, {"a": 3}, {})
    assert sorted(path.name for path in folder.path.iterdir()) == ["LATEST", "step-5"]


def test_sums_can_be_checked_by_hand(folder):
    folder.save(5, {"a": 1}, {"x": torch.zeros(1)})
    told = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"],
        cwd=folder.path / "step-5",
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "state.json: OK\ntensors.safetensors: OK\n"


@pytest.mark.parametrize("latest", [None, "", "step-", "step-4", "../other", "\udc80"])
def test_without_latest_the_newest_whole_one_is_gone_on_from(folder, latest):
    folder.save(5, {"a": 5}, {"x": torch.zeros(1)})
    beside(folder, 12)
    beside(folder, 13)
    (folder.path / "step-13" / "state.json").write_text("{")
    assert folder.load()[0] == {"a": 5}
    folder.latest.unlink()
    if latest is not None:
        folder.latest.write_bytes(latest.encode("utf-8", "surrogateescape"))
    assert folder.exists()
    assert folder.load()[0] == {"a": 12}
    (folder.path / "step-12" / "tensors.safetensors").unlink()
    assert folder.load()[0] == {"a": 5}
    (folder.path / "step-5" / "SHA256SUMS").write_text("")
    with pytest.raises(RunError, match=r"step-13/state\.json: is damaged"):
        folder.load()


def test_where_there_is_none_it_is_said(folder):
    with pytest.raises(RunError, match="has no checkpoint to resume from"):
        folder.load()
    folder.path.mkdir()
    folder.latest.write_text("step-5\n")
    assert not folder.exists()
    with pytest.raises(RunError, match="has no checkpoint to resume from"):
        folder.load()


def test_a_checkpoint_of_format_1_has_no_sums(folder):
    folder.save(5, {"a": 5}, {"x": torch.zeros(1)})
    step = folder.path / "step-5"
    (step / "SHA256SUMS").unlink()
    assert folder.load()[0] == {"a": 5}
    for content in ("{", "[1]", "\udcff", "[" * 100_000):
        (step / "state.json").write_bytes(content.encode("utf-8", "surrogateescape"))
        with pytest.raises(RunError, match=r"state\.json: is damaged"):
            folder.load()
    (step / "state.json").unlink()
    with pytest.raises(RunError, match=r"state\.json: is missing"):
        folder.load()


def test_a_failed_save_leaves_the_one_before(folder, monkeypatch):
    folder.save(1, {"a": 1}, {"x": torch.zeros(1)})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="no space left"):
        folder.save(2, {"a": 2}, {"x": torch.zeros(1)})
    monkeypatch.undo()
    assert folder.load()[0] == {"a": 1}
    assert sorted(path.name for path in folder.path.iterdir()) == ["LATEST", "step-1"]


def test_logs_are_on_the_disk_before_the_checkpoint(tmp_path, monkeypatch):
    log = tmp_path / "metrics.jsonl"
    folder = CheckpointFolder(tmp_path / "checkpoint", logs=[log])
    folder.save(0, {}, {})
    log.write_text("{}\n")
    seen = []
    monkeypatch.setattr(
        "recurra.runs.checkpoints._sync_file", lambda path: seen.append((path, folder.load()))
    )
    folder.save(1, {"a": 1}, {})
    assert seen == [(log, ({}, {}))]
    assert json.loads((folder.path / "step-1" / "state.json").read_text()) == {"a": 1}
