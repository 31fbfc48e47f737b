"""Cells against ONNX's operators RNN, GRU and LSTM over several steps, with converted weights.

The reference evaluator of onnx supports RNN with tanh, GRU, and LSTM with peepholes. If onnxruntime is
installed, the other activations and input_forget are also compared.
"""

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from recurra.cells import (
    GRUEquation,
    LSTMEquation,
    LSTMState,
    RNNEquation,
    from_onnx,
    hidden_of,
    onnx_attributes,
    onnx_weights,
)

OPERATORS = {RNNEquation: "RNN", GRUEquation: "GRU", LSTMEquation: "LSTM"}
PLAIN = [
    RNNEquation(),
    GRUEquation("after"),
    GRUEquation("before"),
    LSTMEquation(),
    LSTMEquation(peepholes=True),
    LSTMEquation(coupled_gates=True),
    LSTMEquation(peepholes=True, coupled_gates=True),
]
FURTHER = [
    *(RNNEquation(name) for name in ("relu", "leaky_relu", "sigmoid")),
    LSTMEquation(output_activation="identity"),
    LSTMEquation(peepholes=True, coupled_gates=True, output_activation="identity"),
]
SIZES = [(3, 5, 4), (1, 1, 1), (2, 1, 7), (2, 7, 1)]  # batch, input, hidden
STEPS = 5


def model_of(equation, feeds, hidden_size):
    names = ["X", "W", "R", "B" if "B" in feeds else "", "", "initial_h"]
    outputs = ["Y", "Y_h"]
    if isinstance(equation, LSTMEquation):
        names, outputs = [*names, "initial_c", "P" if "P" in feeds else ""], [*outputs, "Y_c"]
    node = helper.make_node(
        OPERATORS[type(equation)], names, outputs, hidden_size=hidden_size, **onnx_attributes(equation)
    )
    kind = TensorProto.DOUBLE if feeds["X"].dtype == np.float64 else TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info(name, kind, array.shape) for name, array in feeds.items()]
    results = [helper.make_tensor_value_info(name, kind, None) for name in outputs]
    graph = helper.make_graph([node], "one_node", inputs, results)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def both(equation, sizes, bias, dtype, run):
    """Outputs and final state of our step in a loop, and of the operator with converted weights."""
    torch.manual_seed(13)
    batch, input_size, hidden_size = sizes
    shapes = equation.weight_shapes(input_size, hidden_size, bias)
    weights = equation.weights_type(
        **{name: torch.randn(shape, dtype=dtype) for name, shape in shapes.items()}
    )
    x = torch.randn(STEPS, batch, input_size, dtype=dtype)
    state = [torch.randn(batch, width, dtype=dtype) for width in equation.state_widths(hidden_size)]
    named = onnx_weights(equation, weights)._asdict()
    feeds = {"X": x, "initial_h": state[0][None]} | {n: t for n, t in named.items() if t is not None}
    if len(state) == 2:
        feeds["initial_c"] = state[1][None]
    feeds = {name: tensor.numpy() for name, tensor in feeds.items()}
    want = run(model_of(equation, feeds, hidden_size), feeds)
    ours = LSTMState(*state) if len(state) == 2 else state[0]
    outputs = []
    for at_t in x:
        ours = equation.step(at_t, ours, weights)
        outputs.append(hidden_of(ours))
    final = list(ours) if len(state) == 2 else [ours]
    return [torch.stack(outputs)[:, None], *(part[None] for part in final)], want


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("equation", PLAIN, ids=str)
def test_the_reference_evaluator_agrees(equation, sizes, bias):
    def run(model, feeds):
        return ReferenceEvaluator(model).run(None, feeds)

    for got, want in zip(*both(equation, sizes, bias, torch.float64, run), strict=True):
        np.testing.assert_allclose(got.numpy(), want, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("equation", [*PLAIN, *FURTHER], ids=str)
def test_onnxruntime_agrees(equation, sizes):
    runtime = pytest.importorskip("onnxruntime")

    def run(model, feeds):
        session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        return session.run(None, feeds)

    for got, want in zip(*both(equation, sizes, True, torch.float32, run), strict=True):
        np.testing.assert_allclose(got.numpy(), want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("equation", [*PLAIN, *FURTHER], ids=str)
def test_weights_come_back(equation):
    shapes = equation.weight_shapes(3, 4)
    weights = equation.weights_type(**{name: torch.randn(shape) for name, shape in shapes.items()})
    back = from_onnx(equation, onnx_weights(equation, weights))
    for got, want in zip(back, weights, strict=True):
        assert (got is None and want is None) or torch.equal(got, want)
