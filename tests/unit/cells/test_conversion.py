"""Weights in the layouts of Keras, ONNX and the notes: round trips, the same function, refusals."""

import re

import numpy as np
import pytest
import torch
from every_equation import EQUATIONS, name_of, random_state, random_weights
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.cells import (
    GRUEquation,
    JordanEquation,
    KerasWeights,
    LSTMEquation,
    LSTMState,
    RNNEquation,
    concatenate_weights,
    from_keras,
    from_notes,
    from_onnx,
    keras_weights,
    notes_weights,
    onnx_attributes,
    onnx_weights,
    split_weights,
)
from recurra.errors import ConfigError, ShapeError

KERAS = [
    RNNEquation(),
    GRUEquation("after"),
    GRUEquation("before"),
    LSTMEquation(),
    LSTMEquation(coupled_gates=True),
]
ONNX = [*KERAS, LSTMEquation(True, output_activation="identity"), LSTMEquation(True, coupled_gates=True)]
NOTES = [equation for equation in EQUATIONS if not equation.layer_norm]
PAIRS = {
    "keras": (keras_weights, from_keras, KERAS),
    "onnx": (onnx_weights, from_onnx, ONNX),
    "notes": (notes_weights, from_notes, NOTES),
    "concatenated": (
        lambda equation, weights: concatenate_weights(weights, equation),
        split_weights,
        [equation for equation in NOTES if not isinstance(equation, JordanEquation)],
    ),
}
SIZES = [(1, 1), (5, 7), (7, 1), (1, 7)]  # input, hidden


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def zero_bias_hn(weights, equation):
    """The notes' form cannot express it."""
    if isinstance(equation, GRUEquation) and equation.reset == "after" and weights.bias_hh is not None:
        weights.bias_hh.chunk(3)[2].zero_()
    return weights


@settings(max_examples=150, deadline=None)
@given(
    data=st.data(),
    layout=st.sampled_from(sorted(PAIRS)),
    input_size=st.integers(1, 7),
    hidden_size=st.integers(1, 7),
    bias=st.booleans(),
)
def test_there_and_back(data, layout, input_size, hidden_size, bias):
    there, back, equations = PAIRS[layout]
    equation = data.draw(st.sampled_from(equations))
    weights = random_weights(equation, input_size, hidden_size, bias)
    if layout == "notes":
        weights = zero_bias_hn(weights, equation)
    converted = there(equation, weights)
    returned = back(equation, converted)
    assert type(returned) is type(weights)
    for got, want in zip(returned, weights, strict=True):
        assert (got is None) == (want is None)
        assert got is None or got.shape == want.shape
    x = torch.randn(3, input_size, dtype=torch.float64)
    state = random_state(equation, 3, hidden_size)
    torch.testing.assert_close(
        tuple(equation.step(x, state, returned)),
        tuple(equation.step(x, state, weights)),
        rtol=1e-10,
        atol=1e-12,
    )
    again = there(equation, returned)
    pairs = (
        [(again[name], converted[name]) for name in converted]
        if layout == "notes"
        else zip(again, converted, strict=True)
    )
    for got, want in pairs:
        assert (got is None and want is None) or torch.equal(got, want)


@pytest.mark.parametrize(
    ("layout", "equation"), [(n, e) for n in ("keras", "onnx") for e in PAIRS[n][2]], ids=str
)
def test_numpy_arrays_are_taken_and_gradients_pass(layout, equation):
    there, back, _ = PAIRS[layout]
    weights = random_weights(equation, 2, 3)
    arrays = [None if part is None else part.numpy() for part in there(equation, weights)]
    torch.testing.assert_close(back(equation, arrays).weight_hh, weights.weight_hh)
    weights.weight_ih.requires_grad_()
    (gradient,) = torch.autograd.grad((there(equation, weights)[0] ** 2).sum() / 2, weights.weight_ih)
    times = torch.ones(len(equation.gates), 1, 1)
    if "f" in equation.gates and "i" not in equation.gates:
        times[0] = 2  # f's rows occur twice
    want = weights.weight_ih.unflatten(0, (len(times), -1)) * times
    torch.testing.assert_close(gradient, want.flatten(0, 1).detach())


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("equation", KERAS, ids=str)
def test_a_step_as_keras_writes_it(equation, sizes, bias):
    """x @ kernel + h @ recurrent_kernel, the gates side by side."""
    weights = random_weights(equation, *sizes, bias)
    kernel, recurrent, b = (None if a is None else a.numpy() for a in keras_weights(equation, weights))
    x, state = torch.randn(3, sizes[0], dtype=torch.float64), random_state(equation, 3, sizes[1])
    h = (state[0] if isinstance(state, LSTMState) else state).numpy()
    gates = kernel.shape[1] // h.shape[1]
    b = np.zeros((2, kernel.shape[1])) if b is None else np.stack([b, 0 * b]) if b.ndim == 1 else b
    of_x = np.split(x.numpy() @ kernel + b[0], gates, axis=1)
    of_h = np.split(h @ recurrent + b[1], gates, axis=1)
    if isinstance(equation, RNNEquation):
        want = [np.tanh(of_x[0] + of_h[0])]
    elif isinstance(equation, GRUEquation):
        z, r = (sigmoid(of_x[n] + of_h[n]) for n in (0, 1))
        if equation.reset == "after":
            candidate = np.tanh(of_x[2] + r * of_h[2])
        else:
            candidate = np.tanh(of_x[2] + (r * h) @ recurrent[:, 2 * h.shape[1] :])
        want = [z * h + (1 - z) * candidate]
    else:
        i, f, c, o = (a + d for a, d in zip(of_x, of_h, strict=True))
        cell = sigmoid(f) * state.cell.numpy() + sigmoid(i) * np.tanh(c)
        want = [sigmoid(o) * np.tanh(cell), cell]
    got = equation.step(x, state, weights)
    for part, expected in zip([got] if len(want) == 1 else got, want, strict=True):
        np.testing.assert_allclose(part.numpy(), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("equation", NOTES, ids=name_of)
def test_a_step_as_the_notes_write_it(equation, sizes, bias):
    weights = zero_bias_hn(random_weights(equation, *sizes, bias), equation)
    w = {name: tensor.numpy() for name, tensor in notes_weights(equation, weights).items()}
    x, state = torch.randn(3, sizes[0], dtype=torch.float64), random_state(equation, 3, sizes[1])
    a = (state[0] if isinstance(state, LSTMState) else state).numpy()

    def gate(name, above, peephole=0.0):
        joined = np.concatenate([above, x.numpy()], axis=1)
        return joined @ w[f"W{name}"].T + w.get(f"b{name}", 0.0) + w.get(f"p{name}", 0.0) * peephole

    if isinstance(equation, LSTMEquation):
        c = state.cell.numpy()
        relevant = sigmoid(gate("r", a)) * a if equation.relevance_gate else a
        update = sigmoid(gate("u", a, c))
        forget = 1 - update if equation.coupled_gates else sigmoid(gate("f", a, c))
        new = update * np.tanh(gate("c", relevant)) + forget * c
        output = sigmoid(gate("o", a, c if equation.peepholes == "previous" else new))
        want = [output * (np.tanh(new) if equation.output_activation == "tanh" else new), new]
    elif isinstance(equation, GRUEquation):
        relevant = {"none": lambda: a, "before": lambda: sigmoid(gate("r", a)) * a, "after": lambda: a}[
            equation.reset
        ]()
        inner = gate("c", relevant)
        if equation.reset == "after":  # Γr is applied after the product
            hidden = a @ w["Wc"][:, : a.shape[1]].T
            inner = inner + (sigmoid(gate("r", a)) - 1) * hidden
        update = sigmoid(gate("u", a))
        want = [update * np.tanh(inner) + (1 - update) * a]
    else:
        g = {
            "tanh": np.tanh,
            "relu": lambda v: np.maximum(v, 0),
            "leaky_relu": lambda v: np.maximum(0.01 * v, v),
            "sigmoid": sigmoid,
            "hardtanh": lambda v: np.clip(v, -1, 1),
        }[equation.nonlinearity]
        want = [g(gate("a", a))]
        if isinstance(equation, JordanEquation):
            y = want[0] @ w["Wy"].T + w.get("by", 0.0)
            g2 = {
                "identity": lambda v: v,
                "tanh": np.tanh,
                "sigmoid": sigmoid,
                "softmax": lambda v: np.exp(v) / np.exp(v).sum(axis=1, keepdims=True),
            }[equation.output_activation]
            want = [g2(y)]
    got = equation.step(x, state, weights)
    for part, expected in zip([got] if len(want) == 1 else got, want, strict=True):
        np.testing.assert_allclose(part.numpy(), expected, rtol=1e-9, atol=1e-12)


def test_the_names_of_the_notes():
    def names(equation, bias=True):
        return sorted(notes_weights(equation, zero_bias_hn(random_weights(equation, 2, 3, bias), equation)))

    assert names(RNNEquation()) == ["Wa", "ba"]
    assert names(GRUEquation("none")) == ["Wc", "Wu", "bc", "bu"]
    assert names(GRUEquation("before")) == ["Wc", "Wr", "Wu", "bc", "br", "bu"]
    assert names(LSTMEquation(), bias=False) == ["Wc", "Wf", "Wo", "Wu"]
    assert names(LSTMEquation(True, True, True), bias=False) == ["Wc", "Wo", "Wr", "Wu", "po", "pu"]
    assert names(JordanEquation()) == ["Wa", "Wy", "ba", "by"]


def test_the_update_gate_of_the_notes_is_one_minus_z():
    equation = GRUEquation("before")
    weights = random_weights(equation, 2, 3)
    notes = notes_weights(equation, weights)
    assert torch.equal(notes["Wu"], -torch.cat([weights.weight_hh, weights.weight_ih], dim=1)[3:6])
    assert torch.equal(notes["bu"], -(weights.bias_ih + weights.bias_hh)[3:6])


WITH_BIAS_HN = random_weights(GRUEquation(), 2, 3)


def named(equation, **changes):
    notes = notes_weights(equation, random_weights(equation, 2, 3)) | changes
    return {name: tensor for name, tensor in notes.items() if tensor is not None}


@pytest.mark.parametrize(
    ("convert", "sentence"),
    [
        (lambda: notes_weights(GRUEquation(), WITH_BIAS_HN), "bias_hn: got numbers up to"),
        (
            lambda: keras_weights(GRUEquation("none"), None),
            "reset: got 'none', expected 'after' or 'before'; Keras's layout cannot express it",
        ),
        (lambda: keras_weights(LSTMEquation(True), None), "peepholes: got True, expected False"),
        (
            lambda: from_keras(LSTMEquation(output_activation="identity"), []),
            "output_activation: got 'identity'",
        ),
        (
            lambda: onnx_weights(LSTMEquation("previous"), None),
            "peepholes: got 'previous', expected False or True",
        ),
        (
            lambda: onnx_attributes(LSTMEquation(relevance_gate=True)),
            "relevance_gate: got True, expected False; ONNX",
        ),
        (
            lambda: onnx_attributes(RNNEquation("hardtanh")),
            "nonlinearity: got 'hardtanh', expected one of tanh",
        ),
        (
            lambda: from_onnx(JordanEquation(), []),
            "equation: got JordanEquation, expected one of RNNEquation",
        ),
        *(
            (lambda f=f: f(RNNEquation(layer_norm=True), None), "layer_norm: got True, expected False")
            for f in (
                keras_weights,
                from_keras,
                onnx_weights,
                from_onnx,
                notes_weights,
                from_notes,
                split_weights,
            )
        ),
        (
            lambda: notes_weights(LSTMEquation(), random_weights(LSTMEquation(), 2, 3, proj_size=2)),
            "weight_hr: got shape (2, 3), expected none; the notes' form cannot express a projection",
        ),
        (
            lambda: from_keras(
                LSTMEquation(coupled_gates=True),
                keras_weights(LSTMEquation(), random_weights(LSTMEquation(), 2, 3)),
            ),
            "coupled_gates: got True, but in kernel the block of i is not f's with the sign changed",
        ),
    ],
)
def test_what_has_no_place_is_refused(convert, sentence):
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        convert()


@pytest.mark.parametrize(
    ("convert", "sentence"),
    [
        (
            lambda: from_keras(RNNEquation(), [torch.zeros(2, 3)]),
            "arrays: got 1, expected 2 to 3: kernel, recurrent_kernel",
        ),
        (
            lambda: from_keras(RNNEquation(), [torch.zeros(3), torch.zeros(3, 3)]),
            "kernel: got shape (3,), expected a tensor of 2",
        ),
        (
            lambda: from_keras(LSTMEquation(), KerasWeights(torch.zeros(2, 9), torch.zeros(3, 12))),
            "kernel: got shape (2, 9), expected (2, 12); the blocks of i, f, g, o are side by side",
        ),
        (
            lambda: from_keras(
                GRUEquation(), KerasWeights(torch.zeros(2, 9), torch.zeros(3, 9), torch.zeros(9))
            ),
            "bias: got shape (9,), expected (2, 9)",
        ),
        (
            lambda: from_onnx(GRUEquation(), [torch.zeros(2, 9, 2), torch.zeros(2, 9, 3)]),
            "W: got shape (2, 9, 2), expected (1, 9, 2); the blocks are z, r, n, for one direction",
        ),
        (
            lambda: from_onnx(LSTMEquation(True), [torch.zeros(1, 12, 2), torch.zeros(1, 12, 3)]),
            "P: got None, expected (1, 9); P is given if and only if peepholes=True",
        ),
        (
            lambda: from_onnx(
                LSTMEquation(), [torch.zeros(1, 12, 2), torch.zeros(1, 12, 3), None, torch.zeros(1, 9)]
            ),
            "P: got shape (1, 9), expected None",
        ),
        (lambda: from_notes(RNNEquation(), {}), "names: got none, expected Wa, and all or none of ba"),
        (
            lambda: from_notes(LSTMEquation(), named(LSTMEquation(), bo=None)),
            "names: got Wc, Wf, Wo, Wu, bc, bf, bu, expected Wu",
        ),
        (
            lambda: from_notes(LSTMEquation(), named(LSTMEquation(), bo=torch.zeros(2))),
            "bo: got shape (2,), expected (3,)",
        ),
        (
            lambda: from_notes(LSTMEquation(), named(LSTMEquation(), Wo=torch.zeros(3))),
            "Wo: got shape (3,), expected a matrix",
        ),
        (
            lambda: from_notes(RNNEquation(), {"Wa": torch.zeros(3, 3)}),
            "Wa: got shape (3, 3), expected (H, H+I) with I >= 1",
        ),
    ],
)
def test_shapes_and_names_that_do_not_fit(convert, sentence):
    with pytest.raises(ShapeError, match=re.escape(sentence)):
        convert()
