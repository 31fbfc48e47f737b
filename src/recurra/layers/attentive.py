"""A recurrent layer with attention at each step and input feeding."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.cells import State, hidden_of, map_state, shape_error
from recurra.errors import BackendUnavailable, ConfigError
from recurra.kernels import attentive
from recurra.kernels.extension import has_wide_vectors
from recurra.kernels.packed import KeptPack
from recurra.layers.attention import Attention, Memory
from recurra.layers.recurrent import RecurrentLayer
from recurra.layers.state import rows_of_state

_BACKENDS = ("auto", "native", "reference")


class AttentiveState(NamedTuple):
    """The state of the layer after a step; `covered` is the sum of all attention weights per source step.

    Shapes: cell (1, R, H), a pair of them for the LSTM; feed (R, F); covered (R, S).
    """

    cell: State
    feed: Tensor
    covered: Tensor

    def rows(self, rows: Tensor) -> "AttentiveState":
        """Return the state of the given rows, which may repeat. Shapes: rows (R',)."""
        feed, covered = self.feed.index_select(0, rows), self.covered.index_select(0, rows)
        return AttentiveState(rows_of_state(self.cell, rows), feed, covered)


class Attentive(NamedTuple):
    """The result of the layer. Shapes: output (R, T, F); weights (R, T, S)."""

    output: Tensor
    weights: Tensor
    state: AttentiveState


class AttentiveLayer(nn.Module):
    """One recurrent layer with attention and input feeding:

        h_t = cell([x_t; f_{t-1}], h_{t-1})
        c_t = Σ_s w_ts v_s,   w_t = softmax over s of score(h_t, v_s)
        f_t = tanh(W [h_t; c_t] + b)

    For every score the query is the state after the step, as in Luong's model. Bahdanau's model uses the
    state before the step; here f_{t-1} carries the information of the context at t - 1.

    A memory of B rows serves R = kB rows of states; its first row serves the first k of them, so the
    hypotheses of a search share the encoder's output. They may also share inputs: row r then reads
    x[shared[r]], and the input's matrix product is computed once per row of x.

    Shapes: x (R, T, I); output (R, T, F); shared (R,), where x has any number of rows; see AttentiveState and
    Memory.
    Raises: ConfigError for an unsupported layer or option; ShapeError where rows do not fit.
    Source: M.-T. Luong et al., Effective approaches to attention-based neural machine translation (2015).
    """

    def __init__(
        self, recurrent: RecurrentLayer, attention: Attention, feed_size: int, *, backend: str = "auto"
    ) -> None:
        super().__init__()
        if backend not in _BACKENDS:
            raise ConfigError(f"backend: got {backend!r}, expected one of {', '.join(_BACKENDS)}.")
        self.backend, self.backend_used = backend, ""
        self._kept = KeptPack()
        if recurrent.num_layers != 1 or recurrent.bidirectional:
            raise ConfigError("recurrent: attention needs one forward layer; stack other layers below it.")
        if attention.query_size != recurrent.output_size:
            raise ConfigError(
                f"attention: the query size is {attention.query_size}, but the layer's output size is "
                f"{recurrent.output_size}; they must be equal."
            )
        self.recurrent, self.attention = recurrent, attention
        self.feed_size = feed_size
        self.input_size = recurrent.input_size - feed_size
        self.combine = nn.Linear(attention.query_size + attention.value_size, feed_size)

    def initial_state(self, cell: State, memory: Memory) -> AttentiveState:
        """Return the state before the first step, with zero feed and coverage. Shapes: cell (1, R, H)."""
        hidden = hidden_of(cell)
        R = hidden.shape[1]
        feed = hidden.new_zeros(R, self.feed_size)
        return AttentiveState(cell, feed, hidden.new_zeros(R, memory.values.shape[1]))

    def forward(
        self, x: Tensor, memory: Memory, state: AttentiveState, shared: Tensor | None = None
    ) -> Attentive:
        """Run T steps. Shapes: x (R, T, I); shared (R,); output (R, T, F); weights (R, T, S)."""
        R, B = len(x if shared is None else shared), len(memory.values)
        if x.dim() != 3 or x.shape[-1] != self.input_size:
            wanted = f"(rows, steps, {self.input_size})"
            raise shape_error("x", f"shape {tuple(x.shape)}", wanted, "pass a decoder's inputs")
        if len(state.feed) != R or (R % B if B else R):
            wanted = f"as many rows as the state, a multiple of {B}"
            raise shape_error("x", f"{R} rows", wanted, "select the state's rows with rows()")
        empty = x.numel() == 0 or memory.values.numel() == 0
        blocked = None if empty else attentive.reason(self.recurrent.equation, x)
        if self.backend == "native" and blocked is not None:
            raise BackendUnavailable(f"backend='native', but {blocked}; use 'auto'.")
        plain = empty or blocked is not None or self.backend == "reference"
        plain = plain or (self.backend == "auto" and not has_wide_vectors())
        self.backend_used = "reference" if plain else "native"
        if self.backend_used == "native":
            found = self._native_steps(x, memory, state, shared)
        else:
            found = self._steps(x if shared is None else x.index_select(0, shared), memory, state)
        if self.recurrent.watchers:
            # The recurrent layer itself is not called: its inputs are known only step by step.
            fed = torch.cat([state.feed.unsqueeze(1), found.output], dim=1)[:, : x.shape[1]]
            read = torch.cat([x if shared is None else x.index_select(0, shared), fed], dim=2)
            for note in self.recurrent.watchers:
                note(read.transpose(0, 1), state.cell, None, None)
        return found

    def _native_steps(
        self, x: Tensor, memory: Memory, state: AttentiveState, shared: Tensor | None
    ) -> Attentive:
        """Run all steps in one kernel call, after one product for all inputs."""
        own = self.recurrent.weights_of_call()[0][0]
        attention, I = self.attention, self.input_size
        additive = attention.scoring == "additive"
        weights = attentive.AttentiveWeights(
            own.weight_ih[:, I:],
            own.weight_hh,
            own.bias_hh,
            self.combine.weight,
            self.combine.bias,
            attention.query.weight if additive else None,
            attention.score.weight[0] if additive else None,
            None if attention.covered is None else attention.covered.weight[:, 0],
        )
        hidden, cell = (state.cell, None) if isinstance(state.cell, Tensor) else state.cell
        from_input = F.linear(x, own.weight_ih[:, :I], own.bias_ih)
        inputs = attentive.AttentiveInputs(
            from_input if shared is None else from_input.index_select(0, shared),
            memory.values,
            memory.keys,
            memory.real.sum(1).cpu(),
            hidden[0],
            None if cell is None else cell[0],
            state.feed,
            state.covered,
        )
        found = attentive.run(self.recurrent.equation, inputs, weights, None if self.training else self._kept)
        last = map_state(lambda part: part.unsqueeze(0), attentive.state_of(found))
        return Attentive(found.fed, found.weights, AttentiveState(last, found.fed[:, -1], found.covered))

    def _steps(self, x: Tensor, memory: Memory, state: AttentiveState) -> Attentive:
        """Run the steps in a loop with the cell's equation."""
        equation, weights = self.recurrent.equation, self.recurrent.weights_of_call()[0][0]
        cell = map_state(lambda part: part[0], state.cell)
        feed, covered = state.feed, state.covered
        outputs, attended = [], []
        for t in range(x.shape[1]):
            cell = equation.step(torch.cat([x[:, t], feed], dim=1), cell, weights)
            hidden = hidden_of(cell)
            context, w = self._attend(hidden, memory, covered)
            feed = torch.tanh(self.combine(torch.cat([hidden, context], dim=1)))
            covered = covered + w
            outputs.append(feed)
            attended.append(w)
        after = AttentiveState(map_state(lambda part: part.unsqueeze(0), cell), feed, covered)
        if not outputs:
            return Attentive(x.new_zeros(len(x), 0, self.feed_size), covered.unsqueeze(1)[:, :0], after)
        return Attentive(torch.stack(outputs, dim=1), torch.stack(attended, dim=1), after)

    def _attend(self, hidden: Tensor, memory: Memory, covered: Tensor) -> tuple[Tensor, Tensor]:
        """Return the context and weights of each row.

        Shapes: hidden (R, H); covered, weights (R, S); context (R, V).
        """
        B, S = memory.real.shape
        queries = hidden.view(B, -1, hidden.shape[1])
        seen = covered.view(B, queries.shape[1], S) if self.attention.has_coverage else None
        context, weights = self.attention(queries, memory, seen)
        return context.flatten(0, 1), weights.flatten(0, 1)
