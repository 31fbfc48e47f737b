"""Device, number of processes and precision; and the error message when memory runs out."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from recurra.config import LoopPart
from recurra.errors import ConfigError, memory_fault
from recurra.plain import quoted, reason_of


def make_fabric(config: LoopPart) -> Fabric:
    """Set up the device and the processes: one, or those that `torchrun` started.

    Raises: ConfigError if the requested device or precision is not available.
    """
    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)
    has_cuda = torch.cuda.is_available()
    if config.device == "cuda" and not has_cuda:
        raise ConfigError("device: got 'cuda', but torch sees no GPU; use --device cpu or auto.")
    on_cuda = has_cuda and config.device != "cpu"
    if config.precision == "bf16-mixed" and on_cuda and not torch.cuda.is_bf16_supported():
        raise ConfigError("precision: got 'bf16-mixed', which this GPU does not have; use --precision 32.")
    if on_cuda:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic matrix products
        torch.backends.cudnn.benchmark = False
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    world = int(os.environ.get("WORLD_SIZE", "1"))
    fabric = Fabric(
        accelerator="cuda" if on_cuda else "cpu",
        devices=local,
        num_nodes=max(1, world // local),
        strategy="ddp" if world > 1 else "auto",
        precision="32-true" if config.precision == "32" else "bf16-mixed",
    )
    fabric.launch()
    return fabric


def device_named(name: str | torch.device) -> torch.device:
    """Return the device with a name such as "cpu", "cuda" or "cuda:1", on which weights can be used.

    Raises: ConfigError if the name is unknown, or the machine does not have the device.
    """
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(
            f"device: got {quoted(name)}, expected the name of a device of torch; use 'cpu' or 'cuda'."
        ) from error
    if device.type == "meta":
        raise ConfigError("device: got 'meta', which has no memory for weights; use 'cpu' or 'cuda'.")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"device: got {str(device)!r}, but torch sees no GPU; use 'cpu'.")
    try:
        torch.empty(1, device=device)
    # A build without the device raises AssertionError, a plug-in that is not installed ImportError.
    except (RuntimeError, AssertionError, ImportError) as error:
        raise ConfigError(
            f"device: got {str(device)!r}, which torch cannot use here ({reason_of(error)}); use 'cpu'."
        ) from error
    return device


@contextmanager
def named_memory_faults(remedy: str = "lower batch_size, segment_length or hidden_size") -> Iterator[None]:
    """Turn a failed memory allocation into an error with one sentence that gives the remedy.

    Raises: OutOfMemoryError.
    """
    try:
        yield
    except (MemoryError, RuntimeError, TypeError, OSError) as error:
        named = memory_fault(error, remedy)
        if named is None:
            raise
        raise named from error


def sum_over_processes(fabric: Fabric, value: Tensor) -> float:
    """Return the sum of a number over all processes. Shapes: value ()."""
    if fabric.world_size > 1:
        torch.distributed.all_reduce(value, op=torch.distributed.ReduceOp.SUM)
    return float(value)


def largest_of_processes(fabric: Fabric, *values: int) -> list[int]:
    """Return the maximum of each number over all processes; the result is the same in all of them."""
    if fabric.world_size == 1:
        return list(values)
    found = torch.tensor(values, device=fabric.device)
    torch.distributed.all_reduce(found, op=torch.distributed.ReduceOp.MAX)
    return [int(value) for value in found]


def of_every_process(fabric: Fabric, tensor: Tensor) -> list[Tensor]:
    """Return the tensor of each process; shapes may differ along the batch. Shapes: as the tensor's."""
    if fabric.world_size == 1:
        return [tensor]
    gathered: list[Any] = [None] * fabric.world_size
    torch.distributed.all_gather_object(gathered, tensor.cpu().numpy())
    return [torch.from_numpy(part) for part in gathered]
