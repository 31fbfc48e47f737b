"""Cells that torch does not have, against their equations in numpy, gate by gate, over several steps."""

import itertools

import numpy as np
import pytest
import torch

from recurra.cells import (
    OUTPUT_ACTIVATIONS,
    OUTPUT_FUNCTIONS,
    PEEPHOLES,
    RESETS,
    GRUEquation,
    JordanEquation,
    LSTMEquation,
    LSTMState,
    RNNEquation,
)

BOTH = (False, True)
SIZES = [(3, 5, 4), (1, 1, 1), (2, 1, 7), (2, 7, 1)]  # batch, input, hidden
STEPS = 4


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def normal(v):
    """Each row with mean 0 and variance 1."""
    centred = v - v.mean(axis=1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)


class Rows:
    """The rows of one gate in the weights, by index: W x and U h with and without normalisation."""

    def __init__(self, weights, hidden_size, norm):
        self.w = {name: tensor.numpy() for name, tensor in weights._asdict().items() if tensor is not None}
        self.hidden_size, self.norm = hidden_size, norm

    def terms(self, kind, vector, gates):
        """The products for the gates with these numbers; with layer_norm, normalised as one vector."""
        size = self.hidden_size
        rows = np.concatenate([np.arange(gate * size, (gate + 1) * size) for gate in gates])
        products = vector @ self.w[f"weight_{kind}"][rows].T
        if self.norm:
            products = normal(products) * self.w[f"gain_{kind}"][rows]
        products = products + self.w.get(f"bias_{kind}", np.zeros(10**3))[rows]
        return [products[:, n * size : (n + 1) * size] for n in range(len(gates))]


def rnn_step(equation, rows, x, h):
    (from_x,), (from_h,) = rows.terms("ih", x, [0]), rows.terms("hh", h, [0])
    return np.tanh(from_x + from_h)


def gru_step(equation, rows, x, h):
    if equation.reset == "none":
        (xz, xn), (hz, hn) = rows.terms("ih", x, [0, 1]), rows.terms("hh", h, [0, 1])
        update, candidate = 1 - sigmoid(xz + hz), np.tanh(xn + hn)
        return update * candidate + (1 - update) * h
    xr, xz, xn = rows.terms("ih", x, [0, 1, 2])
    if equation.reset == "after":
        hr, hz, hn = rows.terms("hh", h, [0, 1, 2])
        candidate = np.tanh(xn + sigmoid(xr + hr) * hn)
    else:
        hr, hz = rows.terms("hh", h, [0, 1])
        candidate = np.tanh(xn + rows.terms("hh", sigmoid(xr + hr) * h, [2])[0])
    update = 1 - sigmoid(xz + hz)
    return update * candidate + (1 - update) * h


def lstm_step(equation, rows, x, state):
    h, c = state
    gates, size = "fgo" if equation.coupled_gates else "ifgo", rows.hidden_size
    gates += "r" * equation.relevance_gate
    number = {gate: n for n, gate in enumerate(gates)}
    a = dict(zip(gates, rows.terms("ih", x, range(len(gates))), strict=True))
    if equation.relevance_gate:
        rest = [gate for gate in gates if gate != "g"]
        for gate, term in zip(rest, rows.terms("hh", h, [number[gate] for gate in rest]), strict=True):
            a[gate] = a[gate] + term
        a["g"] = a["g"] + rows.terms("hh", sigmoid(a["r"]) * h, [number["g"]])[0]
    else:
        for gate, term in zip(gates, rows.terms("hh", h, range(len(gates))), strict=True):
            a[gate] = a[gate] + term
    p = rows.w.get("weight_peephole", np.zeros(3 * size))
    p_f, p_o = (
        (p[:size], p[size : 2 * size]) if equation.coupled_gates else (p[size : 2 * size], p[2 * size :])
    )
    forget = sigmoid(a["f"] + p_f * c)
    write = 1 - forget if equation.coupled_gates else sigmoid(a["i"] + p[:size] * c)
    new = forget * c + write * np.tanh(a["g"])
    show = sigmoid(a["o"] + p_o * (c if equation.peepholes == "previous" else new))
    seen = normal(new) * rows.w["gain_cell"] + rows.w["shift_cell"] if equation.layer_norm else new
    hidden = show * (np.tanh(seen) if equation.output_activation == "tanh" else seen)
    return (hidden @ rows.w["weight_hr"].T if "weight_hr" in rows.w else hidden), new


def weights_of(equation, input_size, hidden_size, bias, proj_size=0):
    shapes = equation.weight_shapes(input_size, hidden_size, bias, proj_size)
    return equation.weights_type(
        **{name: torch.randn(shape, dtype=torch.float64) for name, shape in shapes.items()}
    )


def compare(equation, oracle_step, sizes, bias, proj_size=0):
    torch.manual_seed(11)
    batch, input_size, hidden_size = sizes
    weights = weights_of(equation, input_size, hidden_size, bias, proj_size)
    rows = Rows(weights, hidden_size, equation.layer_norm)
    parts = [
        torch.randn(batch, width, dtype=torch.float64)
        for width in equation.state_widths(hidden_size, proj_size)
    ]
    ours = parts[0] if len(parts) == 1 else LSTMState(*parts)
    theirs = parts[0].numpy() if len(parts) == 1 else tuple(part.numpy() for part in parts)
    for x in torch.randn(STEPS, batch, input_size, dtype=torch.float64):
        ours = equation.step(x, ours, weights)
        theirs = oracle_step(equation, rows, x.numpy(), theirs)
        pairs = [(ours, theirs)] if len(parts) == 1 else zip(ours, theirs, strict=True)
        for got, want in pairs:
            np.testing.assert_allclose(got.numpy(), want, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("bias", BOTH)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_rnn_with_layer_norm(sizes, bias):
    compare(RNNEquation(layer_norm=True), rnn_step, sizes, bias)


@pytest.mark.parametrize("bias", BOTH)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("norm", BOTH)
@pytest.mark.parametrize("reset", RESETS)
def test_gru(reset, norm, sizes, bias):
    compare(GRUEquation(reset, norm), gru_step, sizes, bias)


@pytest.mark.parametrize("bias", BOTH)
@pytest.mark.parametrize(
    "options", itertools.product(PEEPHOLES, BOTH, BOTH, OUTPUT_ACTIVATIONS, BOTH), ids=str
)
def test_lstm(options, bias):
    for sizes in SIZES:
        compare(LSTMEquation(*options), lstm_step, sizes, bias)
    if not LSTMEquation(*options).relevance_gate:
        compare(LSTMEquation(*options), lstm_step, (3, 5, 4), bias, proj_size=2)


@pytest.mark.parametrize("bias", BOTH)
@pytest.mark.parametrize("name", OUTPUT_FUNCTIONS)
def test_jordan(name, bias):
    g2 = {
        "identity": lambda a: a,
        "tanh": np.tanh,
        "sigmoid": sigmoid,
        "softmax": lambda a: np.exp(a) / np.exp(a).sum(axis=1, keepdims=True),
    }[name]

    def step(equation, rows, x, y):
        w, none = rows.w, 0.0
        b = w.get("bias_ih", none) + w.get("bias_hh", none)
        h = np.tanh(
            np.concatenate([x, y], axis=1) @ np.concatenate([w["weight_ih"], w["weight_hh"]], 1).T + b
        )
        return g2(h @ w["weight_ho"].T + w.get("bias_ho", none))

    for sizes, outputs in itertools.product(SIZES, (1, 3)):
        compare(JordanEquation(output_activation=name), step, sizes, bias, proj_size=outputs)
