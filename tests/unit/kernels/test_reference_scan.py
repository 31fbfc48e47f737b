"""The reference loop: one direction of one layer, step by step."""

import pytest
import torch

from recurra.cells import GRUCell, LSTMCell, RNNCell
from recurra.kernels import reference


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", [RNNCell, GRUCell, LSTMCell])
def test_a_scan_is_the_cell_applied_again_and_again(cell, reverse):
    step = cell(3, 5)
    x, lengths = torch.randn(4, 2, 3), torch.tensor([4, 2])
    start = step(torch.randn(2, 3))
    output, final = reference.scan(step.equation, x, start, step.weights, lengths, reverse)
    for row, length in enumerate(lengths.tolist()):
        state = start if cell is not LSTMCell else tuple(start)
        state = state[row] if cell is not LSTMCell else tuple(part[row] for part in state)
        for t in reversed(range(length)) if reverse else range(length):
            state = step(x[t, row], state)
            hidden = state if cell is not LSTMCell else state[0]
            torch.testing.assert_close(output[t, row], hidden)
        assert not output[length:, row].any()
        ends = [final] if cell is not LSTMCell else final
        states = [state] if cell is not LSTMCell else state
        for end, part in zip(ends, states, strict=True):
            torch.testing.assert_close(end[row], part)


def test_no_steps_give_the_state_back():
    step = GRUCell(3, 5)
    start = torch.randn(2, 5)
    output, final = reference.scan(step.equation, torch.zeros(0, 2, 3), start, step.weights)
    assert output.shape == (0, 2, 5)
    assert final is start
