"""Everything that a training must find again to go on bit for bit, as tensors and plain values."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from recurra.errors import RunError
from recurra.layers import State
from recurra.training.averaging import WeightAverage
from recurra.training.optimizers import optimizer_tensors, restore_optimizer
from recurra.training.place import Place

_VERSION = 3
_REMEDY = "go on with the Recurra that wrote it, or train anew"


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    """Weights and buffers by name, tied ones once."""
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


def restore_weights(network: nn.Module, tensors: Mapping[str, Tensor], *, source: str) -> None:
    """Copy tensors into a network's weights.

    Raises: RunError if names or shapes do not fit.
    """
    own = weights_of(network)
    if own.keys() != tensors.keys():
        wrong = sorted(own.keys() ^ tensors.keys())
        raise RunError(f"{source}: does not fit the model ({', '.join(wrong[:3])}); it is of another run.")
    with torch.no_grad():
        for name, tensor in own.items():
            if tensor.shape != tensors[name].shape:
                raise RunError(
                    f"{source}: {name} has shape {tuple(tensors[name].shape)}, the model expects "
                    f"{tuple(tensor.shape)}; it is of another run."
                )
            tensor.copy_(tensors[name])


def flatten_state(state: State | None) -> list[Tensor]:
    """The tensors of a carried state; none where nothing is carried."""
    if state is None:
        return []
    return [state] if isinstance(state, Tensor) else list(state)


class Parts(NamedTuple):
    """What holds tensors that change in training."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    average: WeightAverage


def take(
    fabric: Fabric, parts: Parts, place: Place, carried: Sequence[State | None]
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """State and tensors of a checkpoint; every process must call it, the first one writes it."""
    tensors = {f"weights.{name}": tensor for name, tensor in weights_of(parts.network).items()}
    tensors |= {f"optimizer.{name}": value for name, value in optimizer_tensors(parts.optimizer).items()}
    tensors |= {f"average.{name}": tensor for name, tensor in parts.average.tensors().items()}
    for number, carried_state in enumerate(carried):
        for index, tensor in enumerate(flatten_state(carried_state)):
            for rank, part in enumerate(_of_every_process(fabric, tensor)):
                tensors[f"carried.{rank}.{number}.{index}"] = part
    for name, random_state in _random_states(fabric).items():
        for rank, part in enumerate(_of_every_process(fabric, random_state)):
            tensors[f"random.{rank}.{name}"] = part
    state = {
        "version": _VERSION,
        "processes": fabric.world_size,
        "carried": len(carried),
        "averaged": parts.average.count,
        "place": place.to_dict(),
    }
    return state, tensors


def restore(
    fabric: Fabric,
    parts: Parts,
    state: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    state_like: State | None,
) -> tuple[Place, list[State | None]]:
    """Give all parts and the random generators what `take` took; returns place and carried states.

    Raises: RunError if it was taken by another number of processes or does not fit.
    """
    if state.get("version") != _VERSION or "carried" not in state:
        raise RunError(f"the checkpoint has version {state.get('version')}, expected {_VERSION}; {_REMEDY}.")
    _refuse_other_keys(state, {"version", "processes", "carried", "averaged", "place"})
    _refuse_other_keys(state["place"], {each.name for each in fields(Place)}, "place.")
    processes = state["processes"]
    if processes != fabric.world_size:
        raise RunError(
            f"the run was trained by {processes} processes, not {fabric.world_size}; go on with "
            f"`torchrun --nproc-per-node {processes} -m recurra train --resume RUN`."
        )
    rank = fabric.global_rank
    restore_weights(parts.network, below(tensors, "weights."), source="the checkpoint")
    restore_optimizer(parts.optimizer, below(tensors, "optimizer."))
    parts.average.restore(below(tensors, "average."), state["averaged"], fabric.device)
    random = below(tensors, f"random.{rank}.")
    _refuse_other_keys(random, {"cpu"} | random.keys() & {"cuda"}, f"random.{rank}.")
    torch.set_rng_state(random["cpu"])
    if "cuda" in random and torch.cuda.is_available():
        torch.cuda.set_rng_state(random["cuda"])
    carried: list[State | None] = []
    for number in range(state["carried"]):
        own = below(tensors, f"carried.{rank}.{number}.")
        expected = {str(index) for index in range(len(flatten_state(state_like)))}
        _refuse_other_keys(own, expected, f"carried.{rank}.{number}.")
        carried.append(_unflatten([own[str(i)].to(fabric.device) for i in range(len(own))], state_like))
    return Place(**state["place"]), carried


def _refuse_other_keys(found: Collection[str], expected: set[str], within: str = "") -> None:
    """Refuse a part of a checkpoint whose keys are not those expected.

    Raises: RunError naming those that are missing and those that are unknown.
    """
    wrong = [f"{within}{key} is missing" for key in sorted(expected.difference(found))]
    wrong += [f"{within}{key} is unknown" for key in sorted(set(found) - expected)]
    if wrong:
        raise RunError(f"the checkpoint does not fit ({', '.join(wrong[:3])}); {_REMEDY}.")


def _unflatten(tensors: Sequence[Tensor], like: State | None) -> State | None:
    if like is None:
        return None
    return tensors[0] if isinstance(like, Tensor) else type(like)(*tensors)


def below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, without it. Shapes: as they come."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _random_states(fabric: Fabric) -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if fabric.device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def _of_every_process(fabric: Fabric, tensor: Tensor) -> list[Tensor]:
    """The tensor of each process, which may differ in shape along the batch."""
    if fabric.world_size == 1:
        return [tensor]
    gathered: list[Any] = [None] * fabric.world_size
    torch.distributed.all_gather_object(gathered, tensor.cpu().numpy())
    return [torch.from_numpy(part) for part in gathered]
