"""torch's fused functions: a whole stack of plain layers in one call, on the CPU and through cuDNN."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from recurra.cells import Equation, GRUEquation, LSTMEquation, LSTMState, RNNEquation, State

_FUNCTIONS: dict[str, Callable[..., tuple[Tensor, ...]]] = {
    "RNN_TANH": torch._VF.rnn_tanh,
    "RNN_RELU": torch._VF.rnn_relu,
    "GRU": torch._VF.gru,
    "LSTM": torch._VF.lstm,
}


class StackOptions(NamedTuple):
    """What a stack of plain layers is, in the order in which torch's functions take it."""

    bias: bool
    num_layers: int
    dropout: float
    training: bool
    bidirectional: bool


def mode_of(equation: Equation[Any, Any]) -> str | None:
    """Return torch's name for an equation, or None where it has no such cell."""
    match equation:
        case RNNEquation(nonlinearity="tanh"):
            return "RNN_TANH"
        case RNNEquation(nonlinearity="relu"):
            return "RNN_RELU"
        case GRUEquation():
            return "GRU"
        case LSTMEquation():
            return "LSTM"
    return None


def reason(equation: Equation[Any, Any]) -> str | None:
    """Return why torch cannot run an equation, or None where it can."""
    if mode_of(equation) is not None:
        return None
    if isinstance(equation, RNNEquation):
        return f"torch's functions have tanh and relu, not {equation.nonlinearity}"
    return f"torch has no function for {type(equation).__name__}"


def run(
    equation: Equation[Any, Any],
    x: Tensor,
    state: State,
    weights: Sequence[Tensor],
    options: StackOptions,
    batch_sizes: Tensor | None = None,
) -> tuple[Tensor, State]:
    """Run a stack of layers, one or both directions; return the last layer's output and all final states.

    `weights` is flat, layer by layer and direction by direction, in torch.nn's order. With `batch_sizes` x is
    the data of a PackedSequence.
    Shapes: x (T, B, I), or (all steps, I) where packed; state (L*D, B, H); output (T, B, D*H), or
    (all steps, D*H) where packed.
    """
    mode = mode_of(equation)
    assert mode is not None, "the choice of backends let an equation through that torch has not"
    given = state if isinstance(state, Tensor) else tuple(state)
    if batch_sizes is None:
        output, *final = _FUNCTIONS[mode](x, given, weights, *options, False)
    else:
        output, *final = _FUNCTIONS[mode](x, batch_sizes, given, weights, *options)
    return output, final[0] if isinstance(state, Tensor) else LSTMState(*final)


def flatten_for_cudnn(
    equation: Equation[Any, Any],
    weights: Sequence[Tensor],
    options: StackOptions,
    sizes: tuple[int, int, int],
) -> None:
    """Move weights on a CUDA device into one stretch of memory, as cuDNN likes them; else do nothing.

    The tensors stay the same objects with the same values; only where they lie changes. `sizes` is
    (input_size, hidden_size, proj_size).
    Shapes: weights as `run` takes them.
    """
    first, mode = weights[0], mode_of(equation)
    if mode is None or not first.is_cuda or not torch._use_cudnn_rnn_flatten_weight():
        return
    for weight in weights:
        owned = isinstance(weight, nn.Parameter) and weight.dtype == first.dtype and weight.is_cuda
        if not owned or not torch.backends.cudnn.is_acceptable(weight):
            return
    if len({weight.data_ptr() for weight in weights}) != len(weights):  # shared weights cannot be moved
        return
    input_size, hidden_size, proj_size = sizes
    weights_per_layer = len(weights) // (options.num_layers * (2 if options.bidirectional else 1))
    with torch.cuda.device_of(first), torch.no_grad():
        torch._cudnn_rnn_flatten_weight(
            list(weights),
            weights_per_layer,
            input_size,
            torch.backends.cudnn.rnn.get_cudnn_mode(mode),
            hidden_size,
            proj_size,
            options.num_layers,
            False,
            options.bidirectional,
        )
