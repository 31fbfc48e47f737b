"""Recurra's layers and torch.nn's with the same weights, and the results of both for one loss."""

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from recurra.layers import GRU, LSTM, RNN

# name -> (ours, torch.nn's, arguments)
CELLS = {
    "rnn_tanh": (RNN, nn.RNN, {}),
    "rnn_relu": (RNN, nn.RNN, {"nonlinearity": "relu"}),
    "gru": (GRU, nn.GRU, {}),
    "lstm": (LSTM, nn.LSTM, {}),
    "lstm_proj": (LSTM, nn.LSTM, {"proj_size": 3}),
}
INPUT, HIDDEN = 3, 5


def paired_layers(cell, backend="auto", input_size=INPUT, hidden_size=HIDDEN, **options):
    ours, oracle, fixed = CELLS[cell]
    options = {"dtype": torch.float64, **options, **fixed}
    expected = oracle(input_size, hidden_size, **options)
    layer = ours(input_size, hidden_size, backend=backend, **options)
    layer.load_state_dict(expected.state_dict())
    return layer, expected


def random_state(layer, batch_size):
    """A state in which every layer, direction, row and part differs; (L*D, B, H), a pair for the LSTM."""
    zeros = layer.initial_state(batch_size)
    if isinstance(zeros, torch.Tensor):
        return torch.randn_like(zeros).requires_grad_()
    return tuple(torch.randn_like(part).requires_grad_() for part in zeros)


def parts_of(state):
    return [state] if isinstance(state, torch.Tensor) else list(state)


def weighted_sum(tensors):
    """A loss with a different weight for each number."""
    generator = torch.Generator().manual_seed(5)
    return sum(
        (tensor * torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype)).sum()
        for tensor in tensors
    )


def everything(layer, x, state=None, **call):
    """Outputs, final states and the gradients of x, the state and all parameters, by name."""
    output, final = layer(x, state, **call)
    tensors = [output.data if isinstance(output, PackedSequence) else output, *parts_of(final)]
    parameters = dict(layer.named_parameters())
    leaves = [x.data if isinstance(x, PackedSequence) else x, *parameters.values()]
    leaves += [] if state is None else parts_of(state)
    loss = weighted_sum([*tensors, leaves[0] * 0])  # so that a batch without steps also has a gradient: zero
    gradients = torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)
    names = ["x", *parameters, *(["hx", "cx"] if state is not None else [])]
    results = dict(zip(["output", "hidden", "cell"], tensors, strict=False))
    return results | {
        f"gradient of {name}": gradient for name, gradient in zip(names, gradients, strict=False)
    }


def assert_same(got, want, exactly=False, **tolerances):
    assert got.keys() == want.keys()
    for name in want:
        if exactly:
            tolerances = {"rtol": 0, "atol": 0}
        torch.testing.assert_close(
            got[name], want[name], msg=lambda text, name=name: f"{name}: {text}", **tolerances
        )
