"""A corpus as B parallel streams, read in segments for truncated backpropagation through time."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from recurra.errors import DataError

AtDocument = Literal["carry", "cut", "reset"]


@dataclass(frozen=True)
class Segment:
    """One segment of every stream: `targets` are predicted from `inputs`.

    Shapes: inputs, targets (B, T) int64; lengths (B,) int64, or None where all are T; resets (B, T)
    bool, True where the state is set to zero before that step, or None where nowhere.
    `count` is the number of targets, without padding, over the streams of all processes.
    """

    inputs: Tensor
    targets: Tensor
    lengths: Tensor | None
    resets: Tensor | None
    count: int

    def to(self, device: torch.device) -> "Segment":
        """Return the segment on another device; lengths are not moved."""
        resets = None if self.resets is None else self.resets.to(device)
        return Segment(self.inputs.to(device), self.targets.to(device), self.lengths, resets, self.count)


def join_segments(segments: Sequence[Segment]) -> tuple[Segment, int]:
    """Join consecutive segments; return the joined one and the number of its steps before the last segment.

    All segments but the last must be full. `count` is that of the last one, because only its targets are new.
    """
    last = segments[-1]
    context = sum(segment.inputs.shape[1] for segment in segments[:-1])
    marked = any(segment.resets is not None for segment in segments)
    resets = [
        torch.zeros_like(segment.inputs, dtype=torch.bool) if segment.resets is None else segment.resets
        for segment in segments
    ]
    joined = Segment(
        inputs=torch.cat([segment.inputs for segment in segments], dim=1),
        targets=torch.cat([segment.targets for segment in segments], dim=1),
        lengths=None if last.lengths is None else last.lengths + context,
        resets=torch.cat(resets, dim=1) if marked else None,
        count=last.count,
    )
    return joined, context


class TokenStreams:
    """B parallel streams over N tokens, in segments of at most `segment_length` steps.

    Stream b reads tokens b·P … (b+1)·P - 1, P = ceil(N / B). Every token is a target once per epoch; its
    input is the token before it (`start_id` for the first). At the start of a document the state is carried
    over (`carry`), the state is set to zero (`reset`), or a new segment begins so that no gradient crosses
    (`cut`; the state is carried over, and the segments of the streams differ in length).

    With `shift_seed` the first segment of each epoch has a random length, so that the gradient is not
    truncated at the same places in every epoch.

    `rows` selects the streams of this process out of all B. Segments are accessed by index, so that a run
    can resume within an epoch.

    Raises: DataError if there are fewer tokens than one segment.
    """

    def __init__(
        self,
        ids: npt.NDArray[np.unsignedinteger],
        *,
        start_id: int,
        batch_size: int,
        segment_length: int,
        document_starts: npt.NDArray[np.int64] | None = None,
        at_document: AtDocument = "carry",
        rows: slice | None = None,
        shift_seed: int | None = None,
        name: str = "the text",
    ) -> None:
        if len(ids) < segment_length:
            raise DataError(
                f"{name}: has {len(ids)} training symbols, fewer than one segment (segment_length "
                f"{segment_length}); provide more text or reduce segment_length."
            )
        self.ids = ids
        self.start_id = start_id
        self.segment_length = segment_length
        per_stream = -(-len(ids) // batch_size)
        edges = np.minimum(np.arange(batch_size + 1, dtype=np.int64) * per_stream, len(ids))
        self._low, self._high = edges[:-1], edges[1:]
        self.rows = range(batch_size)[rows or slice(None)]
        starts = document_starts if document_starts is not None and at_document != "carry" else None
        self._document_starts = starts if at_document == "reset" else None
        self._edges = None if starts is None or at_document != "cut" else self._cut(starts)
        longest = per_stream if self._edges is None else 0
        self._segments = (
            -(-longest // segment_length) if self._edges is None else max(len(e) - 1 for e in self._edges)
        )
        self._shift_seed = shift_seed if self._edges is None else None
        # Lengths of the first segment that give a constant number of segments: the wider of two ranges.
        self._firsts = (segment_length, segment_length)
        if self._shift_seed is not None:
            rest = per_stream - (self._segments - 1) * segment_length
            if rest > segment_length // 2 + 1:
                self._segments += 1
                self._firsts = (1, rest - 1)
            else:
                self._firsts = (rest, segment_length)

    def __repr__(self) -> str:
        size = f"{len(self.ids):,} symbols, {len(self.rows)} streams"
        return f"TokenStreams({size}, segments of {self.segment_length})"

    def __len__(self) -> int:
        """Number of segments per epoch."""
        return self._segments

    @property
    def tokens(self) -> int:
        """N, the number of targets per epoch over all processes."""
        return len(self.ids)

    def _cut(self, starts: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
        """Return, for each stream, the starts of its segments and the end of the last one."""
        edges = []
        for low, high in zip(self._low, self._high, strict=True):
            inner = starts[np.searchsorted(starts, low, "right") : np.searchsorted(starts, high)]
            fixed = np.concatenate([[low], inner, [high]])
            pieces = [np.arange(a, b, self.segment_length) for a, b in pairwise(fixed)]
            edges.append(np.append(np.concatenate(pieces), high) if high > low else np.array([low]))
        return edges

    def _first_length(self, epoch: int) -> int:
        """Return the length of the first segment of an epoch."""
        low, high = self._firsts
        if self._shift_seed is None or low == high:
            return high
        return int(np.random.default_rng([self._shift_seed, epoch]).integers(low, high + 1))

    def _span(self, row: int, index: int, first_length: int) -> tuple[int, int]:
        """Return the range of tokens that segment `index` of stream `row` predicts."""
        if self._edges is not None:
            edges = self._edges[row]
            if index + 1 >= len(edges):
                return int(edges[-1]), int(edges[-1])
            return int(edges[index]), int(edges[index + 1])
        low, high = int(self._low[row]), int(self._high[row])
        end = low + first_length + index * self.segment_length
        begin = end - self.segment_length if index else low
        return min(begin, high), min(end, high)

    @property
    def batch_rows(self) -> int:
        """Number of streams of this process."""
        return len(self.rows)

    def window(self, first: int, last: int, epoch: int = 0) -> tuple[Segment, int]:
        """Return segments `first` … `last` of an epoch joined, and the number of steps before the last."""
        if first == last:
            return self.segment(last, epoch), 0
        return join_segments([self.segment(index, epoch) for index in range(first, last + 1)])

    def segment(self, index: int, epoch: int = 0) -> Segment:
        """Return segment `index` (0 … len - 1) of an epoch; `epoch` matters only with `shift_seed`."""
        first_length = self._first_length(epoch)
        every = [self._span(row, index, first_length) for row in range(len(self._low))]
        spans = every[self.rows.start : self.rows.stop]
        lengths = np.array([stop - start for start, stop in spans], dtype=np.int64)
        width = int(max(stop - start for start, stop in every))
        inputs = np.full((len(spans), width), self.start_id, dtype=np.int64)
        targets = np.zeros((len(spans), width), dtype=np.int64)
        resets = np.zeros((len(spans), width), dtype=bool)
        for row, (start, stop) in enumerate(spans):
            if start == stop:
                continue
            targets[row, : stop - start] = self.ids[start:stop]
            first = 1 if start == 0 else 0
            inputs[row, first : stop - start] = self.ids[start - 1 + first : stop - 1]
            if self._document_starts is not None:
                low, high = np.searchsorted(self._document_starts, [start, stop])
                resets[row, self._document_starts[low:high] - start] = True
        return Segment(
            inputs=torch.from_numpy(inputs),
            targets=torch.from_numpy(targets),
            lengths=None if (lengths == width).all() else torch.from_numpy(lengths),
            resets=torch.from_numpy(resets) if resets.any() else None,
            count=sum(stop - start for start, stop in every),
        )
