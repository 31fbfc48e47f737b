"""Safetensors files with a checksum: any reader can read them, and ours detects every change."""

import pytest
import safetensors.torch
import torch
from safetensors import safe_open
from small_runs import attempt

from recurra.errors import RunError
from recurra.files import written_whole
from recurra.runs import read_tensors, write_tensors

KINDS = (
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16,
    torch.int8, torch.uint64, torch.uint32, torch.uint16, torch.uint8, torch.bool, torch.float8_e4m3fn,
    torch.float8_e5m2,
)  # fmt: skip


def write(path, tensors):
    with written_whole(path) as file:
        write_tensors(file, tensors)


def bits(tensor):
    return tensor.dtype, tuple(tensor.shape), tensor.contiguous().reshape(-1).view(torch.uint8).tolist()


@pytest.fixture
def tensors():
    odd = {str(kind): torch.tensor([0, 1, 3]).to(kind) for kind in KINDS}
    return odd | {
        "weight.é\n": torch.nn.Parameter(torch.randn(3, 5)).t(),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 4),
        "part": torch.arange(10.0)[3:7:2],
    }


def test_tensors_come_back_from_either_reader(tmp_path, tensors):
    path = tmp_path / "a.safetensors"
    write(path, tensors)
    ours, theirs = read_tensors(path), safetensors.torch.load_file(path)
    assert ours.keys() == theirs.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert bits(ours[name]) == bits(theirs[name]) == bits(tensor.detach()), name
        assert ours[name].data_ptr() % 16 == 0 or not ours[name].numel()
    with safe_open(path, "pt") as file:
        assert list(file.metadata()) == ["sha256"]


def test_nothing_is_a_file_too(tmp_path):
    write(tmp_path / "a", {})
    assert read_tensors(tmp_path / "a") == safetensors.torch.load_file(tmp_path / "a") == {}


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_files_of_others_are_read(tmp_path, metadata):
    path = tmp_path / "a.safetensors"
    want = {"b": torch.randn(3), "a": torch.ones(2, 2, dtype=torch.int8)}
    safetensors.torch.save_file(want, path, metadata)
    assert {name: bits(tensor) for name, tensor in read_tensors(path).items()} == {
        name: bits(tensor) for name, tensor in want.items()
    }


def test_every_changed_byte_is_told(tmp_path):
    path = tmp_path / "a.safetensors"
    write(path, {"a": torch.arange(3.0), "b": torch.tensor([True])})
    content = path.read_bytes()
    want = {name: bits(tensor) for name, tensor in read_tensors(path).items()}
    for place in range(len(content)):
        for change in range(1, 256, 5 if place < 9 else 31):
            path.write_bytes(content[:place] + bytes([content[place] ^ change]) + content[place + 1 :])
            got, told = attempt(lambda: {name: bits(each) for name, each in read_tensors(path).items()})
            assert got == want or told.startswith(f"{path}: is damaged")


@pytest.mark.parametrize(
    "header",
    [
        "[]",
        '{"a": 3}',
        '{"a": {"dtype": "F32", "shape": [1]}}',
        '{"a": {"dtype": "F32", "shape": 1, "data_offsets": [0, 4]}}',
        '{"a": {"dtype": "F32", "shape": [-1, -1], "data_offsets": [0, 4]}}',
        '{"a": {"dtype": "F32", "shape": [true], "data_offsets": [0, 4]}}',
        '{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 8]}}',
        '{"a": {"dtype": "F31", "shape": [1], "data_offsets": [0, 4]}}',
        '{"a": {"dtype": ["F32"], "shape": [1], "data_offsets": [0, 4]}}',
        '{"a": {"dtype": "F32", "shape": [1000000000000], "data_offsets": [0, 4]}}',
        '{"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}',
        '{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}',
        '{"__metadata__": 3, "a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}',
        "[" * 100_000,
    ],
)
def test_a_header_that_cannot_be_is_refused(tmp_path, header):
    path = tmp_path / "a.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header.encode() + b"\0" * 4)
    with pytest.raises(RunError, match="is damaged"):
        read_tensors(path)
    path.unlink()
    with pytest.raises(RunError, match="is missing"):
        read_tensors(path)
