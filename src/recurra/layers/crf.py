"""The linear-chain conditional random field: the probability of a whole sequence of labels.

The sum over all K^T sequences, and the best of them, take T products of a vector with a K x K matrix. The
gradient of the sum is the labels' marginal probabilities, so forward and backward recursions run without
autograd, and all steps' share of the transitions is one matrix product at the end.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from recurra.cells import shape_error
from recurra.errors import ConfigError
from recurra.layers.lengths import checked_lengths

_NEVER = -math.inf
# Scores up to so many nats apart lose nothing as exponentials in double precision, over a few steps together.
_NEAR = 80.0


class Constraints(NamedTuple):
    """Which labels may begin a sequence, follow one another, and end it.

    Shapes: first, last (K,) bool; follows (K, K) bool, [before, after].
    """

    first: Tensor
    follows: Tensor
    last: Tensor


class LabelPath(NamedTuple):
    """One sequence of labels and its probability among all sequences."""

    labels: list[int]
    probability: float


class ConditionalRandomField(nn.Module):
    """P(y | x) over sequences of K labels, from scores e_t[k] of each label at each step:

        s(y) = a[y_1] + Σ_t e_t[y_t] + Σ_{t>1} A[y_{t-1}, y_t] + b[y_T]
        log P(y | x) = s(y) - log Σ_{y'} exp s(y')

    A, a and b are learnt and start at zero; what the constraints rule out has probability 0, whatever the
    scores. A sequence of no steps has the one empty path, of probability 1.

    Shapes: emissions e (B, T, K); targets (B, T) int64; lengths (B,), from 0 to T.
    Raises: ShapeError for shapes and lengths that do not fit.
    Source: J. Lafferty et al., Conditional random fields (2001); over recurrent networks, Z. Huang et al.,
    Bidirectional LSTM-CRF models for sequence tagging (2015).
    """

    def __init__(self, num_labels: int, constraints: Constraints | None = None) -> None:
        if num_labels < 1:
            raise ConfigError(f"num_labels: got {num_labels}, expected >= 1")
        super().__init__()
        self.num_labels = num_labels
        self.transitions = nn.Parameter(torch.zeros(num_labels, num_labels))
        self.first = nn.Parameter(torch.zeros(num_labels))
        self.last = nn.Parameter(torch.zeros(num_labels))
        self._constraints = constraints

    def extra_repr(self) -> str:
        """Return the options, as torch.nn prints them."""
        return f"{self.num_labels} labels" + (", constrained" if self._constraints else "")

    def losses(self, emissions: Tensor, targets: Tensor, lengths: Sequence[int] | Tensor | None) -> Tensor:
        """-log P of each row's labels, in nats; 0 for a row of no steps.

        Shapes: emissions (B, T, K); targets (B, T); result (B,).
        """
        steps = self._checked(emissions, lengths)
        if targets.shape != emissions.shape[:2]:
            wanted = f"{tuple(emissions.shape[:2])}, one label a step"
            raise shape_error("targets", f"shape {tuple(targets.shape)}", wanted, "pad them alike")
        transitions, first, last = self._scores()
        scores = _without_padding(emissions, steps)
        total: Tensor = _LogPartition.apply(scores, transitions, first, last, steps)
        of_path = _path_scores(scores, targets, steps, transitions, first, last)
        return (total - of_path).to(emissions.dtype)

    def marginals(self, emissions: Tensor, lengths: Sequence[int] | Tensor | None = None) -> Tensor:
        """P(y_t = k | x), zero in the padding.

        Shapes: emissions (B, T, K); result (B, T, K).
        """
        steps = self._checked(emissions, lengths)
        with torch.no_grad():
            chain = _Chain.run(_without_padding(emissions, steps), *self._scores(), steps)
            return chain.marginals().to(emissions.dtype)

    def best_paths(
        self, emissions: Tensor, lengths: Sequence[int] | Tensor | None = None, n: int = 1
    ) -> list[list[LabelPath]]:
        """The n likeliest label sequences of each row, the likeliest first; fewer where there are fewer.

        Shapes: emissions (B, T, K).
        """
        if n < 1:
            raise ConfigError(f"n: got {n}, expected >= 1")
        steps = self._checked(emissions, lengths)
        with torch.no_grad():
            scores, terms = _without_padding(emissions, steps), self._scores()
            total = _Chain.run(scores, *terms, steps).log_partition
            return _n_best(scores, *terms, steps, total, n)

    def _checked(self, emissions: Tensor, lengths: Sequence[int] | Tensor | None) -> Tensor:
        """The number of steps of each row, on the emissions' device."""
        if emissions.dim() != 3 or emissions.shape[-1] != self.num_labels:
            wanted = f"(batch, time, {self.num_labels})"
            raise shape_error("emissions", f"shape {tuple(emissions.shape)}", wanted, "one score a label")
        B, T = emissions.shape[:2]
        steps = checked_lengths(lengths, T, B)
        return torch.full((B,), T, device=emissions.device) if steps is None else steps.to(emissions.device)

    def _scores(self) -> tuple[Tensor, Tensor, Tensor]:
        """Transitions, first and last scores in double precision, ruled-out ones at minus infinity."""
        terms = (self.transitions.double(), self.first.double(), self.last.double())
        if self._constraints is None:
            return terms
        first, follows, last = (allowed.to(self.first.device) for allowed in self._constraints)
        masks = (~follows, ~first, ~last)
        transitions, start, end = (
            term.masked_fill(mask, _NEVER) for term, mask in zip(terms, masks, strict=True)
        )
        return transitions, start, end


def _without_padding(emissions: Tensor, steps: Tensor) -> Tensor:
    """The scores in double precision, zero past the ends of rows. Shapes: (B, T, K)."""
    return emissions.double().masked_fill(~_real(steps, emissions.shape[1]).unsqueeze(2), 0.0)


def _real(steps: Tensor, T: int) -> Tensor:
    """Which steps are no padding. Shapes: steps (B,); result (B, T) bool."""
    return torch.arange(T, device=steps.device) < steps.unsqueeze(1)


def _path_scores(
    emissions: Tensor, targets: Tensor, steps: Tensor, transitions: Tensor, first: Tensor, last: Tensor
) -> Tensor:
    """s(y) of each row's labels."""
    B, T = targets.shape
    if T == 0:
        return emissions.new_zeros(B)
    real = _real(steps, T)
    labels = targets.masked_fill(~real, 0)
    at_steps = emissions.gather(2, labels.unsqueeze(2)).squeeze(2).masked_fill(~real, 0.0)
    between = transitions[labels[:, :-1], labels[:, 1:]].masked_fill(~real[:, 1:], 0.0)
    final = labels.gather(1, (steps - 1).clamp(min=0).unsqueeze(1)).squeeze(1)
    ends = (first[labels[:, 0]] + last[final]).masked_fill(steps == 0, 0.0)
    return at_steps.sum(1) + between.sum(1) + ends


class _Chain(NamedTuple):
    """The sums over all sequences up to each step (α) and from it on (β), in the logarithm.

    α_t[k] = log Σ over y_1..y_t with y_t = k;   β_t[k] = log Σ over y_{t+1}..y_T after y_t = k

    Shapes: emissions, alpha, beta (B, T, K); transitions (K, K); log_partition, steps (B,).
    """

    emissions: Tensor
    transitions: Tensor
    alpha: Tensor
    beta: Tensor
    log_partition: Tensor
    steps: Tensor

    @classmethod
    def run(
        cls, emissions: Tensor, transitions: Tensor, first: Tensor, last: Tensor, steps: Tensor
    ) -> "_Chain":
        """Both recursions, in double precision."""
        B, T, _ = emissions.shape
        forwards, backwards = _steps_of(emissions, transitions), _steps_of(emissions, transitions.T)
        alpha, beta = torch.empty_like(emissions), torch.empty_like(emissions)
        before, after = emissions.new_zeros(B, len(first)), last.expand(B, -1)
        for t in range(T):
            before = alpha[:, t] = emissions[:, t] + (forwards(before) if t else first)
        for t in reversed(range(T)):
            if t + 1 < T:
                onward = backwards(emissions[:, t + 1] + after)
                after = torch.where((t + 1 < steps).unsqueeze(1), onward, last)
            beta[:, t] = after
        total = emissions.new_zeros(B)
        if T:
            total = torch.where(steps > 0, (alpha[:, 0] + beta[:, 0]).logsumexp(1), total)
        return cls(emissions, transitions, alpha, beta, total, steps)

    def marginals(self) -> Tensor:
        """P(y_t = k), zero in the padding. Shapes: (B, T, K)."""
        real = _real(self.steps, self.alpha.shape[1])
        log_probs = self.alpha + self.beta - self.log_partition.view(-1, 1, 1)
        return log_probs.exp().masked_fill(~real.unsqueeze(2), 0.0)

    def pairs(self, of_rows: Tensor) -> Tensor:
        """Σ over steps and rows of P(y_{t-1} = i, y_t = j), each row's share times `of_rows`.

        Shapes: of_rows (B,); result (K, K).
        """
        real = _real(self.steps, self.alpha.shape[1])[:, 1:].unsqueeze(2)
        ends = self.emissions[:, 1:] + self.beta[:, 1:] - self.log_partition.view(-1, 1, 1)
        begins = self.alpha[:, :-1]
        weights = of_rows.view(-1, 1, 1) * real
        if not _is_near(self.emissions, self.transitions):
            ends = ends.masked_fill(~real, _NEVER)  # what is in the padding may be too large for exp
            shares = zip(begins.flatten(0, 1), ends.flatten(0, 1), weights.flatten(), strict=True)
            together = ((b.unsqueeze(1) + self.transitions + e).exp() * w for b, e, w in shares)
            return sum(together, torch.zeros_like(self.transitions))
        # exp(α_{t-1}[i] - m) · exp(A[i, j]) · exp(e_t[j] + β_t[j] - log Z + m), m the largest of α_{t-1}
        largest = begins.amax(2, keepdim=True)
        left, right = (begins - largest).exp(), (ends + largest).masked_fill(~real, _NEVER).exp() * weights
        return self.transitions.exp() * (left.flatten(0, 1).T @ right.flatten(0, 1))


def _steps_of(emissions: Tensor, transitions: Tensor) -> Callable[[Tensor], Tensor]:
    """log(exp(logs) @ exp(transitions)) as a function of logs (B, K).

    As a product of matrices, but where scores lie so far apart that exponentials would be lost.
    """
    if not _is_near(emissions, transitions):
        return lambda logs: (logs.unsqueeze(2) + transitions).logsumexp(1)
    weights = transitions.exp()

    def step(logs: Tensor) -> Tensor:
        largest = logs.amax(1, keepdim=True)
        return ((logs - largest).exp() @ weights).log() + largest

    return step


def _is_near(emissions: Tensor, transitions: Tensor) -> bool:
    """Whether no two scores are further apart than exponentials hold."""
    if not emissions.numel():
        return True
    least = transitions.masked_fill(transitions.isinf(), 0.0)
    apart = emissions.amax() - emissions.amin() + least.amax() - least.amin()
    return bool(apart < _NEAR)


class _LogPartition(torch.autograd.Function):
    """log Σ_y exp s(y) of each row; its gradient is the marginal probabilities."""

    @staticmethod
    def forward(
        ctx: Any, emissions: Tensor, transitions: Tensor, first: Tensor, last: Tensor, steps: Tensor
    ) -> Tensor:
        chain = _Chain.run(emissions, transitions, first, last, steps)
        ctx.save_for_backward(*chain)
        return chain.log_partition

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        chain = _Chain(*ctx.saved_tensors)
        demissions = chain.marginals() * grad.view(-1, 1, 1)
        B, T, K = demissions.shape
        dtransitions = chain.pairs(grad)
        if T == 0:
            return demissions, dtransitions, demissions.new_zeros(K), demissions.new_zeros(K), None
        ends = (chain.steps - 1).clamp(min=0)
        at_ends = demissions[torch.arange(B, device=ends.device), ends]
        return demissions, dtransitions, demissions[:, 0].sum(0), at_ends.sum(0), None


def _n_best(
    emissions: Tensor,
    transitions: Tensor,
    first: Tensor,
    last: Tensor,
    steps: Tensor,
    totals: Tensor,
    n: int,
) -> list[list[LabelPath]]:
    """The Viterbi recursion with the n best ways to each label, told apart by a place 0..n-1."""
    B, T, K = emissions.shape
    if T == 0:
        return [[LabelPath([], 1.0)] for _ in range(B)]
    scores = emissions.new_full((B, n, K), _NEVER)
    scores[:, 0] = first + emissions[:, 0]
    whence = torch.empty(T, B, n, K, dtype=torch.int64, device=emissions.device)
    stays = torch.arange(n * K, device=emissions.device).view(1, n, K)
    for t in range(1, T):
        ways = (scores.unsqueeze(3) + transitions).view(B, n * K, K)
        best, came_from = ways.max(1, keepdim=True) if n == 1 else ways.topk(n, dim=1)
        goes_on = (t < steps).view(-1, 1, 1)
        whence[t] = torch.where(goes_on, came_from, stays)
        scores = torch.where(goes_on, best + emissions[:, t].unsqueeze(1), scores)
    ended = (scores + last).view(B, n * K)
    values, at = ended.topk(min(n, n * K), dim=1)
    probabilities = (values - totals.unsqueeze(1)).exp().tolist()
    paths = torch.empty(T, *at.shape, dtype=torch.int64, device=emissions.device)
    for t in reversed(range(T)):
        paths[t] = at % K
        at = whence[t].view(B, n * K).gather(1, at) if t else at
    labels, lengths, found = paths.permute(1, 2, 0).tolist(), steps.tolist(), (values > _NEVER).tolist()
    return [
        [LabelPath(labels[b][i][:T_b], probabilities[b][i]) for i in range(len(found[b])) if found[b][i]]
        if (T_b := lengths[b])
        else [LabelPath([], 1.0)]
        for b in range(B)
    ]
