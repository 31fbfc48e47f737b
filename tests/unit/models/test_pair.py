"""The networks of pairs: padding, symmetry, alignment."""

import itertools

import pytest
import torch

from recurra.config import EncoderConfig, build_config
from recurra.data.batches import SequenceBatch
from recurra.models.pair import AlignedNetwork, PairShape, SiameseNetwork, Steps, same_words
from recurra.models.word_input import InputSizes

SIZES = InputSizes(words=9, characters=1, trigrams=1)
FIRST, SECOND = torch.tensor([[1, 2, 3, 4], [5, 6, 0, 0]]), torch.tensor([[2, 3, 8], [7, 6, 5]])
LENGTHS = torch.tensor([4, 2]), torch.tensor([2, 3])
KINDS = list(itertools.product((SiameseNetwork, AlignedNetwork), ("recurrent", "average"), (False, True)))


def network_of(kind, model="recurrent", symmetric=False, **options):
    torch.manual_seed(1)
    config = build_config(EncoderConfig, overrides={"hidden_size": 6, "embedding_size": 5})
    return kind(config, PairShape(3, SIZES, model, symmetric=symmetric, **options)).eval()


@pytest.mark.parametrize(("kind", "model", "symmetric"), KINDS)
def test_padding_and_the_other_rows_never_change_a_row(kind, model, symmetric):
    network = network_of(kind, model, symmetric)
    together, _ = network(FIRST, LENGTHS[0], SECOND, LENGTHS[1])
    alone, _ = network(FIRST[1:, :2], None, SECOND[1:], None)
    torch.testing.assert_close(together[1:], alone)
    first, second = FIRST.clone(), SECOND.clone()
    first[1, 2:], second[0, 2:] = 6, 1
    changed, _ = network(first, LENGTHS[0], second, LENGTHS[1])
    torch.testing.assert_close(changed, together)


@pytest.mark.parametrize(("kind", "model", "symmetric"), KINDS)
def test_only_a_symmetric_network_ignores_the_order_of_the_texts(kind, model, symmetric):
    network = network_of(kind, model, symmetric)
    there, _ = network(FIRST, LENGTHS[0], SECOND, LENGTHS[1])
    turned, _ = network(SECOND, LENGTHS[1], FIRST, LENGTHS[0])
    assert torch.allclose(there, turned, atol=1e-6) == symmetric


@pytest.mark.parametrize("model", ["recurrent", "average"])
def test_the_alignment_is_a_softmax_over_the_real_words_of_the_other_text(model):
    network = network_of(AlignedNetwork, model)
    found = network.alignment(FIRST, LENGTHS[0], SECOND, LENGTHS[1])
    assert found.first.shape == (2, 4, 3)
    torch.testing.assert_close(found.first[1].sum(1), torch.tensor([1.0, 1.0, 0.0, 0.0]))
    assert found.first[0, :, 2].eq(0).all()
    network.requires_grad_(False)
    x, y = (network.reader.vectors(text)[0] for text in (FIRST[:1], SECOND[:1, :2]))
    cosines = [[float(p @ q / (p.norm() * q.norm())) for q in y] for p in x]
    a = network.reader(FIRST[:1], LENGTHS[0][:1]).steps[0]
    b = network.reader(SECOND[:1, :2], LENGTHS[1][:1]).steps[0]
    if model == "average":
        a, b = (torch.relu(network.projection(x)) for x in (a, b))
    scores = torch.tensor([[float(p @ q) / p.numel() ** 0.5 for q in b] for p in a])
    assert network.likeness == 10
    scores += 10 * torch.tensor(cosines)
    torch.testing.assert_close(found.first[0, :, :2], scores.softmax(1))
    torch.testing.assert_close(found.second[0, :2], scores.T.softmax(1))


@pytest.mark.parametrize(("kind", "model", "symmetric"), KINDS)
def test_an_empty_text_has_finite_outputs_and_gradients(kind, model, symmetric):
    network = network_of(kind, model, symmetric)
    for lengths in (torch.tensor([0, 2]), torch.tensor([0, 0])):
        outputs, _ = network(FIRST, lengths, SECOND, LENGTHS[1])
        assert outputs.isfinite().all()
        outputs.sum().backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())
    outputs, _ = network(FIRST[:, :0], torch.tensor([0, 0]), SECOND, LENGTHS[1])
    assert outputs.isfinite().all()


def test_features_join_the_comparison_and_the_outputs():
    network = network_of(SiameseNetwork, features=4)
    features = torch.randn(2, 4)
    outputs, _ = network(FIRST, LENGTHS[0], SECOND, LENGTHS[1], features)
    x, y = network.reader.vectors(FIRST), network.reader.vectors(SECOND)
    compared = network.compare(Steps(x, LENGTHS[0]), Steps(y, LENGTHS[1]), same_words(FIRST, SECOND))
    hidden = torch.relu(network.hidden(torch.cat([compared, features], 1)))
    torch.testing.assert_close(outputs, network.output(hidden) + features @ network.direct.weight.T)


def test_the_loss_of_scores_is_the_squared_error_of_known_ones():
    network = network_of(AlignedNetwork, scores=True)
    network.output = torch.nn.Linear(6, 1)
    batch = SequenceBatch(None, FIRST, LENGTHS[0], score=torch.tensor([0.5, torch.nan]))
    found, _ = network.total_loss(PairOf(batch, SECOND, LENGTHS[1]))
    outputs, _ = network(FIRST, LENGTHS[0], SECOND, LENGTHS[1])
    torch.testing.assert_close(found, (outputs[0, 0] - 0.5) ** 2)


class PairOf:
    """A batch of plain ids as a pair."""

    def __init__(self, batch: SequenceBatch, second: torch.Tensor, lengths: torch.Tensor) -> None:
        self.inputs, self.score = (batch.vectors, batch.lengths, second, lengths), batch.score
