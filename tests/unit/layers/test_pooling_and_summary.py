"""Pooling to one vector per sequence; the size of a network; resets that need no splitting."""

from functools import partial

import pytest
import torch
from torch import nn

from recurra.layers import (
    GRU,
    LSTM,
    RNN,
    ends_of_output,
    ends_of_state,
    parameter_summary,
    run_with_resets,
)
from recurra.layers.pooling import AttentionPooling, pool_steps, real_steps


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layer", [RNN, GRU, LSTM])
def test_the_two_ends_of_each_row(layer, bidirectional, batch_first):
    module = layer(3, 5, num_layers=2, bidirectional=bidirectional, batch_first=batch_first)
    lengths = [2, 6, 4]
    x = torch.randn(6, 3, 3)
    x = x.transpose(0, 1) if batch_first else x
    output, state = module(x, lengths=lengths)
    got = ends_of_output(output, lengths, bidirectional=bidirectional, batch_first=batch_first)
    torch.testing.assert_close(got, ends_of_state(state, bidirectional=bidirectional))
    for row, length in enumerate(lengths):
        row_alone = x[row, :length] if batch_first else x[:length, row]
        alone, _ = module(row_alone)
        want = torch.cat([alone[-1, :5], alone[0, 5:]]) if bidirectional else alone[-1]
        torch.testing.assert_close(got[row], want)


def test_the_two_ends_without_lengths_without_steps_and_their_gradient():
    output = torch.randn(4, 3, 2, requires_grad=True)
    got = ends_of_output(output, bidirectional=True)
    torch.testing.assert_close(got, torch.stack([output[-1, :, 0], output[0, :, 1]], dim=-1))
    some = ends_of_output(output, [0, 4, 1], bidirectional=True)
    assert some[0].tolist() == [0.0, 0.0]
    gradient = torch.autograd.grad(some.sum(), output)[0]
    assert gradient.nonzero().tolist() == [[0, 1, 1], [0, 2, 0], [0, 2, 1], [3, 1, 0]]
    assert ends_of_output(torch.zeros(0, 3, 2), [0, 0, 0], bidirectional=True).shape == (3, 2)


def test_the_example_of_word_vectors():
    """Word vector 100, H 500, V 10,000, no biases: W 50,000, U 250,000, V 5,000,000."""
    network = nn.ModuleDict(
        {"recurrent": RNN(100, 500, bias=False), "output": nn.Linear(500, 10_000, bias=False)}
    )
    summary = parameter_summary(network)
    assert [(row.name, row.shape, row.count) for row in summary.rows] == [
        ("recurrent.weight_ih_l0", (500, 100), 50_000),
        ("recurrent.weight_hh_l0", (500, 500), 250_000),
        ("output.weight", (10_000, 500), 5_000_000),
    ]
    assert summary.total == 5_300_000
    assert str(summary).splitlines() == [
        "parameter                      shape      count",
        "recurrent.weight_ih_l0     500 x 100     50,000",
        "recurrent.weight_hh_l0     500 x 500    250,000",
        "output.weight           10,000 x 500  5,000,000",
        "total                                 5,300,000",
    ]


def test_tied_weights_count_once():
    network = nn.ModuleDict({"embedding": nn.Embedding(10, 4), "output": nn.Linear(4, 10, bias=False)})
    network["output"].weight = network["embedding"].weight
    assert parameter_summary(network).total == 40
    assert parameter_summary(nn.Identity()).total == 0


class CountingGRU(GRU):
    """Records for each batch whether it was packed."""

    def run_batch(self, batch, state, every_state=False):
        kind = "dense" if batch.batch_sizes is None else "packed"
        self.kinds = [*getattr(self, "kinds", []), kind]
        return super().run_batch(batch, state, every_state)


def test_rows_are_cut_only_where_a_reset_lies_inside():
    module, x = CountingGRU(3, 5, backend="torch"), torch.randn(4, 2, 3)
    module.kinds = []
    resets = torch.zeros(4, 2, dtype=torch.bool)
    state = torch.randn(1, 2, 5)
    run_with_resets(module, x, state, resets)
    resets[0, 1] = True
    output, _ = run_with_resets(module, x, state, resets)
    torch.testing.assert_close(output[:, 1:], module(x[:, 1:])[0])
    resets[3, 0] = True
    assert module.kinds == ["dense"] * 3
    run_with_resets(module, x, state, resets, lengths=[4, 4])
    assert module.kinds[3:] == ["packed"]
    many = torch.ones(4, 2, dtype=torch.bool)
    run_with_resets(module, x, state, many)
    assert module.kinds[4:] == ["packed"]
    seldom, long = torch.zeros(12, 2, dtype=torch.bool), torch.randn(12, 2, 3)
    seldom[5, 1] = True
    run_with_resets(module, long, state, seldom)  # two dense calls with the torch backend
    assert module.kinds[5:] == ["dense"] * 2
    module.backend = "reference"
    run_with_resets(module, long, state, seldom)
    assert module.kinds[7:] == ["packed"]
    module.backend = "torch"
    run_with_resets(module, long, state, seldom)
    assert module.backend_used == "torch"


def test_a_reset_keeps_a_broken_state_out():
    module, x = GRU(3, 5), torch.randn(4, 2, 3)
    state = torch.full((1, 2, 5), float("nan"))
    for first_row in (0, 2):
        resets = torch.zeros(4, 2, dtype=torch.bool)
        resets[0], resets[first_row, 0] = True, True
        output, final = run_with_resets(module, x, state, resets)
        assert output.isfinite().all()
        assert final.isfinite().all()


@pytest.mark.parametrize("layer", [RNN, GRU, LSTM])
def test_resets_under_autocast(layer):
    module, x = layer(3, 5), torch.randn(4, 2, 3)
    resets = torch.zeros(4, 2, dtype=torch.bool)
    resets[2, 1] = True
    with torch.autocast("cpu", torch.bfloat16):
        output, state = run_with_resets(module, x, module.initial_state(2), resets)
        again, _ = run_with_resets(module, x, state, resets)
    want, carried = run_with_resets(module, x, None, resets)
    torch.testing.assert_close(output.float(), want, rtol=0.1, atol=0.1)
    want, _ = run_with_resets(module, x, carried, resets)
    torch.testing.assert_close(again.float(), want, rtol=0.1, atol=0.1)


@pytest.mark.parametrize("how", ["mean", "max", "centre", "attention"])
@pytest.mark.parametrize("T", [0, 1, 5])
def test_pooled_steps_are_those_of_each_row_alone(how, T):
    pool = AttentionPooling(3) if how == "attention" else partial(pool_steps, how=how)
    output = torch.randn(T + 1, T, 3)
    lengths = list(range(T + 1))
    padded = output.masked_fill(~real_steps(output, lengths).unsqueeze(2), torch.nan)
    pooled = pool(padded, lengths)
    for row, length in enumerate(lengths):
        alone = output[row, :length]
        if not length:
            wanted = torch.zeros(3)
        elif how == "attention":
            shares = pool.score(torch.tanh(pool.inner(alone))).softmax(0)
            wanted = (shares * alone).sum(0)
        else:
            wanted = {"mean": alone.mean(0), "max": alone.amax(0), "centre": alone[length // 2]}[how]
        torch.testing.assert_close(pooled[row], wanted)


def test_another_way_to_pool_is_refused():
    with pytest.raises(ValueError, match="expected mean, max or centre"):
        pool_steps(torch.randn(1, 2, 3), None, "least")
