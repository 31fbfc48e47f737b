"""One step of our cells against torch.nn's, with states that differ from each other."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from recurra.cells import GRUCell, LSTMCell, LSTMState, RNNCell

CELLS = {
    "rnn_tanh": (RNNCell, nn.RNNCell, {}),
    "rnn_relu": (RNNCell, nn.RNNCell, {"nonlinearity": "relu"}),
    "gru": (GRUCell, nn.GRUCell, {}),
    "lstm": (LSTMCell, nn.LSTMCell, {}),
}


def paired_cells(name, input_size, hidden_size, bias):
    ours, theirs, options = CELLS[name]
    torch.manual_seed(4)
    cell = ours(input_size, hidden_size, bias, dtype=torch.float64, **options)
    torch.manual_seed(4)
    return cell, theirs(input_size, hidden_size, bias, dtype=torch.float64, **options)


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(sorted(CELLS)),
    batch=st.integers(0, 4),
    input_size=st.integers(1, 6),
    hidden_size=st.integers(1, 7),
    bias=st.booleans(),
    with_state=st.booleans(),
)
def test_cell_matches_torch(name, batch, input_size, hidden_size, bias, with_state):
    cell, oracle = paired_cells(name, input_size, hidden_size, bias)
    assert list(cell.state_dict()) == list(oracle.state_dict())
    for parameter, expected in zip(cell.parameters(), oracle.parameters(), strict=True):
        assert torch.equal(parameter, expected)
    shape = (batch,) if batch else ()  # no batch at all: one row
    x = torch.randn(*shape, input_size, dtype=torch.float64, requires_grad=True)
    h, c = torch.randn(2, *shape, hidden_size, dtype=torch.float64).requires_grad_()
    state = None if not with_state else (h, c) if name == "lstm" else h
    got, want = cell(x, state), oracle(x, state)
    assert isinstance(got, LSTMState) == (name == "lstm")
    got, want = (tuple(s) if name == "lstm" else (s,) for s in (got, want))
    torch.testing.assert_close(got, want)
    of_ours, of_torchs = (
        torch.autograd.grad(
            sum(((n + 1) * part * torch.arange(1, hidden_size + 1)).sum() for n, part in enumerate(parts)),
            [x, *module.parameters()],
        )
        for parts, module in ((got, cell), (want, oracle))
    )
    torch.testing.assert_close(of_ours, of_torchs)
