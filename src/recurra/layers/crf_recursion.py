"""The recursions of a conditional random field: the sum over all label sequences, and the best sequences.

Both take T products of a vector with a K x K matrix. The gradient of the sum is the labels' marginal
probabilities, so its recursions run without autograd, and the gradient of the transitions over all steps is
one matrix product at the end. Everything is in double precision; a score of minus infinity excludes a label.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

NEVER = -math.inf
# Exponentials of scores that differ by up to this many nats keep double precision over a few steps.
_NEAR = 80.0
# Steps between scalings: values between e^-(4 * 80) and e^(4 * 80) are within double precision's range.
SCALED = 4


class Scores(NamedTuple):
    """The scores of a chain: emissions, transitions, first and last labels; and the steps of each row.

    Shapes: emissions (B, T, K), zero in the padding; transitions (K, K), [before, after]; first, last (K,);
    steps (B,).
    """

    emissions: Tensor
    transitions: Tensor
    first: Tensor
    last: Tensor
    steps: Tensor

    def real(self) -> Tensor:
        """Return which steps are not padding. Shapes: (B, T) bool."""
        return torch.arange(self.emissions.shape[1], device=self.steps.device) < self.steps.unsqueeze(1)

    def are_near(self) -> bool:
        """Return whether the scores are close enough for exponentials in double precision."""
        if not self.emissions.numel():
            return True
        terms = torch.cat([self.transitions.flatten(), self.first, self.last])
        least, most = self.emissions.aminmax()
        lowest, highest = terms.masked_fill(terms.isinf(), 0.0).aminmax()
        return bool(most - least + highest - lowest < _NEAR)


class Chain(NamedTuple):
    """The log-sums over all label sequences up to each step (α) and after it (β).

    α_t[k] = log Σ over y_1..y_t with y_t = k;   β_t[k] = log Σ over y_{t+1}..y_T after y_t = k

    Shapes: scores as `Scores`; alpha, beta (B, T, K); log_partition (B,).
    """

    scores: Scores
    alpha: Tensor
    beta: Tensor
    log_partition: Tensor

    @classmethod
    def of(cls, scores: Scores) -> "Chain":
        """Run both recursions."""
        B, T, _ = scores.emissions.shape
        total = scores.emissions.new_zeros(B)
        if T == 0:
            return cls(scores, scores.emissions, scores.emissions, total)
        near = scores.are_near()
        alpha, beta = (_sums_by_exponentials if near else _sums_by_logarithms)(scores)
        if near and not _agree(alpha, beta, scores):
            alpha, beta = _sums_by_logarithms(scores)
        of_rows = (alpha[:, 0] + beta[:, 0]).logsumexp(1)
        return cls(scores, alpha, beta, torch.where(scores.steps > 0, of_rows, total))

    def marginals(self) -> Tensor:
        """Return P(y_t = k), zero in the padding. Shapes: (B, T, K)."""
        log_probs = self.alpha + self.beta - self.log_partition.view(-1, 1, 1)
        return log_probs.exp().masked_fill(~self.scores.real().unsqueeze(2), 0.0)

    def pairs(self, of_rows: Tensor) -> Tensor:
        """Return Σ over steps and rows of P(y_{t-1} = i, y_t = j), each row weighted by `of_rows`.

        Shapes: of_rows (B,); result (K, K).
        """
        transitions = self.scores.transitions
        real = self.scores.real()[:, 1:].unsqueeze(2)
        ends = self.scores.emissions[:, 1:] + self.beta[:, 1:] - self.log_partition.view(-1, 1, 1)
        begins = self.alpha[:, :-1]
        weights = of_rows.view(-1, 1, 1) * real
        # Values in the padding may overflow in exp, or be NaN.
        begins, ends = begins.masked_fill(~real, 0.0), ends.masked_fill(~real, NEVER)
        if self.scores.are_near():
            # exp(α_{t-1}[i] - m) · exp(A[i, j] - a) · exp(e_t[j] + β_t[j] - log Z + m + a), m the largest of
            # α_{t-1}, a that of A
            largest, highest = begins.amax(2, keepdim=True), _offset(transitions)
            left, right = (begins - largest).exp(), (ends + largest + highest).exp() * weights
            found = (transitions - highest).exp() * (left.flatten(0, 1).T @ right.flatten(0, 1))
            if found.isfinite().all():
                return found
        shares = zip(begins.flatten(0, 1), ends.flatten(0, 1), weights.flatten(), strict=True)
        together = ((b.unsqueeze(1) + transitions + e).exp() * w for b, e, w in shares)
        return sum(together, torch.zeros_like(transitions))


def _agree(alpha: Tensor, beta: Tensor, scores: Scores) -> bool:
    """Return whether the sum over all sequences is the same at each step, so that no part was lost."""
    at_steps = (alpha + beta).logsumexp(2)
    first = at_steps[:, :1]
    near = (at_steps - first).abs() <= 1e-6 * (1.0 + first.abs())
    return bool((near | ~scores.real()).all())


def _offset(scores: Tensor) -> Tensor:
    """Return the largest score, to subtract before exp; 0 if all are minus infinity."""
    return scores.amax().nan_to_num(neginf=0.0)


def _sums_by_logarithms(scores: Scores) -> tuple[Tensor, Tensor]:
    """Return α and β for any scores."""
    emissions, transitions, first, last, steps = scores
    alpha, beta = torch.empty_like(emissions), torch.empty_like(emissions)
    before, after = emissions.new_zeros(len(steps), len(first)), last.expand(len(steps), -1)
    T = emissions.shape[1]
    for t in range(T):
        reached = (before.unsqueeze(2) + transitions).logsumexp(1) if t else first
        before = alpha[:, t] = emissions[:, t] + reached
    for t in reversed(range(T)):
        if t + 1 < T:
            onward = ((emissions[:, t + 1] + after).unsqueeze(1) + transitions).logsumexp(2)
            after = torch.where((t + 1 < steps).unsqueeze(1), onward, last)
        beta[:, t] = after
    return alpha, beta


def _sums_by_exponentials(scores: Scores) -> tuple[Tensor, Tensor]:
    """Return α and β for close scores: one loop of matrix products computes both, β on the reversed rows.

        a_t = (a_{t-1} W) ∘ E_t;   u_t = (u_{t+1} Wᵀ) ∘ E_t;   W = e^A, E_t = e^{e_t}, e^{β_t} = u_t / E_t

    Every SCALED steps the vectors are scaled to a sum of one. The logarithms of the vectors and of the scales
    are added at the end, for all steps at once.
    """
    emissions, transitions, first, last, steps = scores
    B, T, K = emissions.shape
    highest = emissions.amax(2, keepdim=True)
    near = emissions - highest
    turned = (steps.unsqueeze(1) - 1 - torch.arange(T, device=steps.device)).clamp(min=0)
    of_rows = turned.unsqueeze(2)
    both = torch.stack([near, near.gather(1, of_rows.expand(B, T, K))])
    factors = both.exp_().permute(2, 0, 1, 3).contiguous()
    top = _offset(transitions)
    weights = (torch.stack([transitions, transitions.T]) - top).exp_()
    offsets = torch.stack([first, last]).amax(1).nan_to_num(neginf=0.0).view(2, 1, 1)

    vectors, scales = torch.empty_like(factors), factors.new_ones(T, 2, B, 1)
    torch.mul((torch.stack([first, last]).unsqueeze(1) - offsets).exp_(), factors[0], out=vectors[0])
    before = vectors[0]
    for t, (vector, factor) in enumerate(zip(vectors, factors, strict=True)):
        if t:
            torch.bmm(before, weights, out=vector).mul_(factor)
        if t % SCALED == 0:
            torch.sum(vector, 2, keepdim=True, out=scales[t])
            vector.div_(scales[t])
        before = vector

    logs = vectors.log().permute(1, 2, 0, 3)
    of_steps = torch.stack([highest, highest.gather(1, of_rows)])
    left_out = (scales.log().permute(1, 2, 0, 3) + of_steps).cumsum(2)
    left_out += top * torch.arange(T, device=steps.device).unsqueeze(1)
    alpha, onward = logs + left_out + offsets.unsqueeze(3)
    return alpha, onward.gather(1, of_rows.expand(B, T, K)) - emissions


class LogPartition(torch.autograd.Function):
    """log Σ_y exp s(y) of each row; its gradients are the marginal probabilities."""

    @staticmethod
    def forward(
        ctx: Any, emissions: Tensor, transitions: Tensor, first: Tensor, last: Tensor, steps: Tensor
    ) -> Tensor:
        """Run both recursions. Shapes: as `Scores`; result (B,)."""
        chain = Chain.of(Scores(emissions, transitions, first, last, steps))
        ctx.save_for_backward(*chain.scores, *chain[1:])
        return chain.log_partition

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Return the marginals times the row's gradient. Shapes: grad (B,)."""
        scores, rest = Scores(*ctx.saved_tensors[:5]), ctx.saved_tensors[5:]
        chain = Chain(scores, *rest)
        demissions = chain.marginals() * grad.view(-1, 1, 1)
        B, T, K = demissions.shape
        dtransitions = chain.pairs(grad)
        if T == 0:
            return demissions, dtransitions, demissions.new_zeros(K), demissions.new_zeros(K), None
        ends = (scores.steps - 1).clamp(min=0)
        at_ends = demissions[torch.arange(B, device=ends.device), ends]
        return demissions, dtransitions, demissions[:, 0].sum(0), at_ends.sum(0), None


def best_sequences(scores: Scores) -> tuple[Tensor, Tensor]:
    """Return the best label sequence of each row (arbitrary in the padding) and its score: Viterbi.

    Each step keeps the best score that ends in each label. The previous label is computed only when
    backtracking, for the labels on the best path.

    Shapes: (B, T) int64; (B,).
    """
    emissions, transitions, first, last, steps = scores
    B, T, K = emissions.shape
    into = transitions.T.contiguous()
    going_on = scores.real()
    ragged = bool((steps < T).any())
    best = (first + emissions[:, 0]).contiguous()
    kept, ways = [best], emissions.new_empty(B, K, K)
    for t in range(1, T):
        reached = torch.add(best.unsqueeze(1), into, out=ways).amax(2).add_(emissions[:, t])
        best = torch.where(going_on[:, t, None], reached, best) if ragged else reached
        kept.append(best)
    value, at = (best + last).max(1)
    on_the_way = (part.cpu().numpy() for part in (torch.stack(kept, 1), into, at, going_on))
    return torch.from_numpy(_way_back(*on_the_way)), value


def _way_back(
    kept: NDArray[np.float64], into: NDArray[np.float64], at: NDArray[np.int64], real: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return the best paths by backtracking from the last labels. numpy has less overhead here than torch.

    Shapes: kept (B, T, K); into (K, K), [after, before]; at (B,); real (B, T); result (B, T).
    """
    B, T, _ = kept.shape
    labels = np.empty((B, T), dtype=np.int64)
    labels[:, -1] = at
    for t in reversed(range(T - 1)):
        best = (kept[:, t] + into[labels[:, t + 1]]).argmax(1)
        labels[:, t] = np.where(real[:, t + 1], best, labels[:, t + 1])
    return labels


def n_best_sequences(scores: Scores, n: int) -> tuple[Tensor, Tensor]:
    """Return the n best label sequences of each row and their scores; minus infinity if fewer exist.

    The Viterbi recursion with the n best paths to each label, numbered 0..n-1.

    Shapes: (B, n, T) int64; (B, n).
    """
    emissions, transitions, first, last, steps = scores
    B, T, K = emissions.shape
    best = emissions.new_full((B, n, K), NEVER)
    best[:, 0] = first + emissions[:, 0]
    whence = torch.empty(T, B, n, K, dtype=torch.int64, device=emissions.device)
    stays = torch.arange(n * K, device=emissions.device).view(1, n, K)
    for t in range(1, T):
        ways = (best.unsqueeze(3) + transitions).view(B, n * K, K)
        reached, came_from = ways.topk(n, dim=1)
        goes_on = (t < steps).view(-1, 1, 1)
        whence[t] = torch.where(goes_on, came_from, stays)
        best = torch.where(goes_on, reached + emissions[:, t].unsqueeze(1), best)
    values, at = (best + last).view(B, n * K).topk(n, dim=1)
    labels = torch.empty(T, B, n, dtype=torch.int64, device=emissions.device)
    for t in reversed(range(T)):
        labels[t] = at % K
        at = whence[t].view(B, n * K).gather(1, at) if t else at
    return labels.permute(1, 2, 0), values
