"""The base class of all recurrent layers: the accepted forms of input, and the steps of a call."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from recurra.cells import (
    State,
    autocasts,
    check_dense,
    check_kind,
    check_tensor,
    checked_state,
    map_state,
    shape_error,
)
from recurra.kernels import choose, native
from recurra.layers.batch import TimeBatch, pack_rows, packing_of, with_rows
from recurra.layers.lengths import checked_lengths
from recurra.layers.parameters import LayerStack
from recurra.layers.stack import Ran, flat, run_stack

Lengths = Tensor | Sequence[int] | None


class RecurrentLayer(LayerStack):
    """A stack of recurrent layers over time: the base of `recurra.RNN`, `recurra.GRU` and `recurra.LSTM`.

    It can replace torch.nn's layer of the same name: same arguments, parameter names, state_dict, initial
    values, results and gradients. Additional arguments of a call:

    - `lengths=`: row b has lengths[b] steps; lengths may be in any order and may be 0. The output keeps T
      steps and is zero in the padding. The final state of a row is the state after its last step, or the
      initial state for a row without steps. The values in the padding affect neither outputs nor gradients.
    - `every_state=True`: adds a third result, the state after each step, of every layer and direction.

    Additional keyword arguments of the constructor:

    - `skip`: "residual" adds a layer's input to its output wherever the sizes agree; "graves" also passes the
      network's input to every layer and outputs the hidden states of all layers (Graves 2013).
    - `merge`: combines the outputs of the directions: side by side ("concat"), or their "sum" or "mean".
    - `learn_initial_state`: uses parameters `initial_hidden`, `initial_cell` (L*D, H) instead of zeros.
    - `zoneout`: the probability that a value of the state keeps its old value; for the LSTM also a pair
      (hidden, cell) (Krueger et al. 2017). Evaluation uses the expectation.
    - `variational_dropout`: replaces `dropout` between layers; one mask per row for all steps (Gal &
      Ghahramani 2016).
    - `weight_drop`: the probability that a recurrent weight is set to zero, drawn once per call (Merity et
      al. 2018).
    - `stateful`: a call without hx continues from the final state of the last call; `reset_state` resets it.
    - `backend`: "auto", "native", "torch" (torch's fused functions) or "reference" (a loop over the cell's
      equation; also for double backward). `backend_used` is the backend of the last call. Second derivatives
      and batched gradients always use the reference.

    The attribute `keep_packed` can be set to True for many short calls without gradients: the weights are
    then packed for the native kernels only once.

    Shapes: input (T, B, I), or (B, T, I) with batch_first, or (T, I) for one row, or a PackedSequence;
    lengths (B,); hx (L*D, B, H), or (L*D, H) for one row; output like the input, its last axis `output_size`.
    """

    backend_used: str = ""

    def entry_state(self, hx: Any, x: Tensor, batch_size: int, batched: bool = True) -> State:
        """Return the state to start from: hx (checked and batched), the kept state, or the initial state.

        Under autocast its dtype may differ from that of x; the results of a call have the weights' dtype.
        Shapes: hx (L*D, B, H), or (L*D, H) if not batched; result (L*D, B, H); pairs for the LSTM.
        Raises: ShapeError where hx does not fit.
        """
        if hx is None:
            start = self._start(batch_size, x)
            return self._from_kept(start, batch_size) if self.stateful else start
        shapes = self._state_shapes(batch_size)
        axes = "(num_layers * directions, batch, hidden_size)"
        if not batched:
            shapes = [(layers, width) for layers, _, width in shapes]
            axes = "(num_layers * directions, hidden_size) for one row"
        state = checked_state(hx, shapes, axes, x.device, None if autocasts(x) else x.dtype)
        return state if batched else map_state(lambda part: part.unsqueeze(1), state)

    def forward(
        self,
        input: Tensor | PackedSequence,
        hx: Any = None,
        lengths: Lengths = None,
        every_state: bool = False,
    ) -> tuple[Any, ...]:
        """Run a batch of sequences; return the output at each step and all final states.

        With `every_state` also return the state after each step, of each layer and direction, zero in the
        padding.
        Shapes: input (T, B, I), or (B, T, I) with batch_first, or (T, I) for one row, or a PackedSequence;
        hx (L*D, B, H), or (L*D, H) for one row, for the LSTM a pair of them (hidden with P instead of H with
        a projection); lengths (B,); output like the input, its last axis `output_size`; every state
        (L*D, T, B, H), or (L*D, T, H) for one row, a pair of them for the LSTM.
        Raises: ShapeError where shapes, dtypes, devices or lengths do not fit; BackendUnavailable if the
        requested backend cannot run.
        """
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx, lengths, every_state)
        self.check_input(input)
        batched = input.dim() == 3
        x = input if batched else input.unsqueeze(1)
        if batched and self.batch_first:
            x = x.transpose(0, 1)
        T, B = x.shape[:2]
        steps = checked_lengths(lengths, T, B)
        output, state, every = self.run_rows(x, self.entry_state(hx, x, B, batched), steps, every_state)
        self.keep_state(state)
        if not batched:
            output, state = output.squeeze(1), map_state(lambda part: part.squeeze(1), state)
            every = None if every is None else map_state(lambda part: part.squeeze(2), every)
        elif self.batch_first:
            output = output.transpose(0, 1)
        return (output, state) if every is None else (output, state, every)

    def run_rows(self, x: Tensor, state: State, lengths: Tensor | None, every_state: bool = False) -> Ran:
        """Run padded rows from a state; `forward` calls it after checking and arranging its arguments.

        Shapes: x (T, B, I); state (L*D, B, H); lengths (B,) int64 on the CPU or None; output
        (T, B, output_size); every state (L*D, T, B, H).
        """
        T, B = x.shape[:2]
        if lengths is not None and T and B and torch.compiler.is_compiling():
            return self._run_paused(x, state, lengths, every_state)
        if T == 0 or B == 0 or (lengths is not None and not lengths.any()):
            return self._no_steps(x, state, every_state)
        if lengths is None:
            return self.run_batch(TimeBatch(x), state, every_state)
        packing = pack_rows(lengths)
        output, final, every = self.run_batch(packing.packed(x), packing.state_of(state), every_state)
        if every is not None:
            every = map_state(lambda part: packing.padded(part, T, B), every)
        return Ran(packing.padded(output, T, B), with_rows(state, packing.rows, final), every)

    def _run_paused(self, x: Tensor, state: State, lengths: Tensor, every_state: bool) -> Ran:
        """Run padded rows whose lengths have no values yet: each step of the padding keeps the state.

        Shapes: as `run_rows`.
        """
        steps = torch.arange(x.shape[0], device=x.device).unsqueeze(1)
        paused = (steps >= lengths.to(x.device)).unsqueeze(2)
        ran = self.run_batch(TimeBatch(x.masked_fill(paused, 0.0), None, paused), state, every_state)
        output, final, every = ran
        if every is not None:
            every = map_state(lambda part: part.masked_fill(paused, 0.0), every)
        return Ran(output.masked_fill(paused, 0.0), final, every)

    def run_batch(self, batch: TimeBatch, state: State, every_state: bool = False) -> Ran:
        """Run a dense or packed batch with at least one step on the backend chosen for it.

        Shapes: batch (T, B, I) or (N, I); state (L*D, B, H); output (T, B, output_size) or (N, output_size).
        """
        stack, mixed = self.stack(), autocasts(batch.data)
        backend = self.backend_for(batch.data, state, every_state, paused=batch.paused is not None)
        if backend != self.backend_used and not torch.compiler.is_compiling():
            self.backend_used = backend
        if mixed:
            state = map_state(lambda part: part.to(batch.data.dtype), state)
        watch = None
        if backend != "native" and batch.data.is_cpu and not torch.compiler.is_compiling():
            watch = native.Watch.begin()
        ran = run_stack(backend, stack, batch, state, self.weights_of_call(), every_state)
        if watch is not None:
            watch.end()
        return ran._replace(final=self._in_weights_dtype(ran.final)) if mixed else ran

    def backend_for(self, x: Tensor, state: State, every_state: bool = False, *, paused: bool = False) -> str:
        """Return the backend that runs a call; `paused`: with lengths in a traced graph.

        Shapes: x (T, B, I) or (N, I); state (L*D, B, H).
        Raises: BackendUnavailable if the requested backend cannot run it.
        """
        beyond_torch = "zoneout" if self.zoneout not in (0, (0, 0)) else None
        if every_state and not isinstance(state, Tensor):
            beyond_torch = "every_state"
        if paused:
            beyond_torch = "lengths in a graph"
        return choose(self.backend, self.equation, x, beyond_torch)

    @property
    def draws_once_a_call(self) -> bool:
        """Whether a call in training draws masks that it uses for all steps."""
        return self.weight_drop > 0 or self.variational_dropout > 0

    @property
    def draws(self) -> bool:
        """Whether two calls in training with the same input may differ."""
        return self.draws_once_a_call or self.dropout > 0 or self.zoneout not in (0, (0, 0))

    def _in_weights_dtype(self, state: State) -> State:
        dtype = self._some_weight().dtype
        return map_state(lambda part: part.to(dtype), state)

    def _no_steps(self, x: Tensor, state: State, every_state: bool) -> Ran:
        """Return zeros and the state for rows without steps; x and all weights get zero gradients."""
        T, B = x.shape[:2]
        if not torch.compiler.is_compiling():
            self.backend_used = "reference"
        zero = torch.stack([tensor[:0].sum() for tensor in [x, *flat(self.weights())]]).sum()
        if autocasts(x):
            state = self._in_weights_dtype(state)
        state = map_state(lambda part: part + zero.to(part.dtype), state)
        every = map_state(lambda part: part.new_zeros(part.shape[0], T, B, part.shape[-1]), state)
        return Ran(x.new_zeros(T, B, self.output_size) + zero, state, every if every_state else None)

    def _forward_packed(
        self, packed: PackedSequence, hx: Any, lengths: Lengths, every_state: bool
    ) -> tuple[Any, ...]:
        if lengths is not None:
            remedy = "a PackedSequence has its own lengths; remove them"
            raise shape_error("lengths", "lengths with a PackedSequence", "none", remedy)
        data, batch_sizes, sorted_indices, unsorted_indices = packed
        self.check_input(data, packed=True)
        T, B = batch_sizes.numel(), int(batch_sizes[0])
        state = self.entry_state(hx, data, B)
        if sorted_indices is not None:
            state = map_state(lambda part: part.index_select(1, sorted_indices), state)
        output, state, every = self.run_batch(TimeBatch(data, batch_sizes), state, every_state)
        if unsorted_indices is not None:
            state = map_state(lambda part: part.index_select(1, unsorted_indices), state)
        self.keep_state(state)
        results = (PackedSequence(output, batch_sizes, sorted_indices, unsorted_indices), state)
        if every is None:
            return results
        packing = packing_of(batch_sizes, sorted_indices)
        return (*results, map_state(lambda part: packing.padded(part, T, B), every))

    def weights_of_call(self) -> list[list[Any]]:
        """Return the weights by [layer][direction], in training with weight_drop applied."""
        weights = self.weights()
        if not self.training or self.weight_drop == 0:
            return weights
        return [
            [own._replace(weight_hh=F.dropout(own.weight_hh, self.weight_drop)) for own in layer]
            for layer in weights
        ]

    def check_input(self, input: Tensor, packed: bool = False) -> None:
        """Raise a ShapeError unless the axes, dtype and device of the input fit this layer.

        Shapes: (T, B, I), (B, T, I) with batch_first, or (T, I); packed (N, I).
        """
        check_tensor("input", input)
        check_dense("input", input)
        if input.dim() not in ((2,) if packed else (2, 3)) or input.shape[-1] != self.input_size:
            axes = "batch, steps" if self.batch_first else "steps, batch"
            wanted = f"({axes}, {self.input_size}), or (steps, {self.input_size}) for one row"
            if packed:
                wanted = f"(all steps, {self.input_size}) in a PackedSequence"
            remedy = f"its last axis is input_size={self.input_size}"
            raise shape_error("input", f"shape {tuple(input.shape)}", wanted, remedy)
        check_kind(input, self._some_weight())
