"""Every variant of every cell, by name, and random weights and states for them."""

import itertools

import torch

from recurra.cells import (
    NONLINEARITIES,
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
RNNS = [RNNEquation(name, norm) for name in NONLINEARITIES for norm in BOTH]
GRUS = [GRUEquation(reset, norm) for reset in RESETS for norm in BOTH]
LSTMS = [
    LSTMEquation(*options) for options in itertools.product(PEEPHOLES, BOTH, BOTH, OUTPUT_ACTIVATIONS, BOTH)
]
JORDANS = [JordanEquation(g, g2) for g in ("tanh", "leaky_relu") for g2 in OUTPUT_FUNCTIONS]
EQUATIONS = [*RNNS, *GRUS, *LSTMS, *JORDANS]


def name_of(equation):
    """A short name for pytest: the class and the options that differ from the plain cell."""
    plain = vars(type(equation)())
    options = [f"{name}={value}" for name, value in vars(equation).items() if value != plain[name]]
    return " ".join([type(equation).__name__.removesuffix("Equation"), *options])


def outputs_of(equation):
    """The value for proj_size: 2 outputs for the Jordan cell, else 0."""
    return 2 if isinstance(equation, JordanEquation) else 0


def random_weights(equation, input_size, hidden_size, bias=True, proj_size=None, dtype=torch.float64):
    proj_size = outputs_of(equation) if proj_size is None else proj_size
    shapes = equation.weight_shapes(input_size, hidden_size, bias, proj_size)
    return equation.weights_type(**{name: torch.randn(shape, dtype=dtype) for name, shape in shapes.items()})


def random_state(equation, batch, hidden_size, proj_size=None, dtype=torch.float64):
    proj_size = outputs_of(equation) if proj_size is None else proj_size
    parts = [
        torch.randn(batch, width, dtype=dtype) for width in equation.state_widths(hidden_size, proj_size)
    ]
    return parts[0] if len(parts) == 1 else LSTMState(*parts)


def as_function(equation, batch, input_size, hidden_size, bias=True, proj_size=None):
    """The step as a function of plain tensors, and these tensors: x, the parts of the state, the weights."""
    weights = random_weights(equation, input_size, hidden_size, bias, proj_size)
    names = [name for name, weight in weights._asdict().items() if weight is not None]
    state = random_state(equation, batch, hidden_size, proj_size)
    parts = [state] if isinstance(state, torch.Tensor) else list(state)

    def function(x, *tensors):
        given = tensors[0] if len(parts) == 1 else LSTMState(*tensors[:2])
        named = dict(zip(names, tensors[len(parts) :], strict=True))
        stepped = equation.step(x, given, equation.weights_type(**named))
        return stepped if len(parts) == 1 else tuple(stepped)

    x = torch.randn(batch, input_size, dtype=torch.float64)
    tensors = [x, *parts, *(getattr(weights, name) for name in names)]
    return function, [tensor.requires_grad_() for tensor in tensors]
