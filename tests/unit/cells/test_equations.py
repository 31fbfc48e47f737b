"""Every variant of every equation: derivatives, names and shapes of weights, initial values, refusals."""

import math
import re

import pytest
import torch
from every_equation import (
    EQUATIONS,
    GRUS,
    JORDANS,
    LSTMS,
    as_function,
    name_of,
    outputs_of,
    random_state,
    random_weights,
)
from torch.autograd import gradcheck, gradgradcheck

from recurra.cells import (
    GRUCell,
    GRUEquation,
    JordanCell,
    JordanEquation,
    LSTMCell,
    LSTMEquation,
    LSTMState,
    RNNCell,
    RNNEquation,
    hidden_of,
)
from recurra.errors import ConfigError, ShapeError

every_equation = pytest.mark.parametrize("equation", EQUATIONS, ids=name_of)


@every_equation
@pytest.mark.parametrize("sizes", [(2, 3, 4), (1, 1, 1), (2, 1, 7)], ids=str)
def test_derivatives(equation, sizes):
    torch.manual_seed(1)
    function, tensors = as_function(equation, *sizes)
    assert gradcheck(function, tensors, fast_mode=True)
    assert gradgradcheck(function, tensors, fast_mode=True)


@pytest.mark.parametrize("equation", [*GRUS, *JORDANS[:1], LSTMEquation(True, True, True)], ids=name_of)
def test_derivatives_one_by_one_in_both_modes(equation):
    torch.manual_seed(2)
    function, tensors = as_function(equation, 2, 2, 3)
    assert gradcheck(function, tensors, check_forward_ad=True)


@pytest.mark.parametrize("equation", [e for e in LSTMS if not e.relevance_gate], ids=name_of)
def test_derivatives_with_a_projection(equation):
    torch.manual_seed(3)
    function, tensors = as_function(equation, 2, 3, 4, proj_size=2)
    assert gradcheck(function, tensors, fast_mode=True)


@every_equation
@pytest.mark.parametrize("bias", [True, False])
def test_a_step_keeps_the_shape_of_the_state_and_treats_rows_alone(equation, bias):
    weights = random_weights(equation, 3, 7, bias)
    state = random_state(equation, 5, 7)
    x = torch.randn(5, 3, dtype=torch.float64)
    together = equation.step(x, state, weights)
    zeros = equation.initial_state(5, weights)
    parts = [together] if isinstance(together, torch.Tensor) else together
    for part, zero in zip(parts, [zeros] if isinstance(zeros, torch.Tensor) else zeros, strict=True):
        assert part.shape == zero.shape
        assert not zero.any()
    row = state[2:3] if isinstance(state, torch.Tensor) else LSTMState(*(part[2:3] for part in state))
    torch.testing.assert_close(hidden_of(equation.step(x[2:3], row, weights)), hidden_of(together)[2:3])


@every_equation
def test_weights_are_named_in_the_order_of_their_tuple(equation):
    shapes = equation.weight_shapes(3, 5, True, outputs_of(equation))
    fields = [name for name in equation.weights_type._fields if name in shapes]
    assert list(shapes) == fields
    rows = 5 * len(equation.gates)
    assert shapes["weight_ih"] == (rows, 3)
    assert ("gain_ih" in shapes) == ("gain_hh" in shapes) == equation.layer_norm
    without = equation.weight_shapes(3, 5, False, outputs_of(equation))
    assert shapes.keys() - without.keys() == {name for name in shapes if name.startswith("bias")}


def test_gates_and_shapes_of_the_variants():
    assert GRUEquation().gates == GRUEquation("before").gates == ("r", "z", "n")
    assert GRUEquation("none").gates == ("z", "n")
    assert LSTMEquation().gates == ("i", "f", "g", "o")
    assert LSTMEquation(relevance_gate=True).gates == ("i", "f", "g", "o", "r")
    assert LSTMEquation(coupled_gates=True).gates == ("f", "g", "o")
    assert LSTMEquation(coupled_gates=True, relevance_gate=True).gates == ("f", "g", "o", "r")
    everything = LSTMEquation(True, False, True, "identity", True).weight_shapes(3, 5, True, 2)
    assert everything == {
        "weight_ih": (15, 3),
        "weight_hh": (15, 2),
        "bias_ih": (15,),
        "bias_hh": (15,),
        "weight_hr": (2, 5),
        "weight_peephole": (10,),
        "gain_ih": (15,),
        "gain_hh": (15,),
        "gain_cell": (5,),
        "shift_cell": (5,),
    }
    assert JordanEquation().weight_shapes(3, 5, True, 2) == {
        "weight_ih": (5, 3),
        "weight_hh": (5, 2),
        "bias_ih": (5,),
        "bias_hh": (5,),
        "weight_ho": (2, 5),
        "bias_ho": (2,),
    }
    assert JordanEquation().state_widths(5, 2) == (2,)


@every_equation
def test_first_values(equation):
    shapes = equation.weight_shapes(3, 4, True, outputs_of(equation))
    weights = {name: torch.full(shape, torch.nan) for name, shape in shapes.items()}
    torch.manual_seed(7)
    equation.initialise(weights, 4)
    torch.manual_seed(7)
    for name, weight in weights.items():
        if name.startswith(("gain", "shift")):
            assert torch.equal(weight, torch.full_like(weight, float(name.startswith("gain"))))
        else:
            assert torch.equal(weight, torch.empty_like(weight).uniform_(-0.5, 0.5)), name


def test_layer_norm_does_not_change_the_draws():
    cells = []
    for norm in (False, True):
        torch.manual_seed(3)
        cells.append(LSTMCell(3, 5, peepholes=True, layer_norm=norm))
    for name, parameter in cells[0].named_parameters():
        assert torch.equal(parameter, getattr(cells[1], name)), name


@pytest.mark.parametrize("coupled", [False, True])
@pytest.mark.parametrize("relevance", [False, True])
def test_the_forget_bias_fills_its_block_alone_and_stays_on_a_reset(coupled, relevance):
    options = {"coupled_gates": coupled, "relevance_gate": relevance}
    torch.manual_seed(5)
    plain = LSTMCell(3, 4, **options)
    torch.manual_seed(5)
    cell = LSTMCell(3, 4, **options, forget_bias=1.5)
    at = slice(0, 4) if coupled else slice(4, 8)
    for _ in range(2):
        assert cell.bias_ih[at].tolist() == [1.5] * 4
        assert cell.bias_hh[at].tolist() == [0.0] * 4
        with torch.no_grad():
            for mine, other in ((cell.bias_ih, plain.bias_ih), (cell.bias_hh, plain.bias_hh)):
                drawn = other.clone()
                drawn[at] = mine[at]
                assert torch.equal(mine, drawn)
        torch.manual_seed(6)
        cell.reset_parameters()
        torch.manual_seed(6)
        plain.reset_parameters()
    assert torch.equal(cell.weight_ih, plain.weight_ih)


def test_coupled_gates_share_what_is_kept_and_what_is_written():
    cell = LSTMCell(2, 3, coupled_gates=True)
    state = LSTMState(torch.randn(4, 3), torch.randn(4, 3))
    with torch.no_grad():
        cell.bias_ih[:3] = 60.0  # f = 1
    torch.testing.assert_close(cell(torch.randn(4, 2), state).cell, state.cell)
    with torch.no_grad():
        cell.bias_ih[:3] = -60.0  # f = 0
    x = torch.randn(4, 2)
    once, again = cell(x, state), cell(x, LSTMState(state.hidden, state.cell + 9))
    torch.testing.assert_close(once.cell, again.cell)


def test_an_open_relevance_gate_is_the_plain_cell():
    gated, plain = LSTMCell(2, 3, relevance_gate=True), LSTMCell(2, 3)
    with torch.no_grad():
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            getattr(plain, name).copy_(getattr(gated, name)[:12])
        gated.bias_ih[12:] = 60.0
    x, state = torch.randn(4, 2), LSTMState(torch.randn(4, 3), torch.randn(4, 3))
    torch.testing.assert_close(tuple(gated(x, state)), tuple(plain(x, state)))


def test_jordan_reads_the_output_that_is_handed_in():
    cell = JordanCell(2, 5, 3, output_activation="softmax")
    x, truth = torch.randn(4, 2), torch.randn(4, 3)
    own = cell(x)
    torch.testing.assert_close(own.sum(dim=1), torch.ones(4))
    assert not torch.allclose(cell(x, own), cell(x, truth))
    assert cell(x[0], truth[0]).shape == (3,)
    with pytest.raises(
        ShapeError, match=r"hx: got shape \(4, 5\), expected .*\(4, 3\), \(batch, output_size\)"
    ):
        cell(x, torch.randn(4, 5))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: GRUEquation("during"), "reset: got 'during', expected one of 'after', 'before', 'none'"),
        (lambda: GRUCell(2, 3, reset=None), "reset: got None, expected one of 'after', 'before', 'none'"),
        (lambda: GRUEquation(layer_norm="yes"), "layer_norm: got 'yes', expected True or False"),
        (lambda: RNNEquation(layer_norm=1), "layer_norm: got 1, expected True or False"),
        (lambda: RNNEquation(["tanh"]), "nonlinearity: got ['tanh'], expected one of 'tanh', 'relu'"),
        (lambda: LSTMEquation("next"), "peepholes: got 'next', expected one of False, True, 'previous'"),
        (lambda: LSTMEquation(1), "peepholes: got 1, expected one of False, True, 'previous'"),
        (lambda: LSTMEquation(relevance_gate=0), "relevance_gate: got 0, expected True or False"),
        (lambda: LSTMEquation(coupled_gates=None), "coupled_gates: got None, expected True or False"),
        (
            lambda: LSTMEquation(output_activation="relu"),
            "output_activation: got 'relu', expected one of 'tanh', 'identity'",
        ),
        (
            lambda: LSTMEquation(relevance_gate=True).weight_shapes(3, 5, True, 2),
            "relevance_gate: got True with proj_size=2, expected one of the two; r has H numbers",
        ),
        (lambda: LSTMCell(2, 3, forget_bias="1"), "forget_bias: got '1', expected a finite number or None"),
        (lambda: LSTMCell(2, 3, forget_bias=True), "forget_bias: got True, expected a finite number or None"),
        (lambda: LSTMCell(2, 3, forget_bias=math.inf), "forget_bias: got inf, expected a finite number"),
        (
            lambda: LSTMCell(2, 3, bias=False, forget_bias=1),
            "forget_bias: got 1 with bias=False, expected None or bias=True",
        ),
        (lambda: JordanEquation("gelu"), "nonlinearity: got 'gelu', expected one of 'tanh', 'relu'"),
        (
            lambda: JordanEquation(output_activation="relu"),
            "output_activation: got 'relu', expected one of 'identity', 'tanh', 'sigmoid', 'softmax'",
        ),
        (lambda: JordanEquation().weight_shapes(3, 5), "proj_size: got 0, expected the number of outputs"),
        (lambda: JordanEquation().state_widths(5), "proj_size: got 0, expected the number of outputs"),
        (lambda: JordanCell(2, 3, 0), "output_size: got 0, expected a whole number >= 1"),
    ],
)
def test_options_that_cannot_be(make, sentence):
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        make()


def test_faults_are_named_all_at_once():
    with pytest.raises(ConfigError) as caught:
        LSTMEquation("next", 0, False, "relu")
    assert len(str(caught.value).splitlines()) == 3


def test_options_are_printed():
    assert repr(GRUCell(2, 3, reset="none")) == "GRUCell(2, 3, reset=none)"
    assert repr(RNNCell(2, 3, layer_norm=True)) == "RNNCell(2, 3, layer_norm=True)"
    lstm = LSTMCell(2, 3, False, peepholes="previous", coupled_gates=True)
    assert repr(lstm) == "LSTMCell(2, 3, bias=False, peepholes=previous, coupled_gates=True)"
    assert repr(LSTMCell(2, 3, forget_bias=1)) == "LSTMCell(2, 3, forget_bias=1)"
    jordan = JordanCell(2, 3, 4, bias=False, output_activation="softmax")
    assert repr(jordan) == "JordanCell(2, 3, 4, bias=False, output_activation=softmax)"
    assert jordan.bias_ho is None
    assert jordan(torch.zeros(2)).tolist() == [0.25] * 4


@pytest.mark.parametrize(
    "cell",
    [
        lambda: RNNCell(3, 5, layer_norm=True),
        lambda: GRUCell(3, 5, reset="before", layer_norm=True),
        lambda: LSTMCell(3, 5, peepholes=True, relevance_gate=True, layer_norm=True),
        lambda: JordanCell(3, 5, 2, output_activation="softmax"),
    ],
)
def test_autocast_takes_any_mixture_of_dtypes(cell):
    step = cell()
    with torch.autocast("cpu", torch.bfloat16):
        state = step(torch.zeros(2, 3, dtype=torch.bfloat16), step.initial_state(2))
        state = step(torch.zeros(2, 3), state)
    assert hidden_of(state).isfinite().all()
