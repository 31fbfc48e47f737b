"""First and second derivatives of the layers and cells against finite differences, in float64."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from recurra.cells import NONLINEARITIES, GRUCell, LSTMCell, RNNCell
from recurra.layers import GRU, LSTM, RNN

LAYERS = {
    **{
        f"rnn_{name}": (lambda name=name, **options: RNN(2, 3, nonlinearity=name, **options))
        for name in NONLINEARITIES
    },
    "gru": lambda **options: GRU(2, 3, **options),
    "lstm": lambda **options: LSTM(2, 3, **options),
    "lstm_proj": lambda **options: LSTM(2, 3, proj_size=2, **options),
    "residual": lambda **options: GRU(2, 2, skip="residual", merge="sum", zoneout=0.3, **options).eval(),
    "graves": lambda **options: LSTM(
        2, 3, **{"num_layers": 2} | options, skip="graves", zoneout=(0.3, 0.2)
    ).eval(),
}
FUSED = [(name, "torch") for name in ("rnn_tanh", "rnn_relu", "gru", "lstm", "lstm_proj")]


def as_function(layer, lengths):
    """The layer as a function of x, the state's parts and every parameter."""
    names = [name for name, _ in layer.named_parameters()]
    state = layer.initial_state(2)
    parts = 1 if isinstance(state, torch.Tensor) else 2

    def function(x, *tensors):
        hx = tensors[0] if parts == 1 else tensors[:2]
        weights = dict(zip(names, tensors[parts:], strict=True))
        output, final = torch.func.functional_call(layer, weights, (x, hx, lengths))
        return output, *([final] if parts == 1 else final)

    torch.manual_seed(0)
    states = [torch.randn_like(part) for part in ([state] if parts == 1 else state)]
    values = [parameter.detach().clone() for parameter in layer.parameters()]
    x = torch.randn(3, 2, 2, dtype=torch.float64)
    return function, tuple(tensor.requires_grad_() for tensor in [x, *states, *values])


@pytest.mark.parametrize("lengths", [None, [1, 3]])
@pytest.mark.parametrize(("name", "backend"), [(name, "reference") for name in LAYERS] + FUSED)
def test_gradients(name, backend, lengths):
    torch.manual_seed(1)
    layer = LAYERS[name](num_layers=2, bidirectional=True, dtype=torch.float64, backend=backend)
    assert gradcheck(*as_function(layer, lengths), fast_mode=True)
    assert layer.backend_used == backend


@pytest.mark.filterwarnings("ignore:merge")
@pytest.mark.parametrize("name", LAYERS)
def test_second_derivatives_of_the_reference(name):
    torch.manual_seed(1)
    layer = LAYERS[name](dtype=torch.float64, backend="reference")
    assert gradgradcheck(*as_function(layer, [1, 3]), fast_mode=True)


@pytest.mark.parametrize("cell", [RNNCell, GRUCell, LSTMCell])
def test_forward_mode_of_a_cell(cell):
    step = cell(2, 3, dtype=torch.float64)
    x = torch.randn(4, 2, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x: tuple(step(x)), (x,), check_forward_ad=True)
