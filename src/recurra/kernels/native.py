"""The native CPU kernels: whether they can run a call, and running it.

The source of the kernels is in native/ and does not depend on torch. `extension` loads them, `codes` numbers
their equations, `calls` checks and passes tensors, `operators` registers a call as a torch operator.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from recurra.cells import Equation, JordanEquation, LSTMEquation, LSTMState, State
from recurra.kernels.calls import Inputs, described
from recurra.kernels.codes import code_of
from recurra.kernels.extension import (
    Watch,
    available,
    extension,
    has_wide_vectors,
    instruction_set,
    processor_features,
    unavailable,
)
from recurra.kernels.operators import recurrence
from recurra.kernels.packed import KeptPack
from recurra.kernels.reference import Zoneout

__all__ = [
    "KeptPack",
    "Watch",
    "available",
    "extension",
    "has_wide_vectors",
    "instruction_set",
    "processor_features",
    "reason",
    "scan",
    "streaming_stack",
    "unavailable",
]


def reason(equation: Equation[Any, Any], x: Tensor, beyond_torch: str | None = None) -> str | None:
    """Return why the native kernels cannot run a call, or None if they can.

    `beyond_torch` is an option of the call that torch's functions do not have, such as "zoneout".
    Shapes: x any.
    """
    blocked = unavailable()
    if blocked is not None:
        return blocked
    if code_of(equation) is None:
        return _not_there(equation)
    if beyond_torch in ("zoneout", "lengths in a graph") and isinstance(equation, JordanEquation):
        return f"the kernels do not support {beyond_torch} of a Jordan network"
    if x.device.type != "cpu":
        return f"device is {x.device.type}, kernels are CPU"
    if torch.is_autocast_enabled("cpu"):
        return "torch.autocast is on, kernels are float32"
    if x.dtype != torch.float32:
        return f"dtype is {str(x.dtype).removeprefix('torch.')}, kernels are float32"
    return None


def _not_there(equation: Equation[Any, Any]) -> str:
    if isinstance(equation, LSTMEquation):
        return "the kernels do not support relevance_gate together with coupled_gates"
    return f"the kernels do not support {type(equation).__name__}"


def scan(
    equation: Equation[Any, Any],
    x: Tensor,
    state: State,
    weights: Any,
    batch_sizes: Tensor | None = None,
    reverse: bool = False,
    zoneout: Zoneout | None = None,
    every_cell: bool = False,
    kept: KeptPack | None = None,
) -> tuple[Any, ...]:
    """Run one direction of one layer natively; return the hidden state at each step and the final state.

    With `every_cell` also return the cell state after each step. With `batch_sizes` x is the data of a
    PackedSequence, rows sorted by length, the longest first. `kept` stores packed weights between calls
    without gradients. The kernels also compute the backward pass, except second derivatives and batched
    gradients, which the reference computes.
    Shapes: x (T, B, I), or packed (N, I); state (B, H); batch_sizes (T,) int64 on the CPU, descending; output
    (T, B, H), or (T, B, P) with a projection, or packed (N, H); every cell (T, B, H) or (N, H).
    Raises: ShapeError where shapes, dtypes or devices do not fit.
    """
    inputs = _inputs(equation, x, state, weights, batch_sizes, reverse, zoneout, every_cell)
    # A graph traced by torch.jit may run with or without gradients later, and torch checks both.
    training = (torch.is_grad_enabled() or torch._C._is_tracing()) and any(
        tensor is not None and tensor.requires_grad for tensor in inputs[:-2]
    )
    y, hT, cT, c_steps, _ = recurrence(inputs, training, kept)
    final = hT if cT is None else LSTMState(hT, cT)
    return (y, final, c_steps) if every_cell and cT is not None else (y, final)


def streaming_stack(
    equation: Equation[Any, Any], weights: Sequence[Any], skip: int, keep_hidden: float, keep_cell: float
) -> Any:
    """Return a stack of native layers that runs one row step by step, with copies of the weights.

    `skip` is the number defined in native/streaming.h. `keep_hidden` and `keep_cell` are the fractions of the
    old state that each step keeps (zoneout in evaluation).
    """
    layers = []
    for own in weights:
        x = own.weight_ih.new_zeros(1, 1, own.weight_ih.shape[1])
        state = equation.initial_state(1, own)
        layers.append(described(_inputs(equation, x, state, own)))
    return extension().StreamingStack([call for call, _ in layers], skip, keep_hidden, keep_cell)


def _inputs(
    equation: Equation[Any, Any],
    x: Tensor,
    state: State,
    weights: Any,
    batch_sizes: Tensor | None = None,
    reverse: bool = False,
    zoneout: Zoneout | None = None,
    every_cell: bool = False,
) -> Inputs:
    code = code_of(equation)
    assert code is not None, "the choice of backends accepted an equation that the kernels do not have"
    hidden, cell = (state, None) if isinstance(state, Tensor) else state
    is_jordan = isinstance(equation, JordanEquation)
    return Inputs(
        x,
        hidden,
        cell,
        weights.weight_ih,
        weights.weight_hh,
        weights.bias_ih,
        weights.bias_hh,
        weights.weight_ho if is_jordan else getattr(weights, "weight_hr", None),
        weights.bias_ho if is_jordan else None,
        getattr(weights, "weight_peephole", None),
        getattr(weights, "gain_ih", None),
        getattr(weights, "gain_hh", None),
        getattr(weights, "gain_cell", None),
        getattr(weights, "shift_cell", None),
        None if zoneout is None else zoneout.hidden,
        None if zoneout is None else zoneout.cell,
        batch_sizes,
        [*code, int(reverse), int(every_cell)],
    )
