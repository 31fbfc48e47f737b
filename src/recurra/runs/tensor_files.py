"""Safetensors files with their own sha256, written and read tensor by tensor.

A file has the length of its header (8 bytes, little-endian), the header (JSON), and the data of all tensors
without gaps. In the header, `__metadata__.sha256` is computed over the header without `__metadata__`, as JSON
with sorted keys and without blanks, followed by the data. Files without it can also be read.
"""

import hashlib
import io
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recurra.errors import RunError
from recurra.files import sha256_of
from recurra.plain import parsed_json

_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U64": torch.uint64,
    "U32": torch.uint32,
    "U16": torch.uint16,
    "U8": torch.uint8,
    "BOOL": torch.bool,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_METADATA, _SUM = "__metadata__", "sha256"
_NO_SUM = "0" * 64


class _Entry(NamedTuple):
    """Location of a tensor: its data are the bytes `start` … `stop` after the header."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    start: int
    stop: int

    @classmethod
    def read(cls, name: str, content: Any) -> "_Entry":
        """Parse a header's entry for a tensor. Raises: ValueError if it is invalid."""
        if not isinstance(content, dict) or content.keys() != {"dtype", "shape", "data_offsets"}:
            raise ValueError(f"the entry of {name!r} in its header is incomplete or has unknown keys")
        shape, places = content["shape"], content["data_offsets"]
        numbers = [*shape, *places] if isinstance(shape, list) and isinstance(places, list) else [None]
        if any(type(number) is not int or number < 0 for number in numbers) or len(places) != 2:
            raise ValueError(f"its header gives {name!r} an invalid shape or offset")
        if str(content["dtype"]) not in _DTYPES:
            raise ValueError(f"its header gives {name!r} an unknown type")
        return cls(name, _DTYPES[str(content["dtype"])], tuple(shape), *places)

    def mapped(self, path: Path, begin: int) -> NDArray[Any]:
        """Map the tensor's part of a file into memory; the data of the file begin at `begin`."""
        kind = torch.empty(0, dtype=self.dtype).numpy().dtype
        if not math.prod(self.shape):
            return np.empty(self.shape, kind)  # nothing cannot be mapped
        return np.memmap(path, kind, "r", begin + self.start, self.shape)

    def describe(self) -> dict[str, Any]:
        """Return the header's entry for the tensor."""
        return {
            "dtype": _NAMES[self.dtype],
            "shape": list(self.shape),
            "data_offsets": [self.start, self.stop],
        }


def write_tensors(file: IO[bytes], tensors: Mapping[str, Tensor]) -> None:
    """Write tensors one at a time as a safetensors file; `file` must be seekable.

    Shapes: as they come.
    """
    entries, stop = [], 0
    for name in sorted(
        tensors, key=lambda name: (-tensors[name].element_size(), name)
    ):  # large elements first, so all are aligned
        tensor, start = tensors[name], stop
        stop += tensor.numel() * tensor.element_size()
        entries.append(_Entry(name, tensor.dtype, tuple(tensor.shape), start, stop))
    begin = file.tell()
    file.write(_header(entries, _NO_SUM))
    digest = hashlib.sha256(_canonical(entries))
    for entry in entries:
        numbers = _numbers_of(tensors[entry.name].detach().cpu().contiguous())
        digest.update(numbers)
        file.write(numbers)
    file.seek(begin)
    file.write(_header(entries, digest.hexdigest()))
    file.seek(0, os.SEEK_END)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a safetensors file, each into its own memory.

    Raises: RunError if it is missing or damaged.
    """
    try:
        with path.open("rb") as file:
            return _read(file, os.fstat(file.fileno()).st_size)
    except FileNotFoundError as error:
        raise RunError(f"{path}: is missing; restore it from a copy or train again.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path}: is damaged ({error}); restore it from a copy or train again.") from error


def mapped_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Map the tensors of a safetensors file into memory as arrays to read, without reading them.

    Shapes: as they come. Raises: RunError if it is missing or its header is damaged.
    """
    try:
        with path.open("rb") as file:
            entries, _, begin = _entries(file, os.fstat(file.fileno()).st_size)
        return {entry.name: entry.mapped(path, begin) for entry in entries}
    except FileNotFoundError as error:
        raise RunError(f"{path}: is missing; restore it from a copy or train again.") from error
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise RunError(f"{path}: is damaged ({error}); restore it from a copy or train again.") from error


def sum_of_tensors(path: Path) -> str:
    """Return the sha256 that the header of a safetensors file has; of one without it, that of the file.

    Raises: RunError if it is missing or damaged.
    """
    try:
        with path.open("rb") as file:
            header = parsed_json(file.read(int.from_bytes(file.read(8), "little")).decode("utf-8"))
        found = header.get(_METADATA, {}).get(_SUM)
        return found if isinstance(found, str) else sha256_of(path)
    except (OSError, ValueError, AttributeError, OverflowError, MemoryError) as error:
        raise RunError(
            f"{path}: is missing or damaged ({error}); restore it from a copy or train again."
        ) from error


def _entries(file: io.BufferedReader, size: int) -> tuple[list[_Entry], Any, int]:
    """Read the header of an open file: the entries in order, the metadata, and where the data begin.

    Raises: ValueError if it is damaged.
    """
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > size - 8:
        raise ValueError("it is truncated in its header")
    header = parsed_json(file.read(length).decode("utf-8"), object_pairs_hook=_without_repeats)
    if not isinstance(header, dict):
        raise ValueError("its header is not a JSON object")
    metadata = header.pop(_METADATA, {})
    entries = sorted((_Entry.read(*item) for item in header.items()), key=lambda entry: entry[3:])
    stop = 0
    for entry in entries:
        if entry.start != stop or entry.stop - stop != math.prod(entry.shape) * entry.dtype.itemsize:
            raise ValueError(f"its header gives {entry.name!r} an invalid offset")
        stop = entry.stop
    if stop != size - 8 - length:
        raise ValueError(f"its tensors have {size - 8 - length:,} bytes, but its header lists {stop:,}")
    return entries, metadata, 8 + length


def _read(file: io.BufferedReader, size: int) -> dict[str, Tensor]:
    """Read the tensors of an open file. Raises: ValueError if it is damaged."""
    entries, metadata, _ = _entries(file, size)
    digest = hashlib.sha256(_canonical(entries))
    tensors = {}
    for entry in entries:
        tensor = torch.empty(entry.shape, dtype=entry.dtype)
        numbers = _numbers_of(tensor)
        if file.readinto(numbers) != len(numbers):
            raise ValueError("it is truncated")
        digest.update(numbers)
        tensors[entry.name] = tensor
    if not isinstance(metadata, dict) or metadata.get(_SUM, digest.hexdigest()) != digest.hexdigest():
        raise ValueError("its sha256 differs from the one in its header")
    return tensors


def _header(entries: Sequence[_Entry], digest: str) -> bytes:
    """Return the header's length and the header, padded so that the data begin at a multiple of 8."""
    content = {_METADATA: {_SUM: digest}} | {entry.name: entry.describe() for entry in entries}
    text = json.dumps(content, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _canonical(entries: Sequence[_Entry]) -> bytes:
    content = {entry.name: entry.describe() for entry in entries}
    return json.dumps(content, separators=(",", ":"), sort_keys=True).encode()


def _numbers_of(tensor: Tensor) -> memoryview:
    """Return a view of the bytes of a contiguous CPU tensor."""
    numbers: memoryview = tensor.reshape(-1).view(torch.uint8).numpy().data
    return numbers


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("its header names a tensor twice")
    return found
