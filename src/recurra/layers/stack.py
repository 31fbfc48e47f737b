"""A stack of recurrent layers, each in one or both directions, over a way of computing.

torch's fused functions take a whole stack in one call. For every other backend the stack is put together
here from scans of one layer in one direction:

    ┌ layer 1 forwards  ┐          ┌ layer 2 forwards  ┐
  x ┤                   ├ dropout ─┤                   ├ output (T, B, D*H)
    └ layer 1 backwards ┘          └ layer 2 backwards ┘

States of all layers and directions lie on one axis, L*D, layer by layer.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from recurra.cells import Equation, State, hidden_of, map_state
from recurra.kernels import reference, torch_fused
from recurra.kernels.torch_fused import StackOptions

# By name of the backend: one layer in one direction, as `reference.scan` takes and returns it.
SCANS: dict[str, Callable[..., tuple[Tensor, Any]]] = {"reference": reference.scan}

# torch's packed functions on a CPU slow down with the square of the length. Where spans of time in which
# the same rows take part have at least so many steps on average, plain calls over the spans are faster:
# both take equally long there, for LSTM and GRU, at (B, T, H) = (12, 150, 128) and (20, 35, 200) on one core.
STEPS_A_SPAN = 3

Weights = Sequence[Sequence[Any]]  # [layer][direction] -> the equation's weights


def run_stack(
    backend: str,
    equation: Equation[Any, Any],
    x: Tensor,
    state: State,
    weights: Weights,
    options: StackOptions,
    lengths: Tensor | None = None,
) -> tuple[Tensor, State]:
    """Run a padded batch through all layers; return the last one's output and every final state.

    Shapes: x (T, B, I); state (L*D, B, H); lengths (B,) int64 on the CPU, or None; output (T, B, D*H).
    """
    T, B = x.shape[:2]
    if T == 0 or (lengths is not None and not lengths.any()):  # no row takes a step
        return x.new_zeros(T, B, len(weights[0]) * hidden_of(state).shape[-1]), state
    if backend != "torch":
        return _compose(SCANS[backend], equation, x, state, weights, options, lengths)
    if lengths is None:
        return torch_fused.run(equation, x, state, flat(weights), options)
    return _run_fused_with_lengths(equation, x, state, weights, options, lengths)


def run_packed_stack(
    backend: str,
    equation: Equation[Any, Any],
    packed: PackedSequence,
    state: State,
    weights: Weights,
    options: StackOptions,
) -> tuple[Tensor, State]:
    """Run the data of a PackedSequence, whose rows and state are sorted by length.

    Shapes: packed.data (all steps, I); state (L*D, B, H); output (all steps, D*H).
    """
    data, batch_sizes, _, _ = packed
    if backend == "torch":
        return torch_fused.run(equation, data, state, flat(weights), options, batch_sizes)
    x, lengths = pad_packed_sequence(PackedSequence(data, batch_sizes))
    output, final = run_stack(backend, equation, x, state, weights, options, lengths)
    return pack_padded_sequence(output, lengths).data, final


def flat(weights: Weights) -> list[Tensor]:
    """Return all weights of a stack in torch.nn's order.

    Shapes: as they come.
    """
    return [tensor for layer in weights for direction in layer for tensor in direction if tensor is not None]


def _compose(
    scan: Callable[..., tuple[Tensor, Any]],
    equation: Equation[Any, Any],
    x: Tensor,
    state: State,
    weights: Weights,
    options: StackOptions,
    lengths: Tensor | None,
) -> tuple[Tensor, State]:
    finals: list[State] = []
    for number, directions in enumerate(weights):
        if number > 0:
            x = F.dropout(x, options.dropout, options.training)
        outputs = []
        for backwards, own_weights in enumerate(directions):
            place = len(finals)
            start = map_state(lambda part, place=place: part[place], state)
            output, final = scan(equation, x, start, own_weights, lengths, reverse=bool(backwards))
            outputs.append(output)
            finals.append(final)
        x = torch.cat(outputs, dim=-1) if len(outputs) > 1 else outputs[0]
    return x, map_state(lambda *parts: torch.stack(parts), *finals)


def _run_fused_with_lengths(
    equation: Equation[Any, Any],
    x: Tensor,
    state: State,
    weights: Weights,
    options: StackOptions,
    lengths: Tensor,
) -> tuple[Tensor, State]:
    """Rows of no steps take no part; the others run packed, the longest first, and return to their places."""
    T, B = x.shape[:2]
    longest_first = lengths.argsort(descending=True, stable=True)
    rows_on_cpu = longest_first[: int(lengths.count_nonzero())]
    rows = rows_on_cpu.to(x.device)
    chosen, spans = x.index_select(1, rows), lengths[rows_on_cpu]
    start = map_state(lambda part: part.index_select(1, rows), state)
    in_spans = x.device.type == "cpu" and not options.bidirectional
    if in_spans and len(spans.unique()) * STEPS_A_SPAN <= T:
        padded, final = _run_spans(equation, chosen, start, weights, options, spans)
    else:
        packed = pack_padded_sequence(chosen, spans)
        data, final = torch_fused.run(
            equation, packed.data, start, flat(weights), options, packed.batch_sizes
        )
        padded, _ = pad_packed_sequence(PackedSequence(data, packed.batch_sizes), total_length=T)
    output = padded.new_zeros(T, B, padded.shape[-1]).index_copy(1, rows, padded)
    return output, map_state(lambda old, new: old.to(new.dtype).index_copy(1, rows, new), state, final)


def _run_spans(
    equation: Equation[Any, Any],
    x: Tensor,
    state: State,
    weights: Weights,
    options: StackOptions,
    lengths: Tensor,
) -> tuple[Tensor, State]:
    """From the end of one row to the end of the next longer one, all rows that last so long in one call.

    `lengths` falls from row to row, so that the rows that take part are always the first ones.
    """
    T, B = x.shape[:2]
    outputs: list[Tensor] = []
    ended: list[State] = []
    begin = 0
    for end in lengths.unique().tolist():
        active, lasting = int((lengths >= end).sum()), int((lengths > end).sum())
        span = x[begin:end, :active]
        output, state = torch_fused.run(equation, span, state, flat(weights), options)
        outputs.append(F.pad(output, (0, 0, 0, B - active)))
        ended.insert(0, map_state(lambda part, first=lasting: part[:, first:], state))
        state = map_state(lambda part, count=lasting: part[:, :count].contiguous(), state)
        begin = end
    if begin < T:
        outputs.append(outputs[0].new_zeros(T - begin, B, outputs[0].shape[-1]))
    return torch.cat(outputs), map_state(lambda *parts: torch.cat(parts, dim=1), *ended)
