"""The best of many texts that differ in some places: a beam search through a lattice of alternatives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from torch import Tensor

# Maps (inputs (B, T), targets (B, T), state, lengths (B,)) to the losses and the state after the last step.
Read = Callable[[Tensor, Tensor, Any, Tensor], tuple[Tensor, Any]]


@dataclass(frozen=True)
class Alternative:
    """One alternative for a place: its symbols, and a score in nats in addition to the model's log P."""

    ids: tuple[int, ...]
    score: float = 0.0


@dataclass(frozen=True)
class Path:
    """The index of one alternative per place, and the total score: log P plus the alternatives' scores."""

    choices: tuple[int, ...]
    score: float


@torch.no_grad()
def best_paths(
    read: Read,
    select: Callable[[Any, Tensor], Any],
    start_id: int,
    places: Sequence[Sequence[Alternative]],
    *,
    width: int = 8,
    weight: float = 1.0,
    state: Any = None,
) -> list[Path]:
    """Return the best paths through all places, best first, from a beam search of `width`:

        score = Σ_places score(alternative) + weight · log P(all symbols)

    Paths that end in the same symbols are not merged, because a recurrent state depends on the whole path.
    `read` returns losses and states, `select(state, rows)` selects rows of a state, `state` is the state
    before `start_id` is read.

    Shapes: `read` takes ids (B, T), lengths (B,), and returns losses (B, T).
    """
    runs = _runs(places)
    paths = [Path((), 0.0)]
    last = [start_id]
    for alternatives in runs:
        rows = [(parent, choice) for parent in range(len(paths)) for choice in range(len(alternatives))]
        ids = [alternatives[choice].ids for _, choice in rows]
        lengths = torch.tensor([len(one) for one in ids])
        width_of_all = max(1, int(lengths.max()))
        targets = torch.zeros((len(rows), width_of_all), dtype=torch.int64)
        for row, one in enumerate(ids):
            targets[row, : len(one)] = torch.tensor(one, dtype=torch.int64)
        before = torch.tensor([last[parent] for parent, _ in rows])
        inputs = torch.cat([before[:, None], targets[:, :-1]], dim=1)
        parents = torch.tensor([parent for parent, _ in rows])
        entering = None if state is None else select(state, parents)
        losses, after = read(inputs, targets, entering, lengths)
        log_probs = -losses.double().sum(dim=1).cpu()
        scores = [
            paths[parent].score + alternatives[choice].score + weight * float(log_prob)
            for (parent, choice), log_prob in zip(rows, log_probs, strict=True)
        ]
        best = sorted(range(len(rows)), key=lambda row: (-scores[row], row))[:width]
        paths = [Path((*paths[rows[row][0]].choices, rows[row][1]), scores[row]) for row in best]
        last = [ids[row][-1] if ids[row] else last[rows[row][0]] for row in best]
        state = select(after, torch.tensor(best))
    return [Path(_choices(path.choices, places), path.score) for path in paths]


def _runs(places: Sequence[Sequence[Alternative]]) -> list[Sequence[Alternative]]:
    """Return the places, with adjacent places that have one alternative joined, to be read in one call."""
    runs: list[Sequence[Alternative]] = []
    for is_fixed, group in groupby(places, key=lambda ways: len(ways) == 1):
        if is_fixed:
            ways = [only[0] for only in group]
            ids = tuple(id_ for way in ways for id_ in way.ids)
            runs.append([Alternative(ids, sum(way.score for way in ways))])
        else:
            runs += group
    return runs


def _choices(of_runs: Sequence[int], places: Sequence[Sequence[Alternative]]) -> tuple[int, ...]:
    """Return the choices at all places from the choices at the runs."""
    free = iter([choice for choice, run in zip(of_runs, _runs(places), strict=True) if len(run) > 1])
    return tuple(0 if len(ways) == 1 else next(free) for ways in places)
