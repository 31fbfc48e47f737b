"""Devices by name, and sizes beyond all memory: one sentence for what cannot be."""

import pytest
import torch

from recurra.errors import ConfigError, OutOfMemoryError
from recurra.training import device_named, named_memory_faults


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("gpu", "device: got 'gpu', expected the name of a device of torch"),
        ("", "device: got '', expected the name"),
        ("meta", "device: got 'meta', which has no memory for weights; use"),
        ("xla", "device: got 'xla', which torch cannot use here"),
    ],
)
def test_a_device_that_cannot_hold_weights_is_refused(name, told):
    with pytest.raises(ConfigError, match=told):
        device_named(name)
    assert device_named("cpu") == device_named(torch.device("cpu")) == torch.device("cpu")


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="device: got 'cuda:1', but torch sees no GPU; use 'cpu'"):
        device_named("cuda:1")


@pytest.mark.parametrize("size", [2**70, 2**62, 2**40])
def test_a_network_beyond_all_memory_is_named(size):
    with pytest.raises(OutOfMemoryError, match="lower it"), named_memory_faults("lower it"):
        torch.empty(size, 8)
