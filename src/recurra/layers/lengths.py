"""The check of `lengths`, the number of steps of each row of a batch."""

from collections.abc import Sequence

import torch
from torch import Tensor

from recurra.cells import shape_error


def checked_lengths(lengths: Tensor | Sequence[int] | None, T: int, B: int) -> Tensor | None:
    """Return lengths as int64 on the CPU, or None if every row has T steps; in a traced graph unchecked.

    Shapes: lengths (B,), whole numbers in 0..T.
    Raises: ShapeError for a wrong number of rows, for fractions, and for lengths below 0 or above T.
    """
    if lengths is None:
        return None
    try:
        given = torch.as_tensor(lengths, device="cpu")
    except (TypeError, ValueError, RuntimeError) as error:
        remedy = "pass a list of whole numbers or an int64 tensor"
        raise shape_error("lengths", repr(lengths), "one whole number per row", remedy) from error
    if given.shape != (B,):
        remedy = "pass one length per row of the batch"
        raise shape_error("lengths", f"shape {tuple(given.shape)}", f"({B},)", remedy)
    if B == 0:
        return None
    if given.is_floating_point() or given.is_complex() or given.dtype == torch.bool:
        remedy = "convert them with .long()"
        raise shape_error("lengths", given.dtype, "whole numbers (torch.int64)", remedy)
    given = given.to(torch.int64)
    if torch.compiler.is_compiling():
        return given  # a graph has no values yet
    shortest, longest = int(given.min()), int(given.max())
    if shortest < 0 or longest > T:
        remedy = "a row has at least 0 steps and at most as many as the input"
        wrong = f"{shortest if shortest < 0 else longest} among them"
        raise shape_error("lengths", wrong, f"each in 0..{T}", remedy)
    return None if shortest == T else given
