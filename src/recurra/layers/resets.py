"""Running a layer over streams in which rows are reset within a batch, for example at the end of a document.

There are two methods with the same result:

- pieces: each row is split at its resets, and all pieces run together as one packed batch; the first piece of
  a row starts from the given state, the others from the initial state. The outputs are then put back in their
  places. This takes one call for any number of resets.
- spans: all rows run together from one reset of any row to the next, and the rows that are reset get the
  initial state in between. Each span is one plain call. It is used for torch's functions with few resets,
  because the time of torch's packed functions on a CPU grows with the square of the length.

In training, masks that are drawn once per row (variational dropout) are drawn once per piece.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from recurra.cells import State, map_state, shape_error
from recurra.errors import ConfigError
from recurra.kernels.torch_fused import STEPS_A_SPAN
from recurra.layers.batch import pack_pieces, with_rows
from recurra.layers.lengths import checked_lengths
from recurra.layers.recurrent import RecurrentLayer
from recurra.layers.stack import Ran


def run_with_resets(
    layer: RecurrentLayer,
    x: Tensor,
    state: Any,
    resets: Tensor,
    lengths: Tensor | Sequence[int] | None = None,
    *,
    every_state: bool = False,
) -> tuple[Any, ...]:
    """Run a layer over x; where `resets` is True, the row's state is reset before that step.

    Outputs and gradients equal those of a loop over single steps that resets rows of the state in between;
    no gradient flows back through a reset. Returns the same values as a call of the layer.
    Shapes: x (T, B, I), or (B, T, I) with batch_first; resets like x without its last axis, bool; state
    (L*D, B, H), a pair of them for the LSTM, or None for the initial state; lengths (B,); output like x, its
    last axis the layer's output_size.
    Raises: ConfigError for a bidirectional layer; ShapeError where shapes do not fit.
    """
    if layer.bidirectional:
        raise ConfigError(
            "run_with_resets: got a bidirectional layer, expected one that runs forwards only; "
            "split the sequences at the resets instead"
        )
    if x.dim() != 3 or resets.shape != x.shape[:2] or resets.dtype != torch.bool:
        got = f"{resets.dtype} of shape {tuple(resets.shape)}"
        wanted = f"torch.bool of shape {tuple(x.shape[:2])}, for an input of three axes"
        raise shape_error("resets", got, wanted, "pass one True or False per step of each row")
    layer.check_input(x)
    steps_first = x.transpose(0, 1) if layer.batch_first else x
    marks = (resets.t() if layer.batch_first else resets).cpu()
    T, B = marks.shape
    steps = checked_lengths(lengths, T, B)
    if steps is not None:
        marks = marks & (
            torch.arange(T, device="cpu").unsqueeze(1) < steps
        )  # a mark in the padding is not a reset
    state = layer.entry_state(state, steps_first, B)
    for note in layer.watchers:
        note(steps_first, state, steps, marks)
    output, final, every = run_marked(layer, steps_first, state, marks, steps, every_state)
    layer.keep_state(final)
    output = output.transpose(0, 1) if layer.batch_first else output
    return (output, final) if every is None else (output, final, every)


def run_marked(
    layer: RecurrentLayer, x: Tensor, state: State, marks: Tensor, steps: Tensor | None, every_state: bool
) -> Ran:
    """Run padded rows from a state; `run_with_resets` calls it after checking and arranging its arguments.

    Shapes: x (T, B, I); state (L*D, B, H); marks (T, B) bool, steps (B,) int64, both on the CPU.
    """
    T, B = marks.shape
    if not marks[1:].any():  # no row is split
        if marks.any():
            state = _begun_anew(layer, state, marks[0])
        return layer.run_rows(x, state, steps, every_state)
    by_torch = layer.backend_for(x, state, every_state) == "torch" and x.device.type == "cpu"
    few = int(marks.any(dim=1).sum()) * STEPS_A_SPAN <= T
    if by_torch and few and steps is None and not (layer.training and layer.draws_once_a_call):
        return _run_spans(layer, x, state, marks, every_state)
    steps = torch.full((B,), T, device="cpu") if steps is None else steps
    return _run_pieces(layer, x, state, marks, steps, every_state)


def _run_spans(layer: RecurrentLayer, x: Tensor, state: State, marks: Tensor, every_state: bool) -> Ran:
    begins = [0, *(int(t) for t in marks.any(dim=1).nonzero() if t > 0)]
    spans = []
    for begin, end in zip(begins, [*begins[1:], x.shape[0]], strict=True):
        if marks[begin].any():
            state = _begun_anew(layer, state, marks[begin])
        spans.append(layer.run_rows(x[begin:end], state, None, every_state))
        state = spans[-1].final
    histories = [span.every for span in spans if span.every is not None]
    every = map_state(lambda *parts: torch.cat(parts, dim=1), *histories) if histories else None
    return Ran(torch.cat([span.output for span in spans]), state, every)


def _run_pieces(
    layer: RecurrentLayer, x: Tensor, state: State, marks: Tensor, steps: Tensor, every_state: bool
) -> Ran:
    T, B = marks.shape
    starts = marks.clone()
    starts[0] = steps > 0
    rows, begins = starts.t().nonzero(as_tuple=True)  # row by row, in time
    last = torch.ones_like(rows, dtype=torch.bool)
    last[:-1] = rows[1:] != rows[:-1]
    lengths = torch.where(last, steps[rows], begins.roll(-1)) - begins
    packing = pack_pieces(rows, begins, lengths, B)
    anew = ((begins > 0) | marks[0, rows])[packing.order]
    start = _begun_anew(layer, packing.state_of(state), anew)
    output, ends, every = layer.run_batch(packing.packed(x), start, every_state)
    last_pieces = packing.order.argsort()[last].to(x.device)
    final = with_rows(state, rows[last], map_state(lambda part: part.index_select(1, last_pieces), ends))
    if every is not None:
        every = map_state(lambda part: packing.padded(part, T, B), every)
    return Ran(packing.padded(output, T, B), final, every)


def _begun_anew(layer: RecurrentLayer, state: State, rows: Tensor) -> State:
    """Return the state with the layer's initial state in some rows."""

    def chosen(part: Tensor, initial: Tensor) -> Tensor:
        return torch.where(rows.to(part.device).unsqueeze(-1), initial.to(part.dtype), part)

    return map_state(chosen, state, layer.initial_state(len(rows)))
