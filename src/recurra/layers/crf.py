"""The linear-chain conditional random field (CRF): the probability of a whole label sequence."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from recurra.cells import shape_error
from recurra.errors import ConfigError
from recurra.layers.crf_recursion import NEVER, Chain, LogPartition, Scores, best_sequences, n_best_sequences
from recurra.layers.crf_small import decode_small
from recurra.layers.lengths import checked_lengths


class Constraints(NamedTuple):
    """Which labels may start a sequence, follow each other, and end a sequence.

    Shapes: first, last (K,) bool; follows (K, K) bool, [before, after].
    """

    first: Tensor
    follows: Tensor
    last: Tensor


class LabelPath(NamedTuple):
    """A label sequence and its probability."""

    labels: list[int]
    probability: float


class ConditionalRandomField(nn.Module):
    """P(y | x) over sequences of K labels, from scores e_t[k] of each label at each step:

        s(y) = a[y_1] + Σ_t e_t[y_t] + Σ_{t>1} A[y_{t-1}, y_t] + b[y_T]
        log P(y | x) = s(y) - log Σ_{y'} exp s(y')

    A, a and b are learnt and start at zero. Label sequences that violate the constraints have probability 0.
    A sequence without steps has one path, the empty one, with probability 1.
    A `temperature` T divides all scores: log P(y | x) = s(y) / T - log Σ_{y'} exp(s(y') / T). It changes the
    probabilities, but not the order of the sequences.

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
        """Return the options in torch.nn's format."""
        return f"{self.num_labels} labels" + (", constrained" if self._constraints else "")

    def losses(
        self,
        emissions: Tensor,
        targets: Tensor,
        lengths: Sequence[int] | Tensor | None,
        *,
        temperature: float | Tensor = 1.0,
    ) -> Tensor:
        """Return -log P of each row's labels, in nats; 0 for a row without steps.

        Shapes: emissions (B, T, K); targets (B, T); temperature a scalar, through which gradients flow;
        result (B,).
        """
        steps = self._checked(emissions, lengths)
        if targets.shape != emissions.shape[:2]:
            wanted = f"{tuple(emissions.shape[:2])}, one label per step"
            raise shape_error("targets", f"shape {tuple(targets.shape)}", wanted, "pad both to one length")
        scores = self._scores(emissions, steps, temperature)
        total: Tensor = LogPartition.apply(*scores)
        return (total - _path_scores(scores, targets)).to(emissions.dtype)

    def marginals(
        self,
        emissions: Tensor,
        lengths: Sequence[int] | Tensor | None = None,
        *,
        temperature: float = 1.0,
    ) -> Tensor:
        """Return P(y_t = k | x), zero in the padding.

        Shapes: emissions (B, T, K); result (B, T, K).
        """
        steps = self._checked(emissions, lengths)
        with torch.no_grad():
            return Chain.of(self._scores(emissions, steps, temperature)).marginals().to(emissions.dtype)

    def best_paths(
        self, emissions: Tensor, lengths: Sequence[int] | Tensor | None = None, n: int = 1
    ) -> list[list[LabelPath]]:
        """Return the n most probable label sequences of each row, best first; fewer if fewer exist.

        Shapes: emissions (B, T, K).
        """
        return self.decode(emissions, lengths, n)[0]

    def decode(
        self,
        emissions: Tensor,
        lengths: Sequence[int] | Tensor | None = None,
        n: int = 1,
        *,
        temperature: float = 1.0,
    ) -> tuple[list[list[LabelPath]], Tensor]:
        """Return both `best_paths` and `marginals`, at the cost of one sum over all sequences.

        Shapes: emissions (B, T, K); marginals (B, T, K).
        """
        if n < 1:
            raise ConfigError(f"n: got {n}, expected >= 1")
        steps = self._checked(emissions, lengths)
        with torch.no_grad():
            scores = self._scores(emissions, steps, temperature)
            if n == 1 and (small := decode_small(scores)) is not None:
                paths = _with_shares(
                    small.labels.unsqueeze(1), small.value.unsqueeze(1), small.log_partition, steps
                )
                return paths, small.marginals.to(emissions.dtype)
            chain = Chain.of(scores)
            return _paths(chain, n), chain.marginals().to(emissions.dtype)

    def _checked(self, emissions: Tensor, lengths: Sequence[int] | Tensor | None) -> Tensor:
        """Return the number of steps of each row, on the emissions' device."""
        if emissions.dim() != 3 or emissions.shape[-1] != self.num_labels:
            wanted = f"(batch, time, {self.num_labels})"
            raise shape_error("emissions", f"shape {tuple(emissions.shape)}", wanted, "one score per label")
        B, T = emissions.shape[:2]
        steps = checked_lengths(lengths, T, B)
        return torch.full((B,), T, device=emissions.device) if steps is None else steps.to(emissions.device)

    def _scores(self, emissions: Tensor, steps: Tensor, temperature: float | Tensor = 1.0) -> Scores:
        """Return all scores, divided by the temperature, in double precision: 0 in the padding, minus
        infinity where not allowed."""
        real = torch.arange(emissions.shape[1], device=steps.device) < steps.unsqueeze(1)
        of_steps = emissions.double().masked_fill(~real.unsqueeze(2), 0.0)
        transitions, first, last = self.transitions.double(), self.first.double(), self.last.double()
        if isinstance(temperature, Tensor) or temperature != 1.0:
            of_steps, transitions, first, last = (
                part / temperature for part in (of_steps, transitions, first, last)
            )
        if self._constraints is not None:
            begins, follows, ends = (~allowed.to(first.device) for allowed in self._constraints)
            transitions = transitions.masked_fill(follows, NEVER)
            first, last = first.masked_fill(begins, NEVER), last.masked_fill(ends, NEVER)
        return Scores(of_steps, transitions, first, last, steps)


def _path_scores(scores: Scores, targets: Tensor) -> Tensor:
    """Return s(y) of each row's labels."""
    B, T = targets.shape
    if T == 0:
        return scores.emissions.new_zeros(B)
    real = scores.real()
    labels = targets.masked_fill(~real, 0)
    at_steps = scores.emissions.gather(2, labels.unsqueeze(2)).squeeze(2).masked_fill(~real, 0.0)
    between = scores.transitions[labels[:, :-1], labels[:, 1:]].masked_fill(~real[:, 1:], 0.0)
    final = labels.gather(1, (scores.steps - 1).clamp(min=0).unsqueeze(1)).squeeze(1)
    ends = (scores.first[labels[:, 0]] + scores.last[final]).masked_fill(scores.steps == 0, 0.0)
    return at_steps.sum(1) + between.sum(1) + ends


def _paths(chain: Chain, n: int) -> list[list[LabelPath]]:
    """Return the n most probable paths of each row."""
    scores = chain.scores
    if scores.emissions.shape[1] == 0:
        return [[LabelPath([], 1.0)] for _ in scores.steps]
    if n == 1:
        best, value = best_sequences(scores)
        labels, values = best.unsqueeze(1), value.unsqueeze(1)
    else:
        labels, values = n_best_sequences(scores, n)
    return _with_shares(labels, values, chain.log_partition, scores.steps)


def _with_shares(labels: Tensor, values: Tensor, totals: Tensor, steps: Tensor) -> list[list[LabelPath]]:
    """Return paths with their probabilities, from their scores and the log-partition `totals`.

    Shapes: labels (B, n, T); values (B, n); totals, steps (B,).
    """
    probabilities = (values - totals.unsqueeze(1)).exp().tolist()
    rows = zip(labels.tolist(), probabilities, (values > NEVER).tolist(), steps.tolist(), strict=True)
    return [
        [LabelPath(path[:T], share) for path, share, there in zip(*row, strict=True) if there]
        if T
        else [LabelPath([], 1.0)]
        for *row, T in rows
    ]
