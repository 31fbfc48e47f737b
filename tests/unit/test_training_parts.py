"""Clipping, schedules, optimisers, interrupts."""

import copy
import math
import os
import signal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recurra.config import OptimizerPart, SchedulePart
from recurra.training import Schedule, clip_by_norm, clip_by_value
from recurra.training.interrupts import Interrupts
from recurra.training.optimizers import build_optimizer, optimizer_tensors, restore_optimizer


def parameters_with(*gradients):
    made = [torch.nn.Parameter(torch.zeros(len(g))) for g in gradients]
    for parameter, gradient in zip(made, gradients, strict=True):
        parameter.grad = torch.tensor(gradient, dtype=torch.float32)
    return made


GRADIENTS = st.lists(st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=4), min_size=1, max_size=3)


@given(GRADIENTS, st.floats(0.1, 50))
def test_norm_clipping_keeps_the_direction_and_bounds_the_length(gradients, threshold):
    parameters = parameters_with(*gradients)
    before = torch.cat([p.grad.clone() for p in parameters]).double()
    norm = clip_by_norm(parameters, threshold)
    after = torch.cat([p.grad for p in parameters]).double()
    torch.testing.assert_close(norm.double(), before.norm(), rtol=1e-5, atol=1e-6)
    if before.norm() <= threshold * (1 - 1e-6):
        assert torch.equal(before, after)
    elif before.norm() > threshold * (1 + 1e-6):
        torch.testing.assert_close(after, before * threshold / before.norm(), rtol=1e-4, atol=1e-6)


def test_norm_clipping_agrees_with_torch():
    ours, theirs = (parameters_with([3.0, 4.0], [12.0]) for _ in range(2))
    assert clip_by_norm(ours, 2.0) == pytest.approx(13.0)
    torch.nn.utils.clip_grad_norm_(theirs, 2.0)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-5, atol=1e-6)


def test_a_norm_that_is_no_number_scales_nothing():
    parameters = parameters_with([1.0, math.inf])
    assert math.isinf(clip_by_norm(parameters, 1.0))
    assert parameters[0].grad[0] == 1.0


@given(GRADIENTS, st.floats(0.1, 50))
def test_value_clipping_cuts_each_element(gradients, limit):
    parameters = parameters_with(*gradients)
    clip_by_value(parameters, limit)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        want = torch.tensor(gradient).clamp(-limit, limit)
        torch.testing.assert_close(parameter.grad, want)


def rates(total, epoch_steps=10, plateaus=0, **options):
    schedule = Schedule(SchedulePart(**options), 2.0, total)
    return [schedule.rate(step, step // epoch_steps, plateaus) for step in range(total)]


def test_cosine_agrees_with_torch():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=30, eta_min=0.1)
    want = []
    for _ in range(30):
        want.append(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()
    assert rates(30, schedule="cosine", warmup_steps=0, min_learning_rate=0.1) == pytest.approx(want)


def test_each_schedule_has_its_shape():
    assert rates(40, schedule="constant", warmup_steps=4)[:5] == [0.5, 1.0, 1.5, 2.0, 2.0]
    assert rates(4, schedule="linear", warmup_steps=0, min_learning_rate=0.4) == pytest.approx(
        [2, 1.6, 1.2, 0.8]
    )
    halved = rates(60, schedule="decay", warmup_steps=0, decay_after=2)
    assert halved[::10] == [2.0, 2.0, 1.0, 0.5, 0.25, 0.125]
    assert rates(2, schedule="plateau", warmup_steps=0, decay=0.1, plateaus=2) == pytest.approx([0.02, 0.02])


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd", "momentum", "rmsprop", "adagrad"])
def test_an_optimizer_goes_on_from_its_tensors(name):
    config = OptimizerPart(optimizer=name, learning_rate=0.1)
    torch.manual_seed(0)
    network = torch.nn.Linear(3, 2)

    def update(module, optimizer, seed):
        x = torch.randn(4, 3, generator=torch.Generator().manual_seed(seed))
        optimizer.zero_grad()
        module(x).pow(2).sum().backward()
        optimizer.step()

    optimizer = build_optimizer(network, config)
    update(network, optimizer, 1)
    twin = copy.deepcopy(network)
    other = build_optimizer(twin, config)
    saved = {key: tensor.clone() for key, tensor in optimizer_tensors(optimizer).items()}
    restore_optimizer(other, saved)
    for seed in (2, 3):
        update(network, optimizer, seed)
        update(twin, other, seed)
    for one, two in zip(network.parameters(), twin.parameters(), strict=True):
        assert torch.equal(one, two)


@pytest.fixture
def pythons_own_handler():
    """A shell's background jobs start with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def test_the_first_signal_is_noted_and_handlers_come_back(pythons_own_handler):
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupts.received == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is pythons_own_handler
