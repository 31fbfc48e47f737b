"""The run folder: what it refuses, and what it gives back."""

import pytest
import torch

from recurra.errors import RunError, StorageError
from recurra.runs import CheckpointFolder, MetricsLog, RunFolder, read_metrics


@pytest.fixture
def run(tmp_path) -> RunFolder:
    folder = RunFolder.create(tmp_path / "run")
    folder.write_settings("lm", {"hidden_size": 3}, {"train": {"path": "x"}})
    return folder


def test_settings_come_back(run):
    settings = RunFolder.open(run.path).read_settings()
    assert settings["task"] == "lm"
    assert settings["config"] == {"hidden_size": 3}
    assert {"recurra", "torch", "python", "numpy"} <= settings["versions"].keys()


def test_weights_come_back(run):
    run.write_weights({"a": torch.arange(3.0), "b": torch.ones(2, 2).t()})
    assert torch.equal(run.read_weights()["a"], torch.arange(3.0))


def test_what_is_no_run_is_refused(tmp_path, run):
    with pytest.raises(RunError, match="there is no such folder"):
        RunFolder.open(tmp_path / "none")
    with pytest.raises(RunError, match=rf"is not a run, but holds some; .* such as {run.path}\."):
        RunFolder.open(tmp_path)
    with pytest.raises(RunError, match=r"is not a run \(it has no run.toml\)"):
        RunFolder.open(tmp_path.parent)
    with pytest.raises(RunError, match="has no model yet"):
        run.read_weights()
    run.weights.write_bytes(b"\0" * 9)
    with pytest.raises(RunError, match="missing or damaged"):
        run.read_weights()


def test_a_run_is_held_by_one_process(run):
    with (
        run.locked(),
        pytest.raises(RunError, match="is being trained by another process"),
        RunFolder(run.path).locked(),
    ):
        pass
    with run.locked():
        pass


def test_a_newer_or_damaged_run_is_refused(run):
    text = run.settings.read_text()
    run.settings.write_text(text.replace("format_version = 1", "format_version = 99"))
    with pytest.raises(RunError, match="written by a newer Recurra"):
        RunFolder.open(run.path)
    run.settings.write_text(text[: len(text) // 2] + "=")
    with pytest.raises(RunError, match="is damaged"):
        RunFolder.open(run.path)


def test_a_folder_in_the_way_is_never_harmed(tmp_path, run):
    with pytest.raises(RunError, match=r"go on with it by `recurra train --resume .*--overwrite"):
        RunFolder.create(run.path)
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("keep")
    for overwrite in (False, True):
        with pytest.raises(RunError, match="exists and is not a run"):
            RunFolder.create(tmp_path / "letters", overwrite=overwrite)
    assert (tmp_path / "letters" / "dear.txt").read_text() == "keep"
    (run.path / "notes.txt").write_text("keep")
    RunFolder.create(run.path, overwrite=True)
    assert [path.name for path in run.path.iterdir()] == ["notes.txt"]
    (tmp_path / "letters" / "run.toml").write_text("hidden_size = 3\n")  # a person's own file
    with pytest.raises(RunError, match="exists and is not a run"):
        RunFolder.create(tmp_path / "letters", overwrite=True)


def test_the_latest_checkpoint_is_the_one_and_only(tmp_path):
    folder = CheckpointFolder(tmp_path / "checkpoint")
    assert not folder.exists()
    folder.save(0, {"a": 1}, {"x": torch.zeros(1)})
    folder.save(5, {"a": 2}, {"x": torch.ones(1)})
    state, tensors = folder.load()
    assert (state, tensors["x"].item()) == ({"a": 2}, 1.0)
    assert sorted(path.name for path in folder.path.iterdir()) == ["LATEST", "step-5"]


def test_a_failed_save_leaves_the_one_before(tmp_path, monkeypatch):
    folder = CheckpointFolder(tmp_path / "checkpoint")
    folder.save(1, {"a": 1}, {"x": torch.zeros(1)})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="no space left"):
        folder.save(2, {"a": 2}, {"x": torch.zeros(1)})
    monkeypatch.undo()
    assert folder.load()[0] == {"a": 1}
    assert sorted(path.name for path in folder.path.iterdir()) == ["LATEST", "step-1"]


def test_metrics_are_cut_back_and_a_torn_line_is_left_out(tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.append({"step": 1})
    size = log.size
    log.append({"step": 2})
    log.cut_back(size)
    assert log.read() == [{"step": 1}]
    with log.path.open("a") as file:
        file.write('{"step": 3, "lo')
    assert log.read() == [{"step": 1}]
    with log.path.open("a") as file:
        file.write("\n{}\n")
    with pytest.raises(RunError, match=r"metrics\.jsonl:2: is not JSON"):
        read_metrics(log.path)
