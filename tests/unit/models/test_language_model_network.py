"""The recurrent language model's network: every cell, tied weights, dropout, penalties, the output layers."""

import pytest
import torch
import torch.nn.functional as F

from recurra.config import RecurrentNetworkConfig
from recurra.errors import ConfigError
from recurra.layers import AdaptiveSoftmaxOutput, SequenceDropout, embed_with_dropout, map_state
from recurra.models import LanguageModelNetwork

V, B, T = 40, 3, 7


def network(**options):
    torch.manual_seed(0)
    plain = {"hidden_size": 12, "embedding_size": 8, "dropout": 0.0}
    return LanguageModelNetwork(V, RecurrentNetworkConfig(**(plain | options)))


def ids():
    return torch.randint(V, (B, T), generator=torch.Generator().manual_seed(1))


CELLS = [
    {"cell": "lstm"},
    {"cell": "gru"},
    {"cell": "rnn", "nonlinearity": "hardtanh"},
    {"cell": "jordan", "num_layers": 1},
    {"cell": "gru", "reset_gate": "before", "layer_norm": True},
    {"cell": "gru", "reset_gate": "none"},
    {"cell": "lstm", "peepholes": "current", "forget_bias": 1.0},
    {"cell": "lstm", "peepholes": "previous", "coupled_gates": True, "output_activation": "identity"},
    {"cell": "lstm", "relevance_gate": True, "learn_initial_state": True},
    {"cell": "lstm", "skip": "graves"},
    {"cell": "lstm", "tie_weights": True, "num_layers": 3},
    {"cell": "gru", "tie_weights": True},
    {"cell": "jordan", "tie_weights": True, "num_layers": 1},
    {"cell": "lstm", "tie_weights": True, "num_layers": 3, "learn_initial_state": True},
    {"cell": "lstm", "adaptive_softmax": True},
]


@pytest.mark.parametrize("options", CELLS, ids=lambda one: "-".join(map(str, one.values())))
def test_a_text_in_parts_is_read_as_a_whole_and_every_weight_learns(options):
    model = network(**options)
    inputs, targets = ids(), ids().flip(1)
    resets = torch.zeros(B, T, dtype=torch.bool)
    resets[1, 5] = True
    whole, after = model.token_losses(inputs, targets, model.initial_state(B), resets=resets)
    first, state = model.token_losses(inputs[:, :3], targets[:, :3])
    second, last = model.token_losses(inputs[:, 3:], targets[:, 3:], state, resets=resets[:, 3:])
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)
    map_state(torch.testing.assert_close, last, after)
    logits, _ = model(inputs, resets=resets)
    by_logits = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").view(B, T)
    torch.testing.assert_close(whole, by_logits)
    whole.sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in model.parameters())


def test_cell_options_reach_the_cell():
    assert "peepholes=previous" in repr(network(peepholes="previous").recurrent)
    assert network(cell="gru", reset_gate="before").recurrent.reset == "before"
    model = network(weight_drop=0.5, zoneout=0.25, layer_dropout=0.5, dropout_mask="segment")
    assert (model.recurrent.weight_drop, model.recurrent.variational_dropout) == (0.5, 0.5)
    assert network(forget_bias=2.0).recurrent.forget_bias == 2.0
    assert network(dropout=0.3).recurrent.dropout == 0.3


@pytest.mark.parametrize("skip", ["residual", "graves"])
def test_a_skip_connection_between_layers_of_two_sizes_is_refused(skip):
    with pytest.raises(ConfigError, match=r"^skip: applies only between layers of one size; "):
        network(tie_weights=True, num_layers=2, skip=skip)
    assert network(tie_weights=True, num_layers=3, skip=skip).recurrent.skip == skip


def test_tied_weights_are_one_and_the_last_layer_has_their_size():
    model = network(tie_weights=True, num_layers=3)
    assert model.output.weight is model.embedding.weight
    assert model.last is not None
    assert (model.recurrent.num_layers, model.last.hidden_size) == (2, 8)
    start = model.initial_state(B)
    assert start.layers.hidden.shape == (2, B, 12)
    assert start.last.cell.shape == (1, B, 8)
    with pytest.raises(ConfigError, match="tie_weights: needs an embedding size, 8, equal"):
        network(tie_weights=True, adaptive_softmax=True)


def test_penalties_are_the_mean_squares_of_outputs_and_of_their_changes():
    model = network(dropout=0.5, activation_regularization=2.0, temporal_activation_regularization=3.0)
    torch.manual_seed(3)
    features, _ = model.features(ids(), None, None, None)
    read, raw = features.read, features.raw
    wanted = 2.0 * (read**2).mean() + 3.0 * ((raw[:, 1:] - raw[:, :-1]) ** 2).mean()
    assert (read == 0).any()
    assert not (raw == 0).any()
    torch.testing.assert_close(model.penalty(features), wanted)
    torch.manual_seed(3)
    torch.testing.assert_close(model.total_loss(ids(), ids()).penalty, wanted)
    assert network().total_loss(ids(), ids()).penalty is None


def test_dropout_draws_at_each_step_or_once_a_row():
    x = torch.ones(4, 9, 50)
    once, each = (SequenceDropout(0.5, once=once)(x) for once in (True, False))
    assert (once == once[:, :1]).all()
    assert not (once[0] == once[1]).all()
    assert not (each == each[:, :1]).all()
    for dropped in (once, each):
        assert set(dropped.unique().tolist()) == {0.0, 2.0}
        assert 0.35 < (dropped == 0).float().mean() < 0.65
    assert SequenceDropout(0.5).eval()(x) is x


def test_embedding_dropout_leaves_out_whole_symbols():
    embedding = torch.nn.Embedding(200, 5)
    symbols = torch.arange(200).repeat(3, 2)
    vectors = embed_with_dropout(embedding, symbols, 0.25)
    scale = (vectors / embedding(symbols)).mean(dim=-1)
    torch.testing.assert_close(scale[:, :200], scale[:, 200:])
    torch.testing.assert_close(scale[0], scale[1])
    dropped = (scale[0, :200] == 0).float().mean()
    assert 0.12 < dropped < 0.4
    torch.testing.assert_close(scale[scale > 0], torch.full_like(scale[scale > 0], 1 / 0.75))
    embedding.eval()
    assert torch.equal(embed_with_dropout(embedding, symbols, 0.25), embedding(symbols))


def test_the_adaptive_softmax_is_a_distribution_and_torchs_loss():
    torch.manual_seed(0)
    output = AdaptiveSoftmaxOutput(8, V)
    hidden, targets = torch.randn(B, T, 8), ids()
    log_probs = output(hidden)
    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones(B, T))
    losses = output.losses(hidden, targets, -100)
    torch.testing.assert_close(losses, -log_probs.gather(-1, targets.unsqueeze(-1)).squeeze(-1))
    theirs = torch.nn.AdaptiveLogSoftmaxWithLoss(8, V, output.softmax.cutoffs[:-1], head_bias=True)
    theirs.load_state_dict(output.softmax.state_dict())
    torch.testing.assert_close(
        output.losses(hidden, targets, -100, "mean"), theirs(hidden.flatten(0, 1), targets.flatten()).loss
    )
    targets[0, 2:] = -100
    torch.testing.assert_close(
        output.losses(hidden, targets, -100, "sum"), losses.masked_fill(targets == -100, 0).sum()
    )
    with pytest.raises(ConfigError, match="cannot split a vocabulary of 3"):
        AdaptiveSoftmaxOutput(8, 3)


def test_clusters_of_the_adaptive_softmax_that_no_target_is_in_have_zero_gradients():
    output = AdaptiveSoftmaxOutput(8, V)
    output.losses(torch.randn(1, 3, 8), torch.tensor([[0, 1, 2]]), -100, "sum").backward()
    assert all(weight.grad is not None for weight in output.parameters())
