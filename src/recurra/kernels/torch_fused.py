"""The torch backend: torch's fused functions run a whole stack of plain layers in one call (CPU or cuDNN)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from recurra.cells import Equation, GRUEquation, LSTMEquation, LSTMState, RNNEquation, State, map_state

_FUNCTIONS: dict[str, Callable[..., tuple[Tensor, ...]]] = {
    "RNN_TANH": torch._VF.rnn_tanh,
    "RNN_RELU": torch._VF.rnn_relu,
    "GRU": torch._VF.gru,
    "LSTM": torch._VF.lstm,
}
_MODES: dict[Equation[Any, Any], str] = {
    RNNEquation("tanh"): "RNN_TANH",
    RNNEquation("relu"): "RNN_RELU",
    GRUEquation(): "GRU",
    LSTMEquation(): "LSTM",
}

# The time of torch's packed functions on a CPU grows with the square of the length. Plain calls over spans of
# steps with the same active rows are faster if the spans have at least this many steps on average: at this
# value both take equally long, for LSTM and GRU, at (B, T, H) = (12, 150, 128) and (20, 35, 200) on one core.
STEPS_A_SPAN = 3


class StackOptions(NamedTuple):
    """The options of a stack of plain layers, in the argument order of torch's functions."""

    bias: bool
    num_layers: int
    dropout: float
    training: bool
    bidirectional: bool


def mode_of(equation: Equation[Any, Any]) -> str | None:
    """Return torch's name for an equation, or None if torch does not have the cell."""
    for plain, mode in _MODES.items():
        if equation == plain:
            return mode
    return None


def reason(equation: Equation[Any, Any]) -> str | None:
    """Return why torch cannot run an equation, or None if it can."""
    if mode_of(equation) is not None:
        return None
    name = type(equation).__name__
    if isinstance(equation, RNNEquation) and equation.nonlinearity not in ("tanh", "relu"):
        return f"torch's functions have tanh and relu, not {equation.nonlinearity}"
    for plain in (RNNEquation(), GRUEquation(), LSTMEquation()):
        if type(plain) is not type(equation):
            continue
        for field in fields(plain):
            value = getattr(equation, field.name)
            if field.name != "nonlinearity" and value != getattr(plain, field.name):
                return (
                    f"torch's functions have no {name.removesuffix('Equation')} with {field.name}={value!r}"
                )
    return f"torch has no function for {name.removesuffix('Equation')}"


def run(
    equation: Equation[Any, Any],
    x: Tensor,
    state: State,
    weights: Sequence[Tensor],
    options: StackOptions,
    batch_sizes: Tensor | None = None,
) -> tuple[Tensor, State]:
    """Run a stack of layers in one or both directions; return the last layer's output and all final states.

    `weights` is flat, layer by layer and direction by direction, in torch.nn's order. With `batch_sizes` x is
    the data of a PackedSequence, its rows sorted, the longest first.
    Shapes: x (T, B, I), or (all steps, I) if packed; batch_sizes (T,) int64 on the CPU; state (L*D, B, H);
    output (T, B, D*H), or (all steps, D*H) if packed.
    """
    mode = mode_of(equation)
    assert mode is not None, "the choice of backends accepted an equation that torch does not have"
    if batch_sizes is None:
        return _dense(mode, x, state, weights, options)
    if x.device.type == "cpu" and not options.bidirectional:
        spans = list(_spans(batch_sizes))
        if len(spans) * STEPS_A_SPAN <= batch_sizes.numel():
            return _run_spans(mode, x, state, weights, options, spans)
    given = state if isinstance(state, Tensor) else tuple(state)
    output, *final = _FUNCTIONS[mode](x, batch_sizes, given, weights, *options)
    return output, final[0] if isinstance(state, Tensor) else LSTMState(*final)


def _dense(
    mode: str, x: Tensor, state: State, weights: Sequence[Tensor], options: StackOptions
) -> tuple[Tensor, State]:
    given = state if isinstance(state, Tensor) else tuple(state)
    output, *final = _FUNCTIONS[mode](x, given, weights, *options, False)
    return output, final[0] if isinstance(state, Tensor) else LSTMState(*final)


def _spans(batch_sizes: Tensor) -> Iterator[tuple[int, int]]:
    """Yield (steps, rows) of each span of steps with the same active rows."""
    rows, counts = batch_sizes.unique_consecutive(return_counts=True)
    yield from zip(counts.tolist(), rows.tolist(), strict=True)


def _run_spans(
    mode: str,
    x: Tensor,
    state: State,
    weights: Sequence[Tensor],
    options: StackOptions,
    spans: Sequence[tuple[int, int]],
) -> tuple[Tensor, State]:
    """Run a packed batch in plain calls, one per span of steps with the same active rows."""
    outputs: list[Tensor] = []
    ended: list[State] = []
    begin = 0
    for steps, rows in spans:
        ended.insert(0, map_state(lambda part, first=rows: part[:, first:], state))
        state = map_state(lambda part, count=rows: part[:, :count].contiguous(), state)
        end = begin + steps * rows
        span = x[begin:end].reshape(steps, rows, -1)
        output, state = _dense(mode, span, state, weights, options)
        outputs.append(output.flatten(0, 1))
        begin = end
    return torch.cat(outputs), map_state(lambda *parts: torch.cat(parts, dim=1), state, *ended)


def flatten_for_cudnn(
    equation: Equation[Any, Any],
    weights: Sequence[Tensor],
    options: StackOptions,
    sizes: tuple[int, int, int],
) -> None:
    """Move weights on a CUDA device into one contiguous block of memory for cuDNN; else do nothing.

    The tensors stay the same objects with the same values; only their memory changes. `sizes` is
    (input_size, hidden_size, proj_size).
    Shapes: weights as in `run`.
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
