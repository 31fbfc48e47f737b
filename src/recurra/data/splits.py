"""Stratified splits and folds of rows, reproducible from a seed."""

from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np


def stratified_folds(strata: Sequence[Hashable], folds: int, seed: int) -> list[list[int]]:
    """Split the rows into folds, and spread each stratum over them as evenly as possible.

    Rows keep their order within a fold. `strata` holds the stratum of each row.
    """
    shuffled = _by_stratum(strata, seed)
    return [sorted(shuffled[fold::folds]) for fold in range(folds)]


def stratified_split(strata: Sequence[Hashable], share: float, seed: int) -> tuple[list[int], list[int]]:
    """Return the rows to keep and the rows to hold out: about `share` of each stratum.

    At least one row is held out and at least one is kept; a single row is kept. Rows of a small stratum are
    held out at random, so that the total number held out is `share` of all rows, rounded.
    """
    shuffled = _by_stratum(strata, seed)
    wanted = min(max(1, round(share * len(shuffled))), len(shuffled) - 1)
    # The rows are ordered by stratum, so evenly spaced ones take the same share of each.
    held = {shuffled[int((place + 0.5) * len(shuffled) / wanted)] for place in range(max(0, wanted))}
    return [row for row in range(len(strata)) if row not in held], sorted(held)


def _by_stratum(strata: Sequence[Hashable], seed: int) -> list[int]:
    """Return all rows ordered by stratum, in random order within each."""
    kinds: dict[Hashable, list[int]] = defaultdict(list)
    for row, stratum in enumerate(strata):
        kinds[stratum].append(row)
    rng = np.random.default_rng(seed)
    return [int(row) for rows in kinds.values() for row in rng.permutation(rows)]
