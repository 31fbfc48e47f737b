"""Attention against torch's product of queries and keys, and against its equation, step by step."""

import pytest
import torch
import torch.nn.functional as F

from recurra.errors import ConfigError, ShapeError
from recurra.layers.attention import Attention

B, T, S, Q, V = 4, 3, 6, 5, 7
LENGTHS = torch.tensor([6, 4, 1, 0])


def given(value_size: int = V) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(B, T, Q, dtype=torch.float64), torch.randn(B, S, value_size, dtype=torch.float64)


@pytest.mark.parametrize("scoring", ["dot", "general"])
def test_products_agree_with_torch(scoring):
    queries, values = given(Q if scoring == "dot" else V)
    attention = Attention(Q, values.shape[2], scoring).double()
    found = attention(queries, attention.remember(values, LENGTHS))
    keys = values if scoring == "dot" else values @ attention.value.weight.T
    real = (torch.arange(S) < LENGTHS[:3, None]).unsqueeze(1)
    wanted = F.scaled_dot_product_attention(queries[:3], keys[:3], values[:3], attn_mask=real, scale=1.0)
    torch.testing.assert_close(found.context[:3], wanted)


@pytest.mark.parametrize("coverage", [False, True])
def test_additive_scores_are_those_of_the_equation(coverage):
    queries, values = given()
    attention = Attention(Q, V, size=4, coverage=coverage).double()
    covered = torch.rand(B, T, S, dtype=torch.float64) if coverage else None
    found = attention(queries, attention.remember(values, LENGTHS), covered)
    for b, t in [(0, 0), (1, 2), (2, 1)]:
        scores = []
        for s in range(int(LENGTHS[b])):
            inside = attention.query.weight @ queries[b, t] + attention.value(values[b, s])
            if covered is not None:
                inside = inside + attention.covered.weight[:, 0] * covered[b, t, s]
            scores.append(attention.score.weight[0] @ inside.tanh())
        weights = torch.stack(scores).softmax(0)
        torch.testing.assert_close(found.weights[b, t, : len(scores)], weights)
        torch.testing.assert_close(found.context[b, t], weights @ values[b, : len(scores)])


@pytest.mark.parametrize("scoring", ["additive", "general"])
def test_padding_has_no_weight_and_no_gradient(scoring):
    queries, values = given()
    attention = Attention(Q, V, scoring).double()
    values.requires_grad_()
    found = attention(queries, attention.remember(values, LENGTHS))
    real = torch.arange(S) < LENGTHS.unsqueeze(1)
    assert not found.weights.masked_select(~real.unsqueeze(1)).any()
    torch.testing.assert_close(found.weights.sum(2), (LENGTHS > 0).double().unsqueeze(1).expand(B, T))
    assert not found.context[3].any()
    found.context.square().sum().backward()
    assert values.grad.isfinite().all()
    assert not values.grad[~real].any()
    spoilt = values.detach().masked_fill(~real.unsqueeze(2), 1e6)
    again = attention(queries, attention.remember(spoilt, LENGTHS))
    torch.testing.assert_close(again.context, found.context.detach())


@pytest.mark.parametrize("scoring", ["additive", "dot", "general"])
def test_gradients_pass_finite_differences(scoring):
    queries, values = given(Q)
    attention = Attention(Q, Q, scoring).double()
    parameters = list(attention.parameters())

    def context(queries, values, *_):
        return attention(queries, attention.remember(values, LENGTHS)).context

    inputs = (queries.requires_grad_(), values.requires_grad_(), *parameters)
    assert torch.autograd.gradcheck(context, inputs)


def test_what_does_not_fit_is_named():
    with pytest.raises(ConfigError, match="dot needs queries and values of the same size, got 5 and 7"):
        Attention(Q, V, "dot")
    with pytest.raises(ConfigError, match="coverage: applies to additive scores only, got general"):
        Attention(Q, V, "general", coverage=True)
    attention = Attention(Q, V)
    with pytest.raises(ShapeError, match="values"):
        attention.remember(torch.zeros(B, S, Q), LENGTHS)
    with pytest.raises(ShapeError, match="queries"):
        attention(torch.zeros(B, T, V), attention.remember(torch.zeros(B, S, V), LENGTHS))
