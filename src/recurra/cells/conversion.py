"""Conversion of a cell's weights to and from the layouts of Keras and ONNX; the cell computes the same.

Our layout is torch.nn's wherever torch has the cell. The form W[a, x] of lecture notes is in `concatenated`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from recurra.cells.checks import shape_error
from recurra.cells.equation import Equation
from recurra.cells.gru import GRUEquation
from recurra.cells.lstm import LSTMEquation
from recurra.cells.rnn import LEAKY_SLOPE, RNNEquation
from recurra.errors import ConfigError, ShapeError

W = TypeVar("W")

KERAS_GATES: dict[type, tuple[str, ...]] = {
    RNNEquation: ("h",),
    GRUEquation: ("z", "r", "n"),
    LSTMEquation: ("i", "f", "g", "o"),
}
ONNX_GATES: dict[type, tuple[str, ...]] = {
    RNNEquation: ("h",),
    GRUEquation: ("z", "r", "n"),
    LSTMEquation: ("i", "o", "f", "g"),
}
ONNX_PEEPHOLES = ("i", "o", "f")

_KERAS_OPTIONS: dict[str, tuple[object, ...]] = {
    "reset": ("after", "before"),
    "peepholes": (False,),
    "relevance_gate": (False,),
    "output_activation": ("tanh",),
    "layer_norm": (False,),
}
_ONNX_OPTIONS = _KERAS_OPTIONS | {"peepholes": (False, True), "output_activation": ("tanh", "identity")}


class KerasWeights(NamedTuple):
    """The weights of a Keras SimpleRNN, GRU or LSTM, in the order of get_weights().

    Gate order: GRU z, r, h; LSTM i, f, c, o.
    Shapes: kernel (I, G*H); recurrent_kernel (H, G*H); bias (G*H,), (2, 3*H) for a GRU with
    reset_after=True, or None.
    """

    kernel: Tensor
    recurrent_kernel: Tensor
    bias: Tensor | None = None


class ONNXWeights(NamedTuple):
    """The weights of an ONNX RNN, GRU or LSTM with one direction.

    Gate order: GRU z, r, h; LSTM i, o, f, c; LSTM peepholes i, o, f.
    Shapes: W (1, G*H, I); R (1, G*H, H); B (1, 2*G*H) or None; P (1, 3*H) or None.
    """

    W: Tensor
    R: Tensor
    B: Tensor | None = None
    P: Tensor | None = None


def keras_weights(equation: Equation[Any, Any], weights: Any) -> KerasWeights:
    """Return the weights in Keras's layout; reset "after" and "before" are reset_after True and False.

    Where Keras has one bias, it is the sum of ours. Coupled gates become an LSTM with i = 1 - f. Gradients
    flow through; pass detached weights to export numbers.
    Shapes: weight_ih (G*H, I) becomes kernel (I, G*H), weight_hh (G*H, H) recurrent_kernel (H, G*H).
    Raises: ConfigError for options that Keras does not have: peepholes, a relevance gate, no reset gate, no
    tanh at the output, layer_norm, a projection.
    """
    gates = _gates_of(equation, weights, "Keras's layout", KERAS_GATES, _KERAS_OPTIONS)
    kernel, recurrent, bias_ih, bias_hh = (
        None if tensor is None else reordered(tensor, equation.gates, gates)
        for tensor in (weights.weight_ih, weights.weight_hh, weights.bias_ih, weights.bias_hh)
    )
    assert kernel is not None
    assert recurrent is not None
    if bias_ih is None or bias_hh is None:
        return KerasWeights(kernel.T, recurrent.T)
    two = isinstance(equation, GRUEquation) and equation.reset == "after"
    return KerasWeights(kernel.T, recurrent.T, torch.stack([bias_ih, bias_hh]) if two else bias_ih + bias_hh)


def from_keras(equation: Equation[W, Any], arrays: Sequence[Any]) -> W:
    """Return our weights from those of a Keras layer, given as KerasWeights or as get_weights() returns them.

    A single bias goes to bias_ih; bias_hh is zero.
    Shapes: those of KerasWeights; tensors, or values that torch.as_tensor accepts.
    Raises: ConfigError for options that Keras does not have, and for coupled gates where i is not 1 - f;
    ShapeError where the shapes do not fit.
    """
    gates = _gates_of(equation, None, "Keras's layout", KERAS_GATES, _KERAS_OPTIONS)
    kernel, recurrent, bias = _tensors(arrays, KerasWeights)
    assert kernel is not None
    assert recurrent is not None
    rows, inputs = len(gates) * recurrent.shape[0], kernel.shape[0]
    if recurrent.shape[1] != rows and recurrent.shape[0] == len(gates) * recurrent.shape[1]:
        got = f"shapes {tuple(kernel.shape)} and {tuple(recurrent.shape)}"
        wanted = f"(I, {len(gates)}*H) and (H, {len(gates)}*H)"
        raise shape_error("kernel and recurrent_kernel", got, wanted, "transpose both: Keras multiplies x W")
    two = isinstance(equation, GRUEquation) and equation.reset == "after"
    _check_shapes(
        {"kernel": kernel, "recurrent_kernel": recurrent, "bias": bias},
        {
            "kernel": (inputs, rows),
            "recurrent_kernel": (recurrent.shape[0], rows),
            "bias": (2, rows) if two else (rows,),
        },
        f"the blocks of {', '.join(gates)} are side by side",
    )
    if isinstance(equation, LSTMEquation) and equation.coupled_gates:
        _check_coupled({"kernel": kernel, "recurrent_kernel": recurrent, "bias": bias}, gates)
    named = {"weight_ih": kernel.T, "weight_hh": recurrent.T}
    if bias is not None:
        bias_ih, bias_hh = bias if two else (bias, torch.zeros_like(bias))
        named |= {"bias_ih": bias_ih, "bias_hh": bias_hh}
    return equation.weights_type(
        **{name: reordered(tensor, gates, equation.gates) for name, tensor in named.items()}
    )


def onnx_weights(equation: Equation[Any, Any], weights: Any) -> ONNXWeights:
    """Return the weights in the layout of the ONNX operators RNN, GRU and LSTM; see also `onnx_attributes`.

    Coupled gates: the rows of i are those of f with the sign changed, so the result does not depend on
    input_forget. Gradients flow through; pass detached weights to export numbers.
    Shapes: weight_ih (G*H, I) becomes W (1, G*H, I), the biases B (1, 2*G*H), weight_peephole P (1, 3*H).
    Raises: ConfigError for options that ONNX does not have: peepholes "previous", a relevance gate, no reset
    gate, layer_norm, a projection.
    """
    gates = _gates_of(equation, weights, "ONNX", ONNX_GATES, _ONNX_OPTIONS)

    def moved(tensor: Tensor) -> Tensor:
        return reordered(tensor, equation.gates, gates)

    both = None
    if weights.bias_ih is not None:
        both = torch.cat([moved(weights.bias_ih), moved(weights.bias_hh)]).unsqueeze(0)
    peepholes = None
    if isinstance(equation, LSTMEquation) and equation.peepholes:
        peepholes = reordered(weights.weight_peephole, equation.peephole_gates, ONNX_PEEPHOLES).unsqueeze(0)
    return ONNXWeights(
        moved(weights.weight_ih).unsqueeze(0), moved(weights.weight_hh).unsqueeze(0), both, peepholes
    )


def onnx_attributes(equation: Equation[Any, Any]) -> dict[str, Any]:
    """Return the attributes of the ONNX operator that computes this equation, except hidden_size.

    Raises: ConfigError for options that ONNX does not have, such as hardtanh.
    """
    _gates_of(equation, None, "ONNX", ONNX_GATES, _ONNX_OPTIONS)
    if isinstance(equation, GRUEquation):
        return {"linear_before_reset": int(equation.reset == "after")}
    if isinstance(equation, LSTMEquation):
        attributes: dict[str, Any] = {"input_forget": 1} if equation.coupled_gates else {}
        if equation.output_activation == "identity":
            attributes |= {"activations": ["Sigmoid", "Tanh", "Affine"]}
            attributes |= {"activation_alpha": [1.0], "activation_beta": [0.0]}
        return attributes
    assert isinstance(equation, RNNEquation)
    names = {"tanh": "Tanh", "relu": "Relu", "leaky_relu": "LeakyRelu", "sigmoid": "Sigmoid"}
    if equation.nonlinearity not in names:
        raise ConfigError(
            f"nonlinearity: got {equation.nonlinearity!r}, expected one of {', '.join(names)}; "
            "ONNX does not have it"
        )
    slope = {"activation_alpha": [LEAKY_SLOPE]} if equation.nonlinearity == "leaky_relu" else {}
    return {"activations": [names[equation.nonlinearity]]} | slope


def from_onnx(equation: Equation[W, Any], arrays: Sequence[Any]) -> W:
    """Return our weights from those of a one-direction ONNX RNN, GRU or LSTM: ONNXWeights or (W, R, B, P).

    With coupled gates f is 1 minus ONNX's i, as with input_forget=1; ONNX's rows of f are not read.
    Shapes: those of ONNXWeights; tensors, or values that torch.as_tensor accepts. For two directions call it
    once per direction, with W[:1] and W[1:].
    Raises: ConfigError for options that ONNX does not have; ShapeError where the shapes do not fit.
    """
    gates = _gates_of(equation, None, "ONNX", ONNX_GATES, _ONNX_OPTIONS)
    weight, recurrent, both, peepholes = _tensors(arrays, ONNXWeights)
    assert weight is not None
    assert recurrent is not None
    hidden_size, inputs = recurrent.shape[-1], weight.shape[-1]
    rows = len(gates) * hidden_size
    seen = isinstance(equation, LSTMEquation) and equation.peepholes
    if bool(seen) != (peepholes is not None):
        got = "None" if peepholes is None else f"shape {tuple(peepholes.shape)}"
        wanted = f"(1, {3 * hidden_size})" if seen else "None"
        raise shape_error("P", got, wanted, "P is given if and only if peepholes=True")
    _check_shapes(
        {"W": weight, "R": recurrent, "B": both, "P": peepholes},
        {
            "W": (1, rows, inputs),
            "R": (1, rows, hidden_size),
            "B": (1, 2 * rows),
            "P": (1, 3 * hidden_size),
        },
        f"the blocks are {', '.join(gates)}, for one direction",
    )
    named = {"weight_ih": weight[0], "weight_hh": recurrent[0]}
    if both is not None:
        named |= {"bias_ih": both[0, :rows], "bias_hh": both[0, rows:]}
    named = {
        name: reordered(_coupled(tensor, equation, gates), gates, equation.gates)
        for name, tensor in named.items()
    }
    if peepholes is not None:
        assert isinstance(equation, LSTMEquation)
        diagonals = _coupled(peepholes[0], equation, ONNX_PEEPHOLES)
        named["weight_peephole"] = reordered(diagonals, ONNX_PEEPHOLES, equation.peephole_gates)
    return equation.weights_type(**named)


def reordered(tensor: Tensor, source: Sequence[str], target: Sequence[str]) -> Tensor:
    """Return row blocks in another order; if only the target has i, it is f's block with the sign changed.

    1 - σ(f) = σ(-f) is the coupling of the two gates.
    Shapes: (len(source)*H, …) becomes (len(target)*H, …).
    """
    blocks = dict(zip(source, tensor.chunk(len(source)), strict=True))
    if "i" in target and "i" not in blocks:
        blocks["i"] = -blocks["f"]
    return torch.cat([blocks[gate] for gate in target])


def check_expressible(
    equation: Equation[Any, Any], weights: Any, layout: str, options: Mapping[str, Iterable[object]]
) -> None:
    """Raise a ConfigError if a layout cannot express an option or a projection.

    Shapes: any.
    """
    for name, allowed in options.items():
        got = getattr(equation, name, None)
        choices = list(allowed)
        if got is not None and not any(got is choice or got == choice for choice in choices):
            wanted = " or ".join(map(repr, choices))
            raise ConfigError(f"{name}: got {got!r}, expected {wanted}; {layout} cannot express it")
    if getattr(weights, "weight_hr", None) is not None:
        shape = tuple(weights.weight_hr.shape)
        raise ConfigError(
            f"weight_hr: got shape {shape}, expected none; {layout} cannot express a projection"
        )


def _gates_of(
    equation: Equation[Any, Any],
    weights: Any,
    layout: str,
    gates: Mapping[type, tuple[str, ...]],
    options: Mapping[str, Iterable[object]],
) -> tuple[str, ...]:
    """Return the layout's gate order, after checking that the layout has the cell."""
    if type(equation) not in gates:
        cells = ", ".join(kind.__name__ for kind in gates)
        raise ConfigError(
            f"equation: got {type(equation).__name__}, expected one of {cells}; {layout} has no other cells"
        )
    check_expressible(equation, weights, layout, options)
    return gates[type(equation)]


def _tensors(arrays: Sequence[Any], form: type[KerasWeights] | type[ONNXWeights]) -> list[Tensor | None]:
    fields = form._fields
    if not 2 <= len(arrays) <= len(fields):
        raise ShapeError(f"arrays: got {len(arrays)}, expected 2 to {len(fields)}: {', '.join(fields)}")
    given = [None if array is None else torch.as_tensor(array) for array in arrays]
    for name, tensor, axes in zip(fields, given, (2, 2) if form is KerasWeights else (3, 3), strict=False):
        if tensor is None or tensor.dim() != axes:
            got = "None" if tensor is None else f"shape {tuple(tensor.shape)}"
            raise ShapeError(f"{name}: got {got}, expected a tensor of {axes} axes; see {form.__name__}")
    return given + [None] * (len(fields) - len(given))


def _check_shapes(
    given: Mapping[str, Tensor | None], wanted: Mapping[str, tuple[int, ...]], remedy: str
) -> None:
    for name, shape in wanted.items():
        tensor = given[name]
        if tensor is not None and tensor.shape != shape:
            raise shape_error(name, f"shape {tuple(tensor.shape)}", str(shape), remedy)


def _coupled(tensor: Tensor, equation: Equation[Any, Any], gates: tuple[str, ...]) -> Tensor:
    """Return the blocks; with coupled gates, f's block is i's with the sign changed."""
    if not (isinstance(equation, LSTMEquation) and equation.coupled_gates):
        return tensor
    blocks = dict(zip(gates, tensor.chunk(len(gates)), strict=True))
    return torch.cat([-blocks["i"] if gate == "f" else blocks[gate] for gate in gates])


def _check_coupled(arrays: Mapping[str, Tensor | None], gates: Sequence[str]) -> None:
    for name, tensor in arrays.items():
        if tensor is None:
            continue
        blocks = dict(zip(gates, tensor.chunk(len(gates), dim=-1), strict=True))
        if not torch.equal(blocks["i"], -blocks["f"]):
            raise ConfigError(
                f"coupled_gates: got True, but in {name} the block of i is not f's with the sign changed; "
                "expected weights of coupled gates, or coupled_gates=False"
            )
