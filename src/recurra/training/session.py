"""What every task's training does around the loop: shares, seeds, watchers, the end."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Protocol, TypeVar

import torch
from lightning_fabric import Fabric
from torch import nn

from recurra.config import Part
from recurra.errors import ConfigError
from recurra.runs import RunFolder
from recurra.training.devices import named_memory_faults
from recurra.training.listeners import Listener, TensorBoardListener
from recurra.training.loop import Outcome, Trainer, TrainingConfig
from recurra.training.snapshot import restore_weights

NetworkT = TypeVar("NetworkT", bound=nn.Module)


class Figures(Protocol):
    """What a task measured of a network, by names that go into metrics.jsonl."""

    def to_dict(self) -> dict[str, Any]:
        """The figures by name."""


def share_of_batch(batch_size: int, fabric: Fabric) -> slice:
    """The rows of each batch that are this process's own.

    Raises: ConfigError where they cannot be shared out evenly.
    """
    if batch_size % fabric.world_size:
        raise ConfigError(
            f"batch_size: got {batch_size}, expected a multiple of the {fabric.world_size} processes."
        )
    share = batch_size // fabric.world_size
    return slice(fabric.global_rank * share, (fabric.global_rank + 1) * share)


def first_network(fabric: Fabric, seed: int, build: Callable[[], NetworkT]) -> NetworkT:
    """A network with its first weights, the same in every process; dropout, drawn after it, differs."""
    fabric.seed_everything(seed, verbose=False)
    network = build()
    torch.manual_seed(seed + 1000 * fabric.global_rank)
    return network


def loop_config(config: Part) -> TrainingConfig:
    """What of a task's configuration the loop needs to know."""
    return TrainingConfig(**{name: getattr(config, name) for name in TrainingConfig.model_fields})


def all_listeners(listeners: Sequence[Listener], run: RunFolder, fabric: Fabric) -> list[Listener]:
    """Those given, and TensorBoard's where it is installed."""
    found = list(listeners)
    if TensorBoardListener.available() and fabric.is_global_zero:
        found.append(TensorBoardListener(run.events))
    return found


def fit_to_end(trainer: Trainer, on_ready: Callable[[], None] | None, *, resume: bool) -> Outcome:
    """Train, and leave the network with its best weights; `on_ready` is called before the first update."""
    fabric, run = trainer.fabric, trainer.run_folder
    if on_ready is not None and fabric.is_global_zero:
        on_ready()
    with run.locked() if fabric.is_global_zero else nullcontext():
        outcome = trainer.fit(resume=resume)
    if fabric.world_size > 1:
        fabric.barrier()
    restore_weights(trainer.network, run.read_weights(), source=str(run.weights))
    return outcome


def best_network(run: RunFolder, build: Callable[[], NetworkT]) -> NetworkT:
    """A network with the best weights of a run.

    Raises: RunError if they are missing, damaged or of another network; OutOfMemoryError.
    """
    weights = run.read_weights()
    with named_memory_faults("use a machine with more memory"):
        network = build()
        restore_weights(network, weights, source=str(run.weights))
    return network


def log_final(run: RunFolder, outcome: Outcome, results: Mapping[str, Figures | None]) -> None:
    """The last records, of the best weights on held-out data ("final") and on that of --test; once only."""
    if any(record["kind"] == "final" for record in run.metrics.read()):
        return
    for kind, result in results.items():
        if result is not None:
            # JSON has no infinity: what is too large is left out.
            figures = {
                name: value for name, value in result.to_dict().items() if value not in (math.inf, None)
            }
            run.metrics.append({"kind": kind, "step": outcome.best_step, "epoch": outcome.epochs, **figures})
