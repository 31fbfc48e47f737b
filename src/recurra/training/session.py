"""Helpers around the training loop: batch shares, seeds, listeners, the best weights."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from lightning_fabric import Fabric
from torch import nn

from recurra.errors import ConfigError
from recurra.runs import RunFolder
from recurra.training.devices import named_memory_faults
from recurra.training.listeners import Listener, TensorBoardListener
from recurra.training.weights import restore_weights

NetworkT = TypeVar("NetworkT", bound=nn.Module)


def check_shares(batch_size: int, fabric: Fabric) -> None:
    """Refuse a batch size that cannot be divided evenly among the processes.

    Raises: ConfigError.
    """
    if batch_size % fabric.world_size:
        raise ConfigError(
            f"batch_size: got {batch_size}, expected a multiple of the {fabric.world_size} processes."
        )


def rows_of_process(batch_size: int, rank: int, processes: int) -> slice:
    """Return the rows of each batch that belong to one process."""
    share = batch_size // processes
    return slice(rank * share, (rank + 1) * share)


def first_network(fabric: Fabric, seed: int, build: Callable[[], NetworkT]) -> NetworkT:
    """Build a network with the same initial weights in every process; dropout differs between processes."""
    fabric.seed_everything(seed, verbose=False)
    network = build()
    torch.manual_seed(seed + 1000 * fabric.global_rank)
    return network


def all_listeners(listeners: Sequence[Listener], run: RunFolder, fabric: Fabric) -> list[Listener]:
    """Return the given listeners, and TensorBoard's if it is installed."""
    found = list(listeners)
    if TensorBoardListener.available() and fabric.is_global_zero:
        found.append(TensorBoardListener(run.events))
    return found


def best_network(run: RunFolder, build: Callable[[], NetworkT]) -> NetworkT:
    """Build a network and load the best weights of a run, without changing the random state of the process.

    Raises: RunError if they are missing, damaged or belong to another network; OutOfMemoryError.
    """
    weights = run.read_weights()
    with named_memory_faults("use a machine with more memory"), torch.random.fork_rng(devices=[]):
        network = build()
        restore_weights(network, weights, source=str(run.weights))
    return network
