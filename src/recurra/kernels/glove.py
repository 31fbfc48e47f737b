"""Training of GloVe vectors on some strata of a table: natively, or by a loop over entries in numpy."""

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recurra.kernels.extension import extension, unavailable
from recurra.kernels.word_vectors_checks import check_glove


class GloveState(NamedTuple):
    """Vectors, biases and their sums of squares.

    Shapes: vectors and squares (V, D); biases (2, V), of which the second row has the squares.
    """

    input: Tensor
    output: Tensor
    input_squares: Tensor
    output_squares: Tensor
    input_bias: Tensor
    output_bias: Tensor


class GloveEntries(NamedTuple):
    """The entries of a table in blocks; see native/glove.h.

    Shapes: blocks (grid² + 1,); others (entries,).
    """

    blocks: NDArray[np.int64]
    words: NDArray[np.int32]
    contexts: NDArray[np.int32]
    logs: NDArray[np.float32]
    weights: NDArray[np.float32]

    @property
    def grid(self) -> int:
        """The number of blocks on each side."""
        return math.isqrt(len(self.blocks) - 1)

    def of_stratum(self, stratum: int) -> list[slice]:
        """Return the places of the entries of a stratum, block by block."""
        grid = self.grid
        numbers = [row * grid + (row + stratum) % grid for row in range(grid)]
        return [slice(int(self.blocks[n]), int(self.blocks[n + 1])) for n in numbers]


def train_glove(
    state: GloveState,
    entries: GloveEntries,
    stratum: int,
    *,
    rate: float,
    threads: int = 1,
    update: bool = True,
) -> float:
    """Take one step of AdaGrad on each entry of a stratum; return the summed cost before each step.

    The result does not depend on the number of threads. Raises: ShapeError if shapes,
    dtypes or ids do not fit.
    """
    check_glove(state, entries, stratum, threads)
    if unavailable() is not None:
        return _train_reference(state, entries, stratum, rate, update)
    call = extension().GloveCall()
    call.threads, call.update, call.grid = threads, update, entries.grid
    call.first_stratum, call.last_stratum = stratum, stratum + 1
    call.row, call.rate, call.V = state.input.stride(0), rate, len(state.input)
    for name, tensor in state._asdict().items():
        setattr(call, name, tensor.data_ptr())
    for name, array in entries._asdict().items():
        setattr(call, name, array.ctypes.data)
    call.run()
    return float(call.cost)


@torch.no_grad()
def _train_reference(
    state: GloveState, entries: GloveEntries, stratum: int, rate: float, update: bool
) -> float:
    """The readable twin of the kernel, entry by entry."""
    e, theta, squares, other_squares, own, other = (tensor.numpy() for tensor in state)
    cost = 0.0
    for places in entries.of_stratum(stratum):
        each = (array[places].tolist() for array in entries[1:])
        for i, j, log, weight in zip(*each, strict=True):
            error = float(e[i] @ theta[j]) + own[0, i] + other[0, j] - log
            cost += 0.5 * weight * error * error
            if not update:
                continue
            step = np.float32(rate * weight * error)
            of_e, of_theta = step * theta[j], step * e[i]
            e[i] -= of_e / np.sqrt(squares[i])
            theta[j] -= of_theta / np.sqrt(other_squares[j])
            squares[i] += of_e * of_e
            other_squares[j] += of_theta * of_theta
            for biases, at in ((own, i), (other, j)):
                biases[0, at] -= step / np.sqrt(biases[1, at])
                biases[1, at] += step * step
    return cost
