"""Cells without layers: errors, forms of input, nonlinearities, printing."""

import copy
import pickle

import pytest
import torch
from torch import nn

from recurra.cells import NONLINEARITIES, GRUCell, LSTMCell, LSTMState, RNNCell, RNNEquation
from recurra.errors import ConfigError, ShapeError

CELLS = [RNNCell, GRUCell, LSTMCell]
every_cell = pytest.mark.parametrize("cell", CELLS)


@every_cell
@pytest.mark.parametrize(
    ("x", "sentence"),
    [
        (torch.zeros(2, 4), r"input: got shape \(2, 4\), expected \(batch, 3\) or \(3,\); its last axis"),
        (torch.zeros(1, 2, 3), r"input: got shape \(1, 2, 3\), expected"),
        (torch.tensor(1.0), r"input: got shape \(\), expected"),
        (
            torch.zeros(2, 3, dtype=torch.float64),
            r"input: got torch.float64, expected .*torch.float32; convert",
        ),
        (torch.zeros(2, 3, device="meta"), r"input: got device meta, expected .*cpu; move"),
    ],
)
def test_an_input_that_does_not_fit(cell, x, sentence):
    with pytest.raises(ShapeError, match=sentence):
        cell(3, 5)(x)


@every_cell
@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        (torch.zeros(3, 5), r"hx.*: got shape \(3, 5\), expected a tensor of shape \(2, 5\)"),
        (torch.zeros(5), r"hx.*: got shape \(5,\), expected"),
        (
            torch.zeros(2, 5, dtype=torch.float64),
            r"hx.*: got torch.float64, expected the input's torch.float32",
        ),
        (torch.zeros(2, 5, device="meta"), r"hx.*: got device meta, expected the input's cpu"),
        (1.5, r"hx.*: got a float, expected"),
    ],
)
def test_a_state_that_does_not_fit(cell, part, sentence):
    states = [(torch.zeros(2, 5), part), (part, torch.zeros(2, 5))] if cell is LSTMCell else [part]
    for state in states:
        with pytest.raises(ShapeError, match=sentence):
            cell(3, 5)(torch.zeros(2, 3), state)


@pytest.mark.parametrize("state", [torch.zeros(2, 5), (torch.zeros(2, 5),), "h"])
def test_an_lstm_cell_wants_a_pair(state):
    with pytest.raises(ShapeError, match=r"expected the pair \(hidden, cell\)"):
        LSTMCell(3, 5)(torch.zeros(2, 3), state)


@every_cell
def test_a_shape_error_is_a_value_error_as_in_torch(cell):
    with pytest.raises(ValueError, match="input"):
        cell(3, 5)(torch.zeros(1, 2, 3))


def test_sizes_that_cannot_be_are_named_all_at_once():
    with pytest.raises(ConfigError) as caught:
        GRUCell(-1, 2.5)
    assert str(caught.value).splitlines() == [
        "input_size: got -1, expected a whole number >= 0",
        "hidden_size: got 2.5, expected a whole number >= 0",
    ]


@every_cell
def test_a_bias_that_is_no_bool_counts_as_torch_counts_it_and_is_warned_of(cell):
    with pytest.warns(
        UserWarning, match="bias: got 'relu', which counts as True; pass True or False"
    ) as said:
        assert cell(3, 5, "relu").bias_ih is not None
    assert [each.filename for each in said] == [__file__]
    with pytest.warns(UserWarning, match="bias: got 0, which counts as False"):
        assert cell(3, 5, 0).bias_ih is None


def test_a_nonlinearity_that_is_set_later_is_used():
    cell, x = RNNCell(3, 5), torch.randn(2, 3)
    oracle = nn.RNNCell(3, 5)
    cell.load_state_dict(oracle.state_dict())
    cell.nonlinearity = oracle.nonlinearity = "relu"
    torch.testing.assert_close(cell(x), oracle(x))
    assert cell.nonlinearity == "relu"
    with pytest.raises(ConfigError, match="nonlinearity"):
        cell.nonlinearity = "gelu"


@every_cell
def test_what_weights_are_computed_of_is_drawn_anew(cell):
    module = nn.utils.parametrizations.weight_norm(cell(3, 5), "weight_hh")
    nn.init.zeros_(module.parametrizations.weight_hh.original1)
    module.reset_parameters()
    assert all(weight.abs().max() > 0 for weight in module.parameters())


def test_an_unknown_nonlinearity_names_the_choices():
    with pytest.raises(
        ConfigError, match="got 'gelu', expected one of 'tanh', 'relu', 'leaky_relu', 'sigmoid'"
    ):
        RNNCell(3, 5, nonlinearity="gelu")


@pytest.mark.parametrize(
    ("name", "points", "values", "derivatives"),
    [
        ("tanh", [0.0, 100.0], [0.0, 1.0], [1.0, 0.0]),
        ("relu", [0.0, 0.5], [0.0, 0.5], [0.0, 1.0]),
        ("leaky_relu", [-2.0, 0.0, 0.5], [-0.02, 0.0, 0.5], [0.01, 0.01, 1.0]),
        ("sigmoid", [0.0, -200.0], [0.5, 0.0], [0.25, 0.0]),
        ("hardtanh", [1.0, -1.0, 0.5, 3.0], [1.0, -1.0, 0.5, 1.0], [0.0, 0.0, 1.0, 0.0]),
    ],
)
def test_a_nonlinearity_and_its_derivative_at_the_delicate_points(name, points, values, derivatives):
    a = torch.tensor(points, requires_grad=True)
    got = NONLINEARITIES[name](a)
    torch.testing.assert_close(got.tolist(), values)
    torch.testing.assert_close(torch.autograd.grad(got.sum(), a)[0].tolist(), derivatives)


@pytest.mark.parametrize("name", NONLINEARITIES)
def test_an_elman_step_is_its_equation(name):
    cell = RNNCell(2, 3, nonlinearity=name)
    x, h = torch.randn(4, 2), torch.randn(4, 3)
    weights = cell.weights
    want = x @ weights.weight_ih.T + h @ weights.weight_hh.T + weights.bias_ih + weights.bias_hh
    torch.testing.assert_close(cell(x, h), NONLINEARITIES[name](want))
    assert RNNEquation(name).gates == ("h",)


def test_z_near_one_keeps_the_past():
    cell = GRUCell(2, 3)
    with torch.no_grad():
        cell.bias_ih[3:6] = 50.0
    h = torch.randn(4, 3)
    torch.testing.assert_close(cell(torch.randn(4, 2), h), h)


@every_cell
def test_autocast_takes_any_mixture_of_dtypes(cell):
    step = cell(3, 5)
    with torch.autocast("cpu", torch.bfloat16):
        state = step(torch.zeros(2, 3, dtype=torch.bfloat16), step.initial_state(2))
        state = step(torch.zeros(2, 3), state)
    assert (state.hidden if isinstance(state, LSTMState) else state).shape == (2, 5)


@every_cell
@pytest.mark.parametrize("bias", [True, False])
def test_it_prints_copies_and_pickles_as_a_torch_module(cell, bias):
    step = cell(3, 5, bias)
    oracle = getattr(nn, cell.__name__)(3, 5, bias)
    assert repr(step) == repr(oracle)
    assert (step.bias_ih is None) == (oracle.bias_ih is None)
    x = torch.randn(2, 3)
    for other in (copy.deepcopy(step), pickle.loads(pickle.dumps(step))):
        torch.testing.assert_close(tuple(other(x)), tuple(step(x)))
    assert repr(RNNCell(3, 5, nonlinearity="relu")) == "RNNCell(3, 5, nonlinearity=relu)"
