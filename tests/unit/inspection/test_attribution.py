"""Attribution of words: gradient x input against finite differences, occlusion against removal."""

import pytest
import torch

from recurra.config import EncoderConfig
from recurra.data.batches import SequenceBatch
from recurra.inspection import gradient_times_input, occlusion
from recurra.models.classifier import ClassifierNetwork
from recurra.models.tagger import TaggerNetwork


def network_and_batch(kind: str) -> tuple[ClassifierNetwork | TaggerNetwork, SequenceBatch, int | None]:
    config = EncoderConfig(hidden_size=5, num_layers=1, dropout=0.3, cell="gru", backend="reference")
    batch = SequenceBatch(None, torch.randn(1, 4, 3, dtype=torch.float64), torch.tensor([4]))
    if kind == "classifier":
        return ClassifierNetwork(config, 3, vector_shape=(3,)).double(), batch, None
    return TaggerNetwork(config, 3, vector_shape=(3,)).double(), batch, 2


def log_odds(network, vectors, label, at):
    batch = SequenceBatch(None, vectors, torch.tensor([4]))
    network.eval()
    with torch.no_grad():
        scores = network(*batch.inputs)[0][0]
    shares = (scores if at is None else scores[at]).softmax(0)
    return float(torch.log(shares[label] / (1 - shares[label])))


@pytest.mark.parametrize("kind", ["classifier", "tagger"])
def test_shares_are_what_changing_a_word_changes(kind):
    network, batch, at = network_and_batch(kind)
    by_gradient = gradient_times_input(network, batch, 1, at)
    by_occlusion = occlusion(network, batch, 1, at)
    whole = log_odds(network, batch.vectors, 1, at)
    for t in range(4):
        shrunk, without = batch.vectors.clone(), batch.vectors.clone()
        shrunk[:, t] *= 1 - 1e-6
        without[:, t] = 0.0
        assert float(by_gradient[t]) == pytest.approx(
            (whole - log_odds(network, shrunk, 1, at)) / 1e-6, rel=1e-3, abs=1e-6
        )
        assert float(by_occlusion[t]) == pytest.approx(whole - log_odds(network, without, 1, at), abs=1e-9)


def test_the_network_is_left_as_it_was():
    network, batch, _ = network_and_batch("classifier")
    network.train()
    occlusion(network, batch, 0)
    gradient_times_input(network, batch, 0)
    assert network.training
    assert all(parameter.grad is None for parameter in network.parameters())
