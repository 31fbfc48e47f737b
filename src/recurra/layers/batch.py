"""A batch over time, in the form that all backends share.

    dense   (T, B, I): every row takes every step
    packed  (N, I): only the N real steps, step by step, the rows sorted with the longest first, so that the
            active rows at step t are always the first batch_sizes[t] ones, as in a PackedSequence

Rows of different lengths, and rows that are reset within a batch, are packed once before a stack of layers
and unpacked once after it. Nothing is computed on padding.
"""

from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from recurra.cells import State, map_state

S = TypeVar("S", bound=State)


class TimeBatch(NamedTuple):
    """Rows over time: dense where `batch_sizes` is None, else packed.

    `paused` marks steps of a dense batch at which a row keeps its state: the padding, where a graph is traced
    and the values of lengths are not known yet.

    Shapes: data (T, B, I), or packed (N, I); batch_sizes (T,) int64 on the CPU, in descending order; paused
    (T, B, 1) bool.
    """

    data: Tensor
    batch_sizes: Tensor | None = None
    paused: Tensor | None = None

    def spread(self, of_rows: Tensor) -> Tensor:
        """Repeat the values of each row at each of its steps.

        Shapes: of_rows (B, W); result (1, B, W), or packed (N, W).
        """
        if self.batch_sizes is None:
            return of_rows.unsqueeze(0)
        row_of_step = self.takes_part().nonzero()[:, 1]
        return of_rows.index_select(0, row_of_step.to(of_rows.device))

    @property
    def rows(self) -> int:
        """The number of rows, B."""
        return self.data.shape[1] if self.batch_sizes is None else int(self.batch_sizes[0])

    def takes_part(self) -> Tensor:
        """Return which row of a packed batch takes which step.

        Shapes: (T, B) bool, on the CPU.
        """
        assert self.batch_sizes is not None, "every row of a dense batch takes part"
        return torch.arange(int(self.batch_sizes[0]), device="cpu") < self.batch_sizes.unsqueeze(1)


class Packing(NamedTuple):
    """The index of K pieces of padded rows in one packed batch; a piece is a range of steps of one row.

    Shapes: order (K,), the pieces by descending length; rows (K,), the row of each piece in that order;
    batch_sizes (longest piece,); places (N,), the index of each packed step in (T*B); all int64, on the CPU.
    """

    order: Tensor
    rows: Tensor
    batch_sizes: Tensor
    places: Tensor

    def packed(self, x: Tensor) -> TimeBatch:
        """Return the packed steps of all pieces from padded rows.

        Shapes: x (T, B, I); the result's data (N, I).
        """
        data = x.flatten(0, 1).index_select(0, self.places.to(x.device))
        return TimeBatch(data, self.batch_sizes)

    def padded(self, data: Tensor, T: int, B: int) -> Tensor:
        """Return packed steps at their places in padded rows, with zeros everywhere else.

        Shapes: data (..., N, W); result (..., T, B, W).
        """
        shape = (*data.shape[:-2], T * B, data.shape[-1])
        padded = data.new_zeros(shape).index_copy(-2, self.places.to(data.device), data)
        return padded.view(*data.shape[:-2], T, B, -1)

    def state_of(self, state: S) -> S:
        """Return the state of each piece's row.

        Shapes: state (L*D, B, H); result (L*D, K, H).
        """
        return map_state(lambda part: part.index_select(1, self.rows.to(part.device)), state)


def pack_pieces(rows: Tensor, begins: Tensor, lengths: Tensor, B: int) -> Packing:
    """Return the packing of pieces; piece k has lengths[k] >= 1 steps of row rows[k], starting at begins[k].

    Shapes: rows, begins, lengths (K,) int64 on the CPU, K >= 1.
    """
    order = lengths.argsort(descending=True, stable=True)
    rows, begins, lengths = rows[order], begins[order], lengths[order]
    offsets = torch.arange(int(lengths[0]), device="cpu").unsqueeze(1)
    takes_step = offsets < lengths  # (longest piece, K)
    places = ((begins + offsets) * B + rows)[takes_step]
    return Packing(order, rows, takes_step.sum(dim=1), places)


def pack_rows(lengths: Tensor) -> Packing:
    """Return the packing of whole rows, without the rows of length 0.

    Shapes: lengths (B,) int64 on the CPU, at least one of them >= 1.
    """
    rows = lengths.nonzero().squeeze(1)
    return pack_pieces(rows, torch.zeros_like(rows), lengths[rows], lengths.numel())


def packing_of(batch_sizes: Tensor, sorted_indices: Tensor | None) -> Packing:
    """Return the packing of a PackedSequence.

    Shapes: batch_sizes (T,); sorted_indices (B,), or None if the rows were already sorted.
    """
    B = int(batch_sizes[0])
    order = torch.arange(B, device="cpu")
    rows = order if sorted_indices is None else sorted_indices.cpu()
    takes_step = order < batch_sizes.unsqueeze(1)
    places = (torch.arange(len(batch_sizes), device="cpu").unsqueeze(1) * B + rows)[takes_step]
    return Packing(order, rows, batch_sizes, places)


def with_rows(state: S, rows: Tensor, new: S) -> S:
    """Return the state with some of its rows replaced.

    Shapes: state (L*D, B, H); rows (K,); new (L*D, K, H).
    """

    def replaced(old: Tensor, part: Tensor) -> Tensor:
        return old.to(part.dtype).index_copy(1, rows.to(part.device), part)

    return map_state(replaced, state, new)
