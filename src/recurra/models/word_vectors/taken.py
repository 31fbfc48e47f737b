"""Word vectors taken from other networks: rows of a table, or mean states over the occurrences of words."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from recurra.errors import ConfigError
from recurra.models.word_vectors.keyed import KeyedVectors

KINDS = ("input", "output", "contextual")
"""Vectors that words are read as, rows of the output layer, and mean states in context."""


class MeanStates:
    """The mean of the states at the occurrences of each symbol, summed in float64.

    Shapes: states (B, T, F); ids (B, T); real (B, T) bool.
    """

    def __init__(self, symbols: int) -> None:
        self._symbols, self._sums = symbols, torch.zeros(0)
        self.counts = torch.zeros(symbols, dtype=torch.int64)

    def add(self, ids: Tensor, states: Tensor, real: Tensor | None = None) -> None:
        """Add the states of a batch."""
        chosen = torch.ones_like(ids, dtype=torch.bool) if real is None else real
        rows, values = ids[chosen].cpu(), states[chosen].detach().double().cpu()
        if not len(self._sums):
            self._sums = torch.zeros(self._symbols, states.shape[-1], dtype=torch.float64)
        self._sums.index_add_(0, rows, values)
        self.counts += torch.bincount(rows, minlength=self._symbols)

    def table(self) -> Tensor:
        """Return the means, zero for a symbol that did not occur. Shapes: result (V, F)."""
        if not len(self._sums):
            return torch.zeros(self._symbols, 0)
        return (self._sums / self.counts.clamp(min=1).unsqueeze(1)).float()


def taken_vectors(
    symbols: Sequence[str],
    table: Tensor,
    *,
    without: Iterable[str] = (),
    counts: Tensor | None = None,
    min_count: int = 1,
) -> KeyedVectors:
    """Return the rows of a table as the vectors of its symbols, without special symbols.

    With `counts`, symbols that occurred less than `min_count` times are left out, and the counts are kept.

    Raises: ConfigError if no word is left. Shapes: table (V, D); counts (V,).
    """
    special = set(without)
    rows = [
        row
        for row, symbol in enumerate(symbols)
        if symbol not in special and (counts is None or int(counts[row]) >= min_count)
    ]
    if not rows and min_count == 1:
        raise ConfigError("data: has no word of the model's vocabulary; name another file.")
    if not rows:
        raise ConfigError(f"min_count: no word occurs {min_count} times or more; give a smaller number.")
    found = KeyedVectors([symbols[row] for row in rows], table[rows].detach().float().cpu().numpy())
    if counts is not None:
        found.expandos["count"] = counts[rows].numpy()
    return found
