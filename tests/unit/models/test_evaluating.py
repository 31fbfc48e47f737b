"""A network is restored to its previous mode after a temporary evaluation mode."""

import pytest
import torch
from torch import nn

from recurra.models.evaluating import evaluating


def a_network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(3)), nn.Dropout(0.5))


def modes(network: nn.Module) -> list[bool]:
    return [module.training for module in network.modules()]


def test_it_is_in_evaluation_and_without_gradients():
    network = a_network()
    with evaluating(network):
        assert not any(modes(network))
        assert not network(torch.ones(1, 2)).requires_grad
    assert all(modes(network))
    assert torch.is_grad_enabled()


def test_gradients_come_where_they_are_asked_for():
    network = a_network()
    with evaluating(network, gradients=True):
        assert not any(modes(network))
        network(torch.ones(1, 2)).sum().backward()
    assert network[0].weight.grad is not None


def test_gradients_that_were_off_stay_off():
    network = a_network()
    with torch.no_grad():
        with evaluating(network, gradients=True):
            assert not torch.is_grad_enabled()
        assert not torch.is_grad_enabled()


@pytest.mark.parametrize("frozen", [[], [1], [0, 2], [0, 1, 2]])
def test_each_module_comes_back_to_its_own_mode(frozen):
    network = a_network()
    for place in frozen:
        network[place].eval()
    before = modes(network)
    with evaluating(network), evaluating(network):
        assert not any(modes(network))
    assert modes(network) == before


def test_a_network_in_evaluation_stays_so():
    network = a_network().eval()
    with evaluating(network):
        pass
    assert not any(modes(network))


def test_an_error_within_leaves_nothing_behind():
    network = a_network()
    network[1].eval()
    before = modes(network)
    with pytest.raises(ZeroDivisionError), evaluating(network):
        raise ZeroDivisionError
    assert modes(network) == before
    assert torch.is_grad_enabled()
