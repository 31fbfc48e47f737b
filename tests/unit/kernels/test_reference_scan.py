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


@pytest.mark.parametrize("reverse", [False, True])
def test_every_cell_and_zoneout_step_by_step(reverse):
    """Zoneout is applied outside the cell: the step is the cell's, starting from the mixed state."""
    torch.manual_seed(0)
    step = LSTMCell(3, 5)
    x, lengths = torch.randn(4, 2, 3), [4, 2]
    shares = reference.Zoneout(torch.rand(4, 2, 5), torch.rand(4, 2, 5))
    start = step(torch.randn(2, 3))
    output, final, cells = reference.scan(
        step.equation, x, start, step.weights, torch.tensor(lengths), reverse, shares, every_cell=True
    )
    for row, length in enumerate(lengths):
        h, c = (part[row] for part in start)
        for t in reversed(range(length)) if reverse else range(length):
            new_h, new_c = step(x[t, row], (h, c))
            h = torch.lerp(new_h, h, shares.hidden[t, row])
            c = torch.lerp(new_c, c, shares.cell[t, row])
            torch.testing.assert_close(output[t, row], h)
            torch.testing.assert_close(cells[t, row], c)
        assert not cells[length:, row].any()
        torch.testing.assert_close((final.hidden[row], final.cell[row]), (h, c))


def test_zoneout_of_one_part_leaves_the_other():
    torch.manual_seed(0)
    step, x = LSTMCell(3, 5), torch.randn(1, 2, 3)
    start = step(torch.randn(2, 3))
    want = step(x[0], start)
    for part, other in (("hidden", "cell"), ("cell", "hidden")):
        _, final = reference.scan(
            step.equation, x, start, step.weights, zoneout=reference.Zoneout(**{part: torch.ones(1, 2, 5)})
        )
        assert torch.equal(getattr(final, part), getattr(start, part))
        assert torch.equal(getattr(final, other), getattr(want, other))


def test_no_steps_have_no_cells():
    step = LSTMCell(3, 5)
    start = step(torch.randn(2, 3))
    *_, cells = reference.scan(step.equation, torch.zeros(0, 2, 3), start, step.weights, every_cell=True)
    assert cells.shape == (0, 2, 5)
