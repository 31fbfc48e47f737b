"""Losses of the language model: the fused output layer gives the same as the logits."""

import pytest
import torch
import torch.nn.functional as F

from recurra.config import RecurrentNetworkConfig
from recurra.models.language_model import LanguageModelNetwork


@pytest.fixture(params=[True, False], ids=["tied", "untied"])
def network(request):
    torch.manual_seed(0)
    config = RecurrentNetworkConfig(hidden_size=16, dropout=0.0, tie_weights=request.param)
    return LanguageModelNetwork(50, config)


def by_logits(network, inputs, targets, lengths):
    """The losses computed without the fused layer."""
    logits, _ = network(inputs, lengths=lengths)
    real = torch.arange(targets.shape[1]) < lengths[:, None]
    losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").view_as(targets)
    return losses * real


def gradients(network, loss):
    return torch.autograd.grad(loss, list(network.parameters()))


def agree(network, ours, theirs):
    torch.testing.assert_close(ours, theirs)
    for got, right in zip(gradients(network, ours / 7), gradients(network, theirs / 7), strict=True):
        torch.testing.assert_close(got, right, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("context", [0, 2])
def test_total_and_token_losses(network, context):
    inputs, targets = torch.randint(50, (2, 3, 6))
    lengths, weights = torch.tensor([6, 1, 4]), torch.rand(3, 6)
    total, *_ = network.total_loss(inputs, targets, lengths=lengths, context=context)
    agree(network, total, by_logits(network, inputs, targets, lengths)[:, context:].sum())
    losses, _ = network.token_losses(inputs, targets, lengths=lengths)
    agree(network, losses.mul(weights).sum(), by_logits(network, inputs, targets, lengths).mul(weights).sum())
    torch.testing.assert_close(losses, by_logits(network, inputs, targets, lengths))


def test_nothing_to_read_gives_zero_gradients(network):
    inputs, targets = torch.randint(50, (2, 3, 6))
    total, *_ = network.total_loss(inputs, targets, lengths=torch.zeros(3, dtype=torch.int64))
    assert total == 0
    assert all((gradient == 0).all() for gradient in gradients(network, total))
