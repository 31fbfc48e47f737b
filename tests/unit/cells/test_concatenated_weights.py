"""The concatenated form [W_hh | W_ih] of a cell's weights."""

import pytest
import torch

from recurra.cells import (
    ConcatenatedWeights,
    GRUCell,
    GRUWeights,
    LSTMCell,
    LSTMEquation,
    LSTMState,
    LSTMWeights,
    RNNCell,
    RNNWeights,
    concatenate_weights,
    split_weights,
)
from recurra.errors import ShapeError

CELLS = [(RNNCell, RNNWeights), (GRUCell, GRUWeights), (LSTMCell, LSTMWeights)]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("cell", "kind"), CELLS)
def test_there_and_back_computes_the_same(cell, kind, bias):
    step = cell(3, 5, bias, dtype=torch.float64)
    concatenated = concatenate_weights(step.weights)
    back = split_weights(kind, concatenated)
    x = torch.randn(4, 3, dtype=torch.float64)
    state = step(torch.randn(4, 3, dtype=torch.float64))
    torch.testing.assert_close(tuple(step.equation.step(x, state, back)), tuple(step(x, state)))
    for again, part in zip(concatenate_weights(back), concatenated, strict=True):
        assert (again is None and part is None) or torch.equal(again, part)


def test_wa_multiplies_the_state_above_the_input():
    step = RNNCell(3, 5)
    wa, ba, *_ = concatenate_weights(step.weights)
    x, a = torch.randn(4, 3), torch.randn(4, 5)
    torch.testing.assert_close(torch.tanh(torch.cat([a, x], dim=1) @ wa.T + ba), step(x, a))


def test_wa_of_hidden_100_and_input_10000_is_100_by_10100():
    wa = concatenate_weights(RNNCell(10_000, 100, device="meta").weights).weight
    assert wa.shape == (100, 10_100)


def test_the_second_bias_of_a_gru_stays_by_itself():
    step = GRUCell(3, 5)
    concatenated = concatenate_weights(step.weights)
    assert torch.equal(concatenated.bias_hn, step.bias_hh[10:])
    assert torch.equal(concatenated.bias[10:], step.bias_ih[10:])
    torch.testing.assert_close(concatenated.bias[:10], (step.bias_ih + step.bias_hh)[:10])


def test_a_projection_goes_along():
    shapes = LSTMEquation().weight_shapes(3, 5, proj_size=2)
    weights = LSTMWeights(**{name: torch.randn(shape) for name, shape in shapes.items()})
    concatenated = concatenate_weights(weights)
    assert concatenated.weight.shape == (20, 2 + 3)
    back = split_weights(LSTMWeights, concatenated)
    x, state = torch.randn(4, 3), LSTMState(hidden=torch.randn(4, 2), cell=torch.randn(4, 5))
    step = LSTMEquation().step
    torch.testing.assert_close(tuple(step(x, state, back)), tuple(step(x, state, weights)))


@pytest.mark.parametrize("shape", [(14, 8), (15, 5), (15, 4)])
def test_shapes_that_cannot_be(shape):
    with pytest.raises(ShapeError, match=r"weight: got shape .* expected \(3\*H, H\+I\) with I >= 1"):
        split_weights(GRUWeights, ConcatenatedWeights(torch.zeros(shape)))
