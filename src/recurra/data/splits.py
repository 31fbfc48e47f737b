"""Rows held out: the same for one seed, and of each label as large a share."""

from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np


def stratified_folds(strata: Sequence[Hashable], folds: int, seed: int) -> list[list[int]]:
    """The rows cut into so many folds, each stratum spread over them as evenly as can be.

    Within a fold rows stand in their order. `strata` says of each row which kind it is of.
    """
    shuffled = _by_stratum(strata, seed)
    return [sorted(shuffled[fold::folds]) for fold in range(folds)]


def stratified_split(strata: Sequence[Hashable], share: float, seed: int) -> tuple[list[int], list[int]]:
    """Rows to keep and rows to hold out: about `share` of each stratum, at least one of all, and not all.

    A stratum of few rows is held out by chance, so that the whole share is right to a row.
    """
    shuffled = _by_stratum(strata, seed)
    wanted = min(max(1, round(share * len(shuffled))), len(shuffled) - 1)
    # Evenly spaced over rows that stand stratum by stratum: each gives its share.
    held = {shuffled[int((place + 0.5) * len(shuffled) / wanted)] for place in range(max(0, wanted))}
    return [row for row in range(len(strata)) if row not in held], sorted(held)


def _by_stratum(strata: Sequence[Hashable], seed: int) -> list[int]:
    """All rows, stratum by stratum, in random order within each."""
    kinds: dict[Hashable, list[int]] = defaultdict(list)
    for row, stratum in enumerate(strata):
        kinds[stratum].append(row)
    rng = np.random.default_rng(seed)
    return [int(row) for rows in kinds.values() for row in rng.permutation(rows)]
