"""The mean of the weights, and the criterion that starts averaging."""

import pytest
import torch

from recurra.training.averaging import WeightAverage, stopped_improving


@pytest.mark.parametrize(
    ("losses", "after", "stopped"),
    [
        ([5.0], 1, False),
        ([5.0, 4.0], 1, False),
        ([5.0, 4.0, 4.5], 1, False),  # better than all losses before the previous one
        ([4.0, 5.0, 4.5], 1, True),
        ([4.0, 5.0, 3.9], 1, False),
        ([4.0, 3.0, 3.1, 3.2], 2, False),
        ([4.0, 3.0, 3.1, 3.2, 3.05], 2, True),
        ([], 3, False),
    ],
)
def test_the_criterion_looks_past_the_last_validations(losses, after, stopped):
    assert stopped_improving(losses, after) is stopped


def test_the_mean_is_that_of_the_weights_after_each_update():
    torch.manual_seed(0)
    network, average = torch.nn.Linear(3, 2), WeightAverage()
    average.update(network)
    assert not average.begun
    average.begin(network)
    seen = []
    for _ in range(5):
        with torch.no_grad():
            for weight in network.parameters():
                weight.add_(torch.randn_like(weight))
        average.update(network)
        seen.append(network.weight.detach().clone())
    before = network.weight.detach().clone()
    with average.in_place(network):
        torch.testing.assert_close(network.weight.detach(), torch.stack(seen).mean(0))
    assert torch.equal(network.weight, before)


def test_a_mean_goes_on_from_what_was_kept():
    torch.manual_seed(0)
    network, whole, again = torch.nn.Linear(3, 2), WeightAverage(), WeightAverage()
    whole.begin(network)
    whole.update(network)
    again.restore({n: t.clone() for n, t in whole.tensors().items()}, whole.count, torch.device("cpu"))
    with torch.no_grad():
        network.weight.add_(1.0)
    for average in (whole, again):
        average.update(network)
    assert torch.equal(whole.tensors()["weight"], again.tensors()["weight"])


def test_a_mean_that_comes_back_in_another_order_goes_on_by_name():
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 5))
    whole, again = WeightAverage(), WeightAverage()
    whole.begin(network)
    whole.update(network)
    again.restore(dict(reversed(whole.tensors().items())), whole.count, torch.device("cpu"))
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(1.0)
    for average in (whole, again):
        average.update(network)
    for name, mean in whole.tensors().items():
        assert torch.equal(mean, again.tensors()[name])
