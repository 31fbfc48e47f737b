"""Small calls of the native kernels for every equation and option that they support."""

import torch
from torch.nn.utils.rnn import pack_sequence

from recurra.cells import GRUEquation, JordanEquation, LSTMEquation, RNNEquation
from recurra.kernels.calls import Inputs
from recurra.kernels.codes import LSTM, code_of

# name -> (equation, projection)
EQUATIONS = {
    "rnn": (RNNEquation("sigmoid"), 0),
    "jordan": (JordanEquation("tanh", "softmax"), 3),
    "gru": (GRUEquation(), 0),
    "gru_before": (GRUEquation(reset="before"), 0),
    "gru_none": (GRUEquation(reset="none"), 0),
    "lstm": (LSTMEquation(), 0),
    "lstm_projected": (LSTMEquation(peepholes=True), 3),
    "lstm_coupled": (LSTMEquation(peepholes="previous", coupled_gates=True), 0),
    "rnn_norm": (RNNEquation("tanh", layer_norm=True), 0),
    "gru_norm": (GRUEquation(layer_norm=True), 0),
    "gru_before_norm": (GRUEquation("before", layer_norm=True), 0),
    "gru_none_norm": (GRUEquation("none", layer_norm=True), 0),
    "lstm_norm": (LSTMEquation(output_activation="identity", layer_norm=True), 0),
    "lstm_projected_norm": (LSTMEquation(peepholes=True, layer_norm=True), 3),
    "lstm_coupled_norm": (LSTMEquation(peepholes="previous", coupled_gates=True, layer_norm=True), 0),
    "lstm_relevance_norm": (LSTMEquation(peepholes=True, relevance_gate=True, layer_norm=True), 0),
    "lstm_relevance": (LSTMEquation(relevance_gate=True, output_activation="identity"), 0),
}
T, B, I, H = 4, 3, 2, 5


def random_inputs(name, packed=False, zoneout=False, every_cell=False, reverse=False, bias=True):
    """Inputs of a call with different numbers everywhere; all require gradients."""
    equation, P = EQUATIONS[name]
    code = code_of(equation)
    weights = {
        field: torch.randn(shape).requires_grad_()
        for field, shape in equation.weight_shapes(I, H, bias, P).items()
    }
    widths = equation.state_widths(H, P)
    states = [torch.randn(B, width).requires_grad_() for width in widths]
    steps, batch_sizes = (T, B), None
    if packed:
        batch_sizes = pack_sequence([torch.zeros(length) for length in (T, 2, 1)]).batch_sizes
        steps = (int(batch_sizes.sum()),)
    keeps = [torch.rand(*steps, width) if zoneout else None for width in widths]
    return Inputs(
        x=torch.randn(*steps, I).requires_grad_(),
        h0=states[0],
        c0=states[1] if code.cell == LSTM else None,
        weight_ih=weights["weight_ih"],
        weight_hh=weights["weight_hh"],
        bias_ih=weights.get("bias_ih"),
        bias_hh=weights.get("bias_hh"),
        projection=weights.get("weight_hr", weights.get("weight_ho")),
        projection_bias=weights.get("bias_ho"),
        peephole=weights.get("weight_peephole"),
        **{each: weights.get(each) for each in ("gain_ih", "gain_hh", "gain_cell", "shift_cell")},
        keep_hidden=None if name == "jordan" else keeps[0],
        keep_cell=keeps[1] if code.cell == LSTM else None,
        batch_sizes=batch_sizes,
        options=[*code, int(reverse), int(every_cell)],
    )


def differentiable(inputs):
    return {
        name: tensor
        for name, tensor in inputs._asdict().items()
        if isinstance(tensor, torch.Tensor) and tensor.requires_grad
    }


def loss_of(outputs):
    """A loss with a different weight for each number."""
    generator = torch.Generator().manual_seed(5)
    return sum(
        (output * torch.randn(output.shape, generator=generator).to(output.dtype)).sum()
        for output in outputs
        if output is not None
    )


def assert_close(got, want, tolerance=1e-4):
    assert (got.double() - want.double()).abs().max() <= tolerance * want.double().abs().max().clamp(min=1e-3)
