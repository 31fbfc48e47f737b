"""What a checkpoint holds: what does not fit is named."""

import copy

import pytest
import torch
from lightning_fabric import Fabric

from recurra.config import OptimizerPart
from recurra.errors import RunError
from recurra.training.averaging import WeightAverage
from recurra.training.optimizers import build_optimizer
from recurra.training.place import Place
from recurra.training.snapshot import Parts, restore, take


@pytest.fixture
def taken():
    """Parts, the state and tensors that were taken of them, and the carried state."""
    network = torch.nn.Linear(2, 1)
    optimizer = build_optimizer(network, OptimizerPart())
    network(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    parts, carried = Parts(network, optimizer, WeightAverage()), torch.ones(1, 3)
    state, tensors = take(Fabric(accelerator="cpu"), parts, Place(step=3), [carried])
    return parts, state, tensors, carried


def give_back(taken, state=None, tensors=None):
    parts, whole_state, whole_tensors, carried = taken
    return restore(Fabric(accelerator="cpu"), parts, state or whole_state, tensors or whole_tensors, carried)


def test_what_was_taken_comes_back(taken):
    place, carried = give_back(taken)
    assert place == Place(step=3)
    assert torch.equal(carried[0], taken[-1])


@pytest.mark.parametrize("key", ["processes", "averaged", "place", "place.step", "place.finished"])
def test_a_key_that_is_missing_is_named(taken, key):
    state = copy.deepcopy(taken[1])
    inner, _, last = key.rpartition(".")
    del (state[inner] if inner else state)[last]
    with pytest.raises(RunError, match=rf"the checkpoint does not fit \({key} is missing\)"):
        give_back(taken, state)


def test_a_key_that_is_unknown_is_named(taken):
    state = taken[1] | {"plaza": 1}
    with pytest.raises(RunError, match="plaza is unknown"):
        give_back(taken, state)
    state = taken[1] | {"place": taken[1]["place"] | {"steps": 1}}
    with pytest.raises(RunError, match=r"place\.steps is unknown"):
        give_back(taken, state)


@pytest.mark.parametrize("name", ["random.0.cpu", "carried.0.0.0"])
def test_a_tensor_that_is_missing_is_named(taken, name):
    tensors = {each: tensor for each, tensor in taken[2].items() if each != name}
    with pytest.raises(RunError, match=rf"{name} is missing"):
        give_back(taken, tensors=tensors)


def test_a_tensor_that_is_unknown_is_named(taken):
    for name in ("random.0.other", "carried.0.0.1"):
        with pytest.raises(RunError, match=rf"{name} is unknown"):
            give_back(taken, tensors=taken[2] | {name: torch.zeros(1)})
