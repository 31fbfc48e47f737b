"""A cell's weights in concatenated form: one matrix that multiplies [a<t-1>; x<t>].

Wa [a<t-1>; x<t>] = Waa a<t-1> + Wax x<t> with Wa = [Waa | Wax]: weight_hh is on the left, weight_ih on
the right. `concatenate_weights` returns one matrix in our gate order; `notes_weights` returns one matrix per
gate, with the names used in lecture notes: Wc, Wu, Wf, Wo, Wr.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from recurra.cells.checks import shape_error
from recurra.cells.conversion import check_expressible
from recurra.cells.equation import Equation
from recurra.cells.gru import GRUEquation, GRUWeights
from recurra.cells.jordan import JordanEquation
from recurra.cells.lstm import LSTMEquation, LSTMWeights
from recurra.cells.rnn import RNNEquation, RNNWeights
from recurra.errors import ConfigError, ShapeError
from recurra.plain import listed

W = TypeVar("W")
_PLAIN: dict[type, Equation[Any, Any]] = {
    RNNWeights: RNNEquation(),
    GRUWeights: GRUEquation(),
    LSTMWeights: LSTMEquation(),
}
_NO_GAINS: dict[str, tuple[object, ...]] = {"layer_norm": (False,)}

# Our gate: (letter in the notes, sign); the sign is -1 where the notes' gate is 1 minus ours.
_RNN_LETTERS = {"h": ("a", 1)}
_GRU_LETTERS = {"r": ("r", 1), "z": ("u", -1), "n": ("c", 1)}
_LSTM_LETTERS = {"i": ("u", 1), "f": ("f", 1), "g": ("c", 1), "o": ("o", 1), "r": ("r", 1)}
_COUPLED_LETTERS = {"f": ("u", -1), "g": ("c", 1), "o": ("o", 1), "r": ("r", 1)}


class ConcatenatedWeights(NamedTuple):
    """The weights of a cell with W_hh and W_ih side by side and the two biases summed.

    `bias_hn` is the second bias of n in a GRU with reset="after": r multiplies it, so it cannot be added to
    the first. `weight_hr` is the LSTM's projection, `weight_peephole` its peepholes. Row blocks are in the
    cell's gate order.
    Shapes: weight (G*H, H+I), or (G*H, P+I) with a projection; bias (G*H,) or None; bias_hn (H,) or None;
    weight_hr (P, H) or None; weight_peephole (3*H,), coupled (2*H,), or None.
    """

    weight: Tensor
    bias: Tensor | None = None
    bias_hn: Tensor | None = None
    weight_hr: Tensor | None = None
    weight_peephole: Tensor | None = None


def concatenate_weights(
    weights: RNNWeights | GRUWeights | LSTMWeights, equation: Equation[Any, Any] | None = None
) -> ConcatenatedWeights:
    """Return the concatenated form of a cell's weights; the cell computes the same function.

    If no equation is given, the weights are taken as those of the plain RNN, GRU or LSTM.
    Shapes: weight_ih (G*H, I) and weight_hh (G*H, H) become weight (G*H, H+I); two biases become their sum.
    Raises: ConfigError for layer_norm, which normalises the two products separately.
    """
    equation = _plain(type(weights)) if equation is None else equation
    _refuse_jordan(equation)
    check_expressible(equation, None, "one product W[h, x]", _NO_GAINS)
    weight = torch.cat([weights.weight_hh, weights.weight_ih], dim=1)
    bias, bias_hn = weights.bias_ih, None
    if weights.bias_ih is not None and weights.bias_hh is not None:
        if isinstance(equation, GRUEquation) and equation.reset == "after":
            r_and_z, bias_hn = weights.bias_hh.tensor_split([2 * len(weights.bias_hh) // 3])
            bias = weights.bias_ih + torch.cat([r_and_z, torch.zeros_like(bias_hn)])
        else:
            bias = weights.bias_ih + weights.bias_hh
    if not isinstance(weights, LSTMWeights):
        return ConcatenatedWeights(weight, bias, bias_hn)
    return ConcatenatedWeights(weight, bias, None, weights.weight_hr, weights.weight_peephole)


def _plain(kind: type) -> Equation[Any, Any]:
    if kind not in _PLAIN:
        known = ", ".join(each.__name__ for each in _PLAIN)
        raise ConfigError(f"weights: got {kind.__name__}, expected one of {known}; or pass an equation")
    return _PLAIN[kind]


def _refuse_jordan(equation: Equation[Any, Any]) -> None:
    if isinstance(equation, JordanEquation):
        raise ConfigError("equation: got JordanEquation, which has an output layer; use notes_weights")


def split_weights(kind: type[W] | Equation[W, Any], concatenated: ConcatenatedWeights) -> W:
    """Return the weights of an equation, or of a plain `kind` (such as RNNWeights), from concatenated form.

    The whole bias goes to bias_ih; bias_hh is zero, except for the GRU's bias_hn.
    Shapes: weight (G*H, H+I) becomes weight_hh (G*H, H) and weight_ih (G*H, I).
    Raises: ShapeError if the number of rows is not a multiple of the number of gates, or no columns are left
    for the input; ConfigError for layer_norm.
    """
    equation: Equation[W, Any] = kind if isinstance(kind, Equation) else _plain(kind)
    _refuse_jordan(equation)
    check_expressible(equation, None, "one product W[h, x]", _NO_GAINS)
    weight, bias, bias_hn, weight_hr, weight_peephole = concatenated
    rows, columns = weight.shape
    gates = len(equation.gates)
    hidden_size = rows // gates
    width = hidden_size if weight_hr is None else weight_hr.shape[0]
    if rows % gates or columns <= width:
        wanted = f"({gates}*H, {'H' if weight_hr is None else width}+I) with I >= 1"
        remedy = f"it is [W_hh | W_ih] with the row blocks of {gates} gates"
        raise shape_error("weight", f"shape {(rows, columns)}", wanted, remedy)
    weight_hh, weight_ih = weight.split([width, columns - width], dim=1)
    bias_hh = None if bias is None else torch.zeros_like(bias)
    if bias_hh is not None and bias_hn is not None:
        bias_hh = torch.cat([bias_hh[: rows - hidden_size], bias_hn])
    named = {
        "weight_ih": weight_ih,
        "weight_hh": weight_hh,
        "bias_ih": bias,
        "bias_hh": bias_hh,
        "weight_hr": weight_hr,
        "weight_peephole": weight_peephole,
    }
    return equation.weights_type(**{name: given for name, given in named.items() if given is not None})


def notes_weights(equation: Equation[Any, Any], weights: Any) -> dict[str, Tensor]:
    """Return the weights per gate in the notation of lecture notes, c̃ = tanh(Wc [c<t-1>, x<t>] + bc).

    Vanilla: Wa, ba. GRU: Wc, bc, Wu, bu, Wr, br; Γu = 1 - z, so Wu and bu are those of z with the sign
    changed. LSTM: Wc, Wu, Wf, Wo, Wr and their biases, peepholes pu, pf, po; with coupled gates Γu = 1 - f
    replaces Γf. Jordan: Wa, ba, Wy, by. The equation decides how they are used. The notes have one bias per
    gate, so a nonzero bias_hn is refused for reset="after", where r multiplies it.
    Shapes: each W (H, H+I), [W_hh | W_ih]; each b and p (H,); for Jordan Wa (H, O+I), Wy (O, H), by (O,).
    Raises: ConfigError for a nonzero bias_hn with reset="after", for layer_norm and for a projection.
    """
    check_expressible(equation, weights, "the notes' form", _NO_GAINS)
    letters, gates = _letters(equation), equation.gates
    both = torch.cat([weights.weight_hh, weights.weight_ih], dim=1)
    named = {}
    for gate, block in zip(gates, both.chunk(len(gates)), strict=True):
        letter, sign = letters[gate]
        named[f"W{letter}"] = sign * block
    if weights.bias_ih is not None:
        _check_bias_hn(equation, weights)
        biases = (weights.bias_ih + weights.bias_hh).chunk(len(gates))
        for gate, bias in zip(gates, biases, strict=True):
            letter, sign = letters[gate]
            named[f"b{letter}"] = sign * bias
    if isinstance(equation, LSTMEquation) and equation.peepholes:
        names = equation.peephole_gates
        for gate, diagonal in zip(names, weights.weight_peephole.chunk(len(names)), strict=True):
            letter, sign = letters[gate]
            named[f"p{letter}"] = sign * diagonal
    if isinstance(equation, JordanEquation):
        named["Wy"] = weights.weight_ho
        if weights.bias_ho is not None:
            named["by"] = weights.bias_ho
    return named


def from_notes(equation: Equation[W, Any], arrays: Mapping[str, Any]) -> W:
    """Return the weights from the notes' form; the whole bias goes to bias_ih, bias_hh is zero.

    Shapes: those of notes_weights; tensors, or values that torch.as_tensor accepts. Either all biases are
    given or none.
    Raises: ShapeError for names or shapes that do not fit; ConfigError for layer_norm.
    """
    check_expressible(equation, None, "the notes' form", _NO_GAINS)
    letters, gates = _letters(equation), equation.gates
    given = {name: torch.as_tensor(array) for name, array in arrays.items()}
    _check_names(equation, given)
    weight = torch.cat([letters[gate][1] * given[f"W{letters[gate][0]}"] for gate in gates])
    hidden_size = len(weight) // len(gates)
    width = len(given["Wy"]) if isinstance(equation, JordanEquation) else hidden_size
    named = {"weight_hh": weight[:, :width], "weight_ih": weight[:, width:]}
    if any(name.startswith("b") for name in given):
        bias = torch.cat([letters[gate][1] * given[f"b{letters[gate][0]}"] for gate in gates])
        named |= {"bias_ih": bias, "bias_hh": torch.zeros_like(bias)}
    if isinstance(equation, LSTMEquation) and equation.peepholes:
        diagonals = [letters[gate][1] * given[f"p{letters[gate][0]}"] for gate in equation.peephole_gates]
        named["weight_peephole"] = torch.cat(diagonals)
    if isinstance(equation, JordanEquation):
        named["weight_ho"] = given["Wy"]
        named |= {"bias_ho": given["by"]} if "by" in given else {}
    return equation.weights_type(**named)


def _letters(equation: Equation[Any, Any]) -> dict[str, tuple[str, int]]:
    if isinstance(equation, GRUEquation):
        return _GRU_LETTERS
    if isinstance(equation, LSTMEquation):
        return _COUPLED_LETTERS if equation.coupled_gates else _LSTM_LETTERS
    return _RNN_LETTERS


def _check_bias_hn(equation: Equation[Any, Any], weights: Any) -> None:
    if not (isinstance(equation, GRUEquation) and equation.reset == "after"):
        return
    bias_hn = weights.bias_hh.chunk(3)[2]
    if bool(bias_hn.any()):
        largest = f"{bias_hn.abs().max().item():.3g}"
        raise ConfigError(
            f"bias_hn: got numbers up to {largest}, expected zeros; r multiplies it, "
            "so the notes' single bias bc cannot express it"
        )


def _check_names(equation: Equation[Any, Any], given: Mapping[str, Tensor]) -> None:
    """Raise a ShapeError unless the names and shapes are those that notes_weights returns."""
    letters = [_letters(equation)[gate][0] for gate in equation.gates]
    jordan = isinstance(equation, JordanEquation)
    peepholes = equation.peephole_gates if isinstance(equation, LSTMEquation) else ()
    needed = [f"W{letter}" for letter in letters] + ["Wy"] * jordan
    needed += [f"p{_letters(equation)[gate][0]}" for gate in peepholes]
    biases = [f"b{letter}" for letter in letters] + ["by"] * jordan
    if set(given) not in ({*needed}, {*needed, *biases}):
        wanted = f"{', '.join(needed)}, and all or none of {', '.join(biases)}"
        raise ShapeError(f"names: got {listed(sorted(given))}, expected {wanted}")
    for name, tensor in given.items():
        if tensor.dim() != (2 if name[0] == "W" else 1):
            axes = "a matrix" if name[0] == "W" else "a vector"
            raise ShapeError(f"{name}: got shape {tuple(tensor.shape)}, expected {axes}")
    first = given[needed[0]]
    hidden_size, columns = first.shape
    width = len(given["Wy"]) if jordan else hidden_size
    if hidden_size < 1 or columns <= width:
        wanted = f"(H, {width if jordan else 'H'}+I) with I >= 1"
        raise shape_error(needed[0], f"shape {tuple(first.shape)}", wanted, "it multiplies [a<t-1>; x<t>]")
    for name, tensor in given.items():
        shape: tuple[int, ...] = (hidden_size, columns) if name[0] == "W" else (hidden_size,)
        shape = {"Wy": (width, hidden_size), "by": (width,)}.get(name, shape)
        if tensor.shape != shape:
            remedy = f"H is {hidden_size} and H+I is {columns}, as {needed[0]} has it"
            raise shape_error(name, f"shape {tuple(tensor.shape)}", str(shape), remedy)
