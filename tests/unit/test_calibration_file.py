"""calibration.json belongs to the weights of its run."""

import json

import pytest
import torch
from small_runs import small_run

from recurra.errors import RunError
from recurra.runs import RunFolder
from recurra.runs.calibration_file import read_calibration, remove_calibration, write_calibration
from recurra.runs.tensor_files import sum_of_tensors


def test_a_copy_of_a_run_is_calibrated(tmp_path):
    run = small_run(tmp_path / "run")
    found = read_calibration(run)
    assert found["temperature"] == 1.5
    run.copy_to(tmp_path / "copy")
    assert read_calibration(RunFolder(tmp_path / "copy")) == found
    assert remove_calibration(run)
    assert not remove_calibration(run)
    assert read_calibration(run) is None
    run.copy_to(tmp_path / "other")
    assert not (tmp_path / "other" / "calibration.json").exists()


def test_other_weights_have_no_calibration(tmp_path):
    run = small_run(tmp_path / "run")
    before, weights = run.calibration.read_bytes(), sum_of_tensors(run.weights)
    run.write_weights({"a": torch.ones(3)})
    assert not run.calibration.exists()
    with pytest.raises(RunError, match="weights have changed since the model was loaded; load it again"):
        write_calibration(run, {}, weights)
    assert not run.calibration.exists()
    run.calibration.write_bytes(before)
    with pytest.raises(RunError, match=r"was fitted to other weights .*recurra calibrate .*run --remove`\.$"):
        read_calibration(run)


def test_a_calibration_of_a_newer_version_is_refused(tmp_path, monkeypatch):
    run = small_run(tmp_path / "run")
    monkeypatch.setattr("recurra.runs.calibration_file.FORMAT_VERSION", 2)
    write_calibration(run, {}, sum_of_tensors(run.weights))
    monkeypatch.undo()
    with pytest.raises(RunError, match=r"calibration.json: has format 2, expected 1; use the version of "):
        read_calibration(run)


def test_weights_without_a_checksum_are_told_apart(tmp_path):
    """Files of other programs."""
    sums = []
    for number in (1, 2):
        header = json.dumps({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}).encode()
        path = tmp_path / "weights"
        path.write_bytes(len(header).to_bytes(8, "little") + header + bytes([number]))
        sums.append(sum_of_tensors(path))
    assert sums[0] != sums[1]
    with pytest.raises(RunError, match="none: is missing or damaged"):
        sum_of_tensors(tmp_path / "none")
