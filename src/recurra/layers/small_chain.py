"""A chain of few labels and rows in numpy, whose operations cost less than torch's: one sentence, say."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recurra.layers.chain import Scores, way_back

_LEAST = 1e-290
_MOST = 8192  # products of a step: beyond, what is done costs more than that it is asked for


class Decoded(NamedTuple):
    """The best labels, their scores, the labels' marginal probabilities and log Σ e^s over all sequences.

    Shapes: labels (B, T); value, log_partition (B,); marginals (B, T, K).
    """

    labels: Tensor
    value: Tensor
    marginals: Tensor
    log_partition: Tensor


def decode_small(scores: Scores) -> Decoded | None:
    """All of it for rows of one length; None where rows or scores are not such that it can be done here.

    a_t = (a_{t-1} W) ∘ E_t and b_t = (b_{t+1} ∘ E_{t+1}) Wᵀ, each scaled to a sum of one, so that
    P(y_t = k) is in proportion to a_t[k] b_t[k]; W = e^A, E_t = e^{e_t}.
    """
    B, T, K = scores.emissions.shape
    if not scores.emissions.is_cpu or T == 0 or B * K * K > _MOST or int(scores.steps.min()) < T:
        return None
    if not scores.are_near():
        return None
    emissions, transitions, first, last = (part.numpy() for part in scores[:4])
    tops = [float(part.max()) for part in (first, transitions, last)]
    if not np.isfinite(tops).all():
        return None
    highest = emissions.max(axis=2, keepdims=True)
    factors = np.exp(emissions - highest)
    begin, weights, end = (np.exp(p - top) for p, top in zip((first, transitions, last), tops, strict=True))
    forwards, backwards = np.empty_like(factors), np.empty_like(factors)
    scales = np.empty((T, B))
    vector = begin * factors[:, 0]
    for t in range(T):
        if t:
            vector = vector @ weights * factors[:, t]
        scales[t] = vector.sum(axis=1)
        vector /= scales[t, :, None]
        forwards[:, t] = vector
    final = vector @ end
    vector = np.broadcast_to(end, (B, K))
    backwards[:, T - 1] = vector
    for t in reversed(range(T - 1)):
        vector = (vector * factors[:, t + 1]) @ weights.T
        vector /= vector.sum(axis=1, keepdims=True)
        backwards[:, t] = vector
    together = forwards * backwards
    sums = together.sum(axis=2, keepdims=True)
    if not (sums.min() > _LEAST and final.min() > _LEAST):  # what could go on was lost beside what could not
        return None
    total = np.log(scales).sum(axis=0) + highest.sum(axis=(1, 2)) + np.log(final)
    total += tops[0] + (T - 1) * tops[1] + tops[2]
    labels, value = _best(emissions, transitions, first, last)
    return Decoded(labels, value, torch.from_numpy(together / sums), torch.from_numpy(total))


def _best(
    emissions: NDArray[np.float64],
    transitions: NDArray[np.float64],
    first: NDArray[np.float64],
    last: NDArray[np.float64],
) -> tuple[Tensor, Tensor]:
    """Viterbi. Shapes: emissions (B, T, K); result (B, T) and (B,)."""
    into = np.ascontiguousarray(transitions.T)
    kept = np.empty_like(emissions)
    kept[:, 0] = first + emissions[:, 0]
    for t in range(1, emissions.shape[1]):
        kept[:, t] = (kept[:, t - 1, None] + into).max(axis=2) + emissions[:, t]
    ended = kept[:, -1] + last
    at = ended.argmax(axis=1)
    labels = way_back(kept, into, at, np.ones(emissions.shape[:2], dtype=bool))
    return torch.from_numpy(labels), torch.from_numpy(ended.max(axis=1))
