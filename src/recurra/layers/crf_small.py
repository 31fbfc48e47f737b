"""Decoding a CRF for few labels and rows, such as one sentence, in numpy: it has less overhead than torch."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recurra.layers.crf_recursion import SCALED, Scores

_Array = NDArray[np.float64]
_LEAST = 1e-290
_MOST = 8192  # products per step; above that the arithmetic costs more than the overhead of torch


class Decoded(NamedTuple):
    """The best labels, their scores, the marginal probabilities and log Σ e^s over all sequences.

    Shapes: labels (B, T); value, log_partition (B,); marginals (B, T, K).
    """

    labels: Tensor
    value: Tensor
    marginals: Tensor
    log_partition: Tensor


def decode_small(scores: Scores) -> Decoded | None:
    """Decode rows of equal length; return None if the rows or scores are not suitable.

    a_t = (a_{t-1} W) ∘ E_t and, backwards, u_t = (u_{t+1} Wᵀ) ∘ E_t are computed together, scaled to a sum of
    one every SCALED steps; P(y_t = k) is proportional to a_t[k] u_t[k] / E_t[k]. W = e^A, E_t = e^{e_t}.
    """
    B, T, K = scores.emissions.shape
    if not scores.emissions.is_cpu or T == 0 or B * K * K > _MOST or int(scores.steps.min()) < T:
        return None
    if not scores.are_near():
        return None
    emissions, transitions, first, last = (part.numpy() for part in scores[:4])
    ends = np.stack([first, last])
    tops = ends.max(axis=1)
    top = transitions.max()
    if not (np.isfinite(tops).all() and np.isfinite(top)):
        return None
    steps_first = np.ascontiguousarray(emissions.transpose(1, 0, 2))
    highest = steps_first.max(axis=2, keepdims=True)
    factors = np.exp(steps_first - highest)
    both = np.stack([factors, factors[::-1]], axis=1)
    weights = np.exp(np.stack([transitions, transitions.T]) - top)
    vectors, scales = np.empty_like(both), []
    vector = np.exp(ends - tops[:, None])[:, None] * both[0]
    for t in range(T):
        if t:
            vector = np.matmul(vector, weights)
            vector *= both[t]
        if t % SCALED == 0:
            scales.append(np.add.reduce(vector, 2, keepdims=True))
            vector /= scales[-1]
        vectors[t] = vector
    together = vectors[:, 0] * vectors[::-1, 1] / factors
    sums = np.add.reduce(together, 2, keepdims=True)
    final = vector[0] @ np.exp(last - tops[1])
    if not (sums.min() > _LEAST and final.min() > _LEAST):  # underflow: the allowed paths were lost
        return None
    total = np.log(np.stack(scales)[:, 0, :, 0]).sum(axis=0) + highest.sum(axis=(0, 2)) + np.log(final)
    total += tops.sum() + (T - 1) * top
    labels, value = _best(steps_first, transitions, first, last)
    marginals = (together / sums).transpose(1, 0, 2)
    return Decoded(labels, value, torch.from_numpy(marginals), torch.from_numpy(total))


def _best(emissions: _Array, transitions: _Array, first: _Array, last: _Array) -> tuple[Tensor, Tensor]:
    """Viterbi; the previous labels are computed when backtracking. Shapes: emissions (T, B, K)."""
    into = np.ascontiguousarray(transitions.T)
    T, B, _ = emissions.shape
    kept = np.empty_like(emissions)
    best = first + emissions[0]
    for t in range(1, T):
        kept[t - 1] = best
        best = np.maximum.reduce(best[:, None] + into, 2)
        best += emissions[t]
    best = best + last
    at = best.argmax(1)
    labels = np.empty((B, T), dtype=np.int64)
    labels[:, -1] = at
    for t in range(T - 2, -1, -1):
        at = (kept[t] + into[at]).argmax(1)
        labels[:, t] = at
    return torch.from_numpy(labels), torch.from_numpy(best.max(1))
