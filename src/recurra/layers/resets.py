"""A layer over streams in which some rows start anew in mid-batch: at the end of a document, say.

Two ways, with the same result:

- spans: all rows together from one reset to the next, whichever row it is in, rows of the state emptied in
  between. Each span is one plain call, so it pays where resets are few.
- pieces: each row is cut at its own resets, and all pieces run together as one packed batch, the first of
  each row from the state that is carried, the others from zero; then every output goes back to its place.
  One call however many resets, but torch's packed functions on a CPU slow down with the square of the length.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from recurra.cells import State, map_state, shape_error
from recurra.errors import ConfigError
from recurra.layers.lengths import checked_lengths
from recurra.layers.recurrent import RecurrentLayer
from recurra.layers.stack import STEPS_A_SPAN


class Pieces(NamedTuple):
    """Where the pieces of a batch of rows lie; the N pieces are sorted, the longest first.

    Shapes: rows (N,), the row of each piece; carried (N,), whether it starts from the carried state;
    batch_sizes (longest piece,), how many pieces take each step; places (all real steps,), each step's place
    in (T*B) in packed order; last_rows and last_pieces, for each row that has steps its last piece.
    """

    rows: Tensor
    carried: Tensor
    batch_sizes: Tensor
    places: Tensor
    last_rows: Tensor
    last_pieces: Tensor


def run_with_resets(
    layer: RecurrentLayer,
    x: Tensor,
    state: Any,
    resets: Tensor,
    lengths: Tensor | Sequence[int] | None = None,
) -> tuple[Tensor, State]:
    """Run a layer over x; where `resets` is True the row's state is set to zero before that step.

    Equal to a loop that takes single steps and empties rows of the state in between, gradients included:
    none flows back through a reset.
    Shapes: x (T, B, I), or (B, T, I) with batch_first; resets like x without its last axis, bool; state
    (L*D, B, H), a pair of them for the LSTM, or None for zeros; lengths (B,); output like x, its last axis H.
    Raises: ConfigError for a bidirectional layer; ShapeError where shapes do not fit.
    """
    if layer.bidirectional:
        raise ConfigError(
            "run_with_resets: got a bidirectional layer, expected one that runs forwards only; "
            "cut the sequences where they are read instead"
        )
    if x.dim() != 3 or resets.shape != x.shape[:2] or resets.dtype != torch.bool:
        got = f"{resets.dtype} of shape {tuple(resets.shape)}"
        wanted = f"torch.bool of shape {tuple(x.shape[:2])}, for an input of three axes"
        raise shape_error("resets", got, wanted, "give one True or False for each step of each row")
    steps_first = x.transpose(0, 1) if layer.batch_first else x
    marks = (resets.t() if layer.batch_first else resets).cpu()
    T, B = marks.shape
    steps = checked_lengths(lengths, T, B)
    if steps is None:
        steps = torch.full((B,), T)
    marks = marks & (torch.arange(T).unsqueeze(1) < steps)  # what stands in the padding is no reset
    if not marks.any():
        return layer(x, state, lengths)  # type: ignore[no-any-return]
    state = layer.entry_state(state, x, B)
    if not marks[1:].any():  # the first step is the only one: no row need be cut
        return layer(x, _emptied(state, ~marks[0]), lengths)  # type: ignore[no-any-return]
    if lengths is None and int(marks.any(dim=1).sum()) * STEPS_A_SPAN <= T:
        return _run_spans(layer, x, state, marks)
    output, final = _run_pieces(layer, steps_first, state, _cut(marks, steps))
    return output.transpose(0, 1) if layer.batch_first else output, final


def _run_spans(layer: RecurrentLayer, x: Tensor, state: State, marks: Tensor) -> tuple[Tensor, State]:
    time = 1 if layer.batch_first else 0
    begins = [0, *(int(t) for t in marks.any(dim=1).nonzero() if t > 0)]
    outputs = []
    for begin, end in zip(begins, [*begins[1:], x.shape[time]], strict=True):
        if marks[begin].any():
            state = _emptied(state, ~marks[begin])
        output, state = layer(x.narrow(time, begin, end - begin), state)
        outputs.append(output)
    return torch.cat(outputs, dim=time), state


def _cut(marks: Tensor, lengths: Tensor) -> Pieces:
    B = marks.shape[1]
    starts = marks.clone()
    starts[0] = lengths > 0
    rows, begins = starts.t().nonzero(as_tuple=True)  # row by row, in time
    last = torch.ones_like(rows, dtype=torch.bool)
    last[:-1] = rows[1:] != rows[:-1]
    ends = torch.where(last, lengths[rows], begins.roll(-1))
    order = (ends - begins).argsort(descending=True, stable=True)
    spans = (ends - begins)[order]
    offsets = torch.arange(int(spans[0])).unsqueeze(1)
    takes_step = offsets < spans  # (longest piece, N)
    return Pieces(
        rows=rows[order],
        carried=((begins == 0) & ~marks[0, rows])[order],
        batch_sizes=takes_step.sum(dim=1),
        places=((begins[order] + offsets) * B + rows[order])[takes_step],
        last_rows=rows[last],
        last_pieces=order.argsort()[last],
    )


def _run_pieces(layer: RecurrentLayer, x: Tensor, state: State, pieces: Pieces) -> tuple[Tensor, State]:
    T, B, _ = x.shape
    rows, places, last_rows, last_pieces = (
        index.to(x.device) for index in (pieces.rows, pieces.places, pieces.last_rows, pieces.last_pieces)
    )
    packed = PackedSequence(x.reshape(T * B, -1).index_select(0, places), pieces.batch_sizes)
    starts = _emptied(map_state(lambda part: part.index_select(1, rows), state), pieces.carried)
    (data, *_), ends = layer(packed, starts)
    output = data.new_zeros(T * B, data.shape[-1]).index_copy(0, places, data).view(T, B, -1)
    final = map_state(
        lambda old, new: old.to(new.dtype).index_copy(1, last_rows, new.index_select(1, last_pieces)),
        state,
        ends,
    )
    return output, final


def _emptied(state: State, kept: Tensor) -> State:
    """The state with zeros in every row that is not kept."""
    return map_state(lambda part: torch.where(kept.to(part.device).unsqueeze(-1), part, 0.0), state)
