"""The content of a checkpoint: mismatches are reported by name."""

import copy

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from recurra.cells import LSTMState
from recurra.config import OptimizerPart
from recurra.errors import RunError
from recurra.training import GradientLearner, Moment, Objective
from recurra.training.place import Place
from recurra.training.snapshot import restore, take


class Segment:
    count = 2

    def to(self, device):
        return self


class Feed:
    batch_rows = 1

    def __len__(self):
        return 3

    def window(self, first, last, epoch):
        return Segment(), 0


class Carries(Objective):
    """A sum with a nested state: a pair in a list, and None."""

    def loss(self, network, segment, state, context):
        pair, nothing = state
        return network(torch.ones(1, 2)).sum(), [LSTMState(pair.hidden + 1, pair.cell + 2), nothing], None

    def validate(self, network):
        return {"loss": 0.0}

    def initial_state(self, batch_size):
        return [LSTMState(torch.zeros(1, 3), torch.zeros(1, 4)), None]


def new_learner() -> GradientLearner:
    torch.manual_seed(1)
    return GradientLearner(Carries(nn.Linear(2, 1)), Feed(), OptimizerPart(), Fabric(accelerator="cpu"))


@pytest.fixture
def taken():
    """A learner in the middle of a pass, and its snapshot."""
    learner = new_learner()
    learner.update(Moment(0, 0, 0, 0.1))
    learner.update(Moment(1, 0, 1, 0.1))
    state, tensors = take(learner, Place(step=3))
    return learner, state, {name: tensor.clone() for name, tensor in tensors.items()}


def give_back(taken, state=None, tensors=None):
    return restore(new_learner(), state or taken[1], tensors or taken[2])


def test_what_was_taken_comes_back(taken):
    learner = new_learner()
    assert restore(learner, taken[1], taken[2]) == Place(step=3)
    (carried,) = learner.carried
    assert isinstance(carried[0], LSTMState)
    assert carried[1] is None
    torch.testing.assert_close(carried[0].hidden, torch.full((1, 3), 2.0))
    torch.testing.assert_close(carried[0].cell, torch.full((1, 4), 4.0))
    for each in (learner, taken[0]):
        each.update(Moment(2, 0, 2, 0.1))
    torch.testing.assert_close(learner.network.weight, taken[0].network.weight, rtol=0, atol=0)
    assert not take(learner, Place())[0]["carried"]  # the pass has ended: no state is carried over


@pytest.mark.parametrize("key", ["processes", "carried", "averaged", "place", "place.step", "place.finished"])
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
    for name in ("random.0.other", "carried.0.0.2"):
        with pytest.raises(RunError, match=rf"{name} is unknown"):
            give_back(taken, tensors=taken[2] | {name: torch.zeros(1)})
