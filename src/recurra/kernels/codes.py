"""The equations that the kernels support, as the numbers of native/recurrence.h."""

from collections.abc import Iterable
from itertools import product
from typing import Any, NamedTuple

from recurra.cells import (
    NONLINEARITIES,
    OUTPUT_ACTIVATIONS,
    OUTPUT_FUNCTIONS,
    PEEPHOLES,
    RESETS,
    Equation,
    GRUEquation,
    JordanEquation,
    LSTMEquation,
    RNNEquation,
)


class Code(NamedTuple):
    """An equation as numbers; a field that does not apply to its cell keeps the default."""

    cell: int
    activation: int = 1
    output_activation: int = 1
    peepholes: int = 0
    coupled_gates: int = 0
    relevance_gate: int = 0
    layer_norm: int = 0


ACTIVATIONS = ("identity", "tanh", "relu", "leaky_relu", "sigmoid", "hardtanh", "softmax")
RNN, LSTM = 0, 4
_GRU = {"after": 1, "before": 2, "none": 3}


def _numbered(equation: Equation[Any, Any]) -> Code:
    if isinstance(equation, RNNEquation):
        return Code(RNN, ACTIVATIONS.index(equation.nonlinearity), layer_norm=int(equation.layer_norm))
    if isinstance(equation, JordanEquation):
        activations = (equation.nonlinearity, equation.output_activation)
        return Code(RNN, *map(ACTIVATIONS.index, activations))
    if isinstance(equation, GRUEquation):
        return Code(_GRU[equation.reset], layer_norm=int(equation.layer_norm))
    assert isinstance(equation, LSTMEquation)
    return Code(
        LSTM,
        output_activation=ACTIVATIONS.index(equation.output_activation),
        peepholes=PEEPHOLES.index(equation.peepholes),
        coupled_gates=int(equation.coupled_gates),
        relevance_gate=int(equation.relevance_gate),
        layer_norm=int(equation.layer_norm),
    )


_AnyEquation = Equation[Any, Any]
_NORMS = (False, True)
_RNN_EQUATIONS: list[_AnyEquation] = [RNNEquation(g, norm) for g, norm in product(NONLINEARITIES, _NORMS)]
_JORDAN_EQUATIONS: list[_AnyEquation] = [
    JordanEquation(g, g2) for g, g2 in product(NONLINEARITIES, OUTPUT_FUNCTIONS)
]
_GRU_EQUATIONS: list[_AnyEquation] = [GRUEquation(reset, norm) for reset, norm in product(RESETS, _NORMS)]
_LSTM_EQUATIONS: list[_AnyEquation] = [
    LSTMEquation(peepholes, coupled_gates=coupled, output_activation=output, layer_norm=norm)
    for peepholes in PEEPHOLES
    for coupled, output, norm in product((False, True), OUTPUT_ACTIVATIONS, _NORMS)
]
_RELEVANCE_EQUATIONS: list[_AnyEquation] = [
    LSTMEquation(peepholes, relevance_gate=True, output_activation=output, layer_norm=norm)
    for peepholes in PEEPHOLES
    for output, norm in product(OUTPUT_ACTIVATIONS, _NORMS)
]


def _by_code(equations: Iterable[_AnyEquation]) -> dict[Code, _AnyEquation]:
    return {_numbered(equation): equation for equation in equations}


_UNPROJECTED = _by_code(_RNN_EQUATIONS + _GRU_EQUATIONS + _LSTM_EQUATIONS + _RELEVANCE_EQUATIONS)
_PROJECTED = _by_code(_JORDAN_EQUATIONS + _LSTM_EQUATIONS)
_CODES = {equation: code for equations in (_UNPROJECTED, _PROJECTED) for code, equation in equations.items()}


def code_of(equation: _AnyEquation) -> Code | None:
    """Return the numbers of an equation, or None if the kernels do not support it."""
    return _CODES.get(equation)


def equation_of(code: Code, projected: bool) -> _AnyEquation | None:
    """Return the equation of a code, with or without a projection; None if there is no such equation."""
    return (_PROJECTED if projected else _UNPROJECTED).get(code)
