"""A stack of recurrent layers, each in one or both directions, on a given backend.

                     ┌ forwards  ┐
  h^{n-1} ─ dropout ─┤           ├─ merge ─ (+ h^{n-1}: residual) ─ h^n
                     └ backwards ┘

If the stack uses only options of torch.nn, torch's fused functions run it in one call. Otherwise the stack is
composed here: torch's functions run one layer with its directions per call, the other backends run one
direction of one layer per call. All calls work on one TimeBatch, dense or packed.

The states of all layers and directions are on one axis, L*D, layer by layer.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from recurra.cells import Equation, LSTMState, State, map_state, state_from
from recurra.kernels import native, reference, torch_fused
from recurra.kernels.reference import Zoneout
from recurra.kernels.torch_fused import StackOptions
from recurra.layers.batch import TimeBatch

Weights = Sequence[Sequence[Any]]  # [layer][direction] -> the equation's weights


class Stack(NamedTuple):
    """A stack of layers and its options in one call.

    `zoneout` is the probability for the hidden state and for the cell state; `kept` stores the packed weights
    of each layer and direction between calls.
    """

    equation: Equation[Any, Any]
    plain: StackOptions
    skip: str = "none"
    merge: str = "concat"
    variational_dropout: float = 0.0
    zoneout: tuple[float, float] = (0.0, 0.0)
    kept: Sequence[native.KeptPack] | None = None

    def is_torchs(self, input_size: int, layer_size: int) -> bool:
        """Return whether torch.nn has such a stack, so that one call of torch's functions can run it."""
        if self.merge != "concat" and self.plain.bidirectional:
            return False
        if self.plain.num_layers == 1:
            return self.skip != "residual" or input_size != layer_size
        return self.skip == "none" and self.variational_dropout == 0


class Ran(NamedTuple):
    """The result of a stack; `every` is the state after every step, if it was requested.

    Shapes: output like the TimeBatch, (T, B, W) or (N, W); final (L*D, B, H); every (L*D, T, B, H) or
    (L*D, N, H), pairs of them for the LSTM.
    """

    output: Tensor
    final: State
    every: State | None = None


def run_stack(
    backend: str, stack: Stack, batch: TimeBatch, state: State, weights: Weights, every_state: bool = False
) -> Ran:
    """Run a batch with at least one step through all layers.

    Shapes: batch (T, B, I) or (N, I); state (L*D, B, H); the result's output (T, B, W) or (N, W).
    """
    if backend == "torch" and not every_state:
        hidden = state if isinstance(state, Tensor) else state.hidden
        layer_size = output_size(hidden.shape[-1], stack.plain.bidirectional, stack.merge)
        if stack.is_torchs(batch.data.shape[-1], layer_size):
            given = (batch.data, state, flat(weights), stack.plain, batch.batch_sizes)
            return Ran(*torch_fused.run(stack.equation, *given))
    if len(weights) == len(weights[0]) == 1 and stack.skip != "residual" and backend != "torch":
        only = _scan_direction(backend, stack, batch, state, 0, weights[0][0], every_state)
        return Ran(only.output, _stacked([only.final]), _stacked([only.every]) if every_state else None)
    return _compose(backend, stack, batch, state, weights, every_state)


def output_size(hidden_size: int, bidirectional: bool, merge: str) -> int:
    """Return the last axis of the output of one layer: D*H, or H if its directions are merged."""
    return hidden_size * (2 if bidirectional and merge == "concat" else 1)


def flat(weights: Weights) -> list[Tensor]:
    """Return all weights of a stack in torch.nn's order.

    Shapes: as they come.
    """
    return [tensor for layer in weights for direction in layer for tensor in direction if tensor is not None]


def _compose(
    backend: str, stack: Stack, batch: TimeBatch, state: State, weights: Weights, every_state: bool
) -> Ran:
    run_layer = _fused_layer if backend == "torch" else partial(_scanned_layer, backend)
    first, x = batch.data, batch.data
    outputs: list[Tensor] = []
    directions: list[_Direction] = []
    for number, own_weights in enumerate(weights):
        entering = x if number == 0 else _dropped(stack, batch, x)
        if number > 0 and stack.skip == "graves":
            entering = torch.cat([entering, first], dim=-1)
        entered = batch._replace(data=entering)
        ran = run_layer(stack, entered, state, number, own_weights, every_state)
        merged = _merged(stack.merge, [direction.output for direction in ran])
        if stack.skip == "residual" and merged.shape[-1] == x.shape[-1]:
            merged = x + merged
        x = merged
        outputs.append(x)
        directions += ran
    output = torch.cat(outputs, dim=-1) if stack.skip == "graves" and len(outputs) > 1 else x
    final = _stacked([direction.final for direction in directions])
    every = _stacked([direction.every for direction in directions]) if every_state else None
    return Ran(output, final, every)


def inputs_of_layers(stack: Stack, x: Tensor, hidden: Tensor) -> list[Tensor]:
    """Return the input of each layer, without dropout, from the hidden states of all layers.

    Shapes: x (T, B, I); hidden (L*D, T, B, H); each result (T, B, W).
    """
    directions = 2 if stack.plain.bidirectional else 1
    first, entering = x, [x]
    for layer in hidden.split(directions)[:-1]:
        merged = _merged(stack.merge, list(layer))
        if stack.skip == "residual" and merged.shape[-1] == x.shape[-1]:
            merged = x + merged
        x = merged
        entering.append(torch.cat([x, first], dim=-1) if stack.skip == "graves" else x)
    return entering


class _Direction(NamedTuple):
    """One direction of one layer: output (T, B, H) or (N, H), final state (B, H), `every` like the output."""

    output: Tensor
    final: State
    every: State


def _at(place: int, state: State) -> State:
    """Return the state of one layer and direction from the states of all."""
    return state[place] if isinstance(state, Tensor) else LSTMState(state.hidden[place], state.cell[place])


def _stacked(states: Sequence[State]) -> State:
    if len(states) == 1:
        only = states[0]
        if isinstance(only, Tensor):
            return only.unsqueeze(0)
        return LSTMState(only.hidden.unsqueeze(0), only.cell.unsqueeze(0))
    return map_state(lambda *parts: torch.stack(parts), *states)


def _merged(merge: str, outputs: list[Tensor]) -> Tensor:
    if len(outputs) == 1:
        return outputs[0]
    if merge == "concat":
        return torch.cat(outputs, dim=-1)
    total = outputs[0] + outputs[1]
    return total / 2 if merge == "mean" else total


def _dropped(stack: Stack, batch: TimeBatch, x: Tensor) -> Tensor:
    """Apply dropout between layers: to single values, or to the same features of a row at all steps."""
    if not stack.plain.training:
        return x
    if stack.variational_dropout > 0:
        mask = F.dropout(x.new_ones(batch.rows, x.shape[-1]), stack.variational_dropout)
        return x * batch.spread(mask)
    return F.dropout(x, stack.plain.dropout) if stack.plain.dropout > 0 else x


def _zoneout(stack: Stack, batch: TimeBatch, state: State) -> Zoneout | None:
    """The fraction of the state that is kept at each step: that of zoneout, and all of it where paused."""
    if stack.zoneout == (0.0, 0.0) and batch.paused is None:
        return None
    x, shares = batch.data, []
    for p, part in zip(stack.zoneout, [state] if isinstance(state, Tensor) else state, strict=False):
        empty = x.new_empty(*x.shape[:-1], part.shape[-1])
        share = _shares(p, empty, stack.plain.training)
        if batch.paused is not None:
            share = (empty.zero_() if share is None else share).masked_fill(batch.paused, 1.0)
        shares.append(share)
    return Zoneout(*shares)


def _shares(p: float, empty: Tensor, training: bool) -> Tensor | None:
    if p == 0:
        return None
    return empty.bernoulli_(p) if training else empty.fill_(p)


def _fused_layer(
    stack: Stack, batch: TimeBatch, state: State, number: int, weights: Sequence[Any], every_state: bool
) -> list[_Direction]:
    """Run all directions of one layer in one call of torch's functions; `every` is the output."""
    options = stack.plain._replace(num_layers=1, dropout=0.0)
    D = len(weights)
    start = map_state(lambda part: part[number * D : number * D + D], state)
    given = (batch.data, start, flat([weights]), options, batch.batch_sizes)
    output, final = torch_fused.run(stack.equation, *given)
    return [
        _Direction(own, _at(place, final), own)
        for place, own in enumerate(output.chunk(len(weights), dim=-1))
    ]


def _scanned_layer(
    backend: str,
    stack: Stack,
    batch: TimeBatch,
    state: State,
    number: int,
    weights: Sequence[Any],
    every_state: bool,
) -> list[_Direction]:
    """Run one layer direction by direction."""
    first = number * len(weights)
    return [
        _scan_direction(backend, stack, batch, state, first + place, own, every_state, place == 1)
        for place, own in enumerate(weights)
    ]


def _scan_direction(
    backend: str,
    stack: Stack,
    batch: TimeBatch,
    state: State,
    place: int,
    weights: Any,
    every_state: bool,
    reverse: bool = False,
) -> _Direction:
    """Run one direction of one layer; `place` is its index among all layers and directions."""
    start = _at(place, state)
    every_cell = every_state and not isinstance(start, Tensor)
    zoneout = _zoneout(stack, batch, start)
    given = (stack.equation, batch.data, start, weights, batch.batch_sizes, reverse, zoneout, every_cell)
    if backend == "native":
        kept = None if stack.kept is None else stack.kept[place]
        output, final, *cells = native.scan(*given, kept)
    else:
        output, final, *cells = reference.scan_batch(*given)
    return _Direction(output, final, state_from([output, *cells]) if every_state else output)
