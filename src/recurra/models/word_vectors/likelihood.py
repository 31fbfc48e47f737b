"""The likelihood of words in their contexts over the whole vocabulary, comparable between objectives.

    softmax:   P(t | h) = exp(θ_t·h) / Σ_j exp(θ_j·h)
    sampling:  P(t | h) ∝ exp(a (θ_t·h) + b log count_t)
    GloVe:     P(t | h) ∝ exp(a (θ_t·h + b'_t) + b log count_t)
    tree:      P(t | h) = Π over the nodes n on t's path of σ(±θ_n·h)

Negative sampling and GloVe leave the scale a and the bias b free: they are fitted on training pairs, with a
prior that is worth one observation, so that vectors without information keep a = b = 1.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from recurra.kernels.word_vectors import WordOutputs

_AT_ONCE = 1 << 20  # scores of a block, which stays in the processor's cache
_PRIOR = 1.0  # squared deviations from 1 are added to the summed loss with half this weight


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread: blocks are small, and the result does not depend on the number of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class Pairs(NamedTuple):
    """Contexts and the words to predict. Shapes: hidden (n, D); targets (n,) ids."""

    hidden: Tensor
    targets: Tensor


class Calibration(NamedTuple):
    """The scale a and the bias b."""

    scale: float
    bias: float


def softmax_loss(pairs: Pairs, output: Tensor, offsets: Tensor, scale: float = 1.0) -> float:
    """Return the mean of -log softmax(scale · θ h + offsets) at the targets, in nats.

    Shapes: output (V, D); offsets (V,).
    """
    total = 0.0
    for part in _parts(pairs, len(output)):
        scores = part.hidden @ output.T * scale + offsets
        right = scores.gather(1, part.targets[:, None]).squeeze(1)
        total += float((scores.logsumexp(1) - right).double().sum())
    return total / len(pairs.targets)


def calibrated(pairs: Pairs, output: Tensor, own: Tensor, log_counts: Tensor) -> Calibration:
    """Fit the scale and the bias that minimise the loss on training pairs, by Newton's method.

        Σ -log P(t | h) + ½ (a - 1)² + ½ (b - 1)²,   which is convex in a and b

    Shapes: output (V, D); own (V,) biases that scale with the scores; log_counts (V,).
    """
    parts = [(part, part.hidden @ output.T + own) for part in _parts(pairs, len(output))]
    log_counts = log_counts.float()
    found = torch.ones(2, dtype=torch.float64)
    loss, gradient, hessian = _derivatives(found, parts, log_counts)
    for _ in range(50):
        step = torch.linalg.solve(hessian, gradient)
        size, after = 1.0, _derivatives(found - step, parts, log_counts)
        while after[0] > loss and size > 1e-4:  # a shorter step where the full one goes too far
            size /= 2
            after = _derivatives(found - size * step, parts, log_counts)
        gain = loss - after[0]
        if gain <= 0:
            break
        found = found - size * step
        loss, gradient, hessian = after
        if gain < 1e-6 * loss:
            break
    return Calibration(float(found[0]), float(found[1]))


def _derivatives(
    at: Tensor, parts: Sequence[tuple[Pairs, Tensor]], log_counts: Tensor
) -> tuple[float, Tensor, Tensor]:
    """Return the loss of `calibrated` at (a, b), its gradient and its second derivatives."""
    away = at - 1
    loss = _PRIOR / 2 * float(away @ away)
    gradient, hessian = _PRIOR * away, _PRIOR * torch.eye(2, dtype=torch.float64)
    powers = torch.stack([log_counts, log_counts**2], 1)
    for part, own in parts:
        scores = float(at[0]) * own + float(at[1]) * log_counts
        totals = scores.logsumexp(1)
        probs = (scores - totals[:, None]).exp_()
        weighted = probs * own
        of_counts = (probs @ powers).double()
        mean = torch.stack([weighted.sum(1).double(), of_counts[:, 0]], 1)
        right = torch.stack([own.gather(1, part.targets[:, None]).squeeze(1), log_counts[part.targets]], 1)
        squares = (weighted * own).sum(), (weighted @ log_counts).sum(), of_counts[:, 1].sum()
        both = torch.stack([each.double() for each in squares])
        loss += float(totals.double().sum() - (right.double() @ at).sum())
        gradient = gradient + (mean - right.double()).sum(0)
        hessian = hessian + both[[0, 1, 1, 2]].reshape(2, 2) - mean.T @ mean
    return loss, gradient, hessian


def tree_loss(pairs: Pairs, nodes: Tensor, tree: WordOutputs) -> float:
    """Return the mean of -log P(target) under a tree, in nats. Shapes: nodes (V - 1, D)."""
    assert tree.path_starts is not None, "it is a tree"
    total = 0.0
    for hidden, target in zip(pairs.hidden, pairs.targets.tolist(), strict=True):
        path, signs = tree.path_of(target)
        total -= float(torch.nn.functional.logsigmoid((nodes[path] @ hidden).double() * signs).sum())
    return total / len(pairs.targets)


def _parts(pairs: Pairs, vocabulary_size: int) -> list[Pairs]:
    rows = max(1, _AT_ONCE // vocabulary_size)
    return [
        Pairs(pairs.hidden[at : at + rows], pairs.targets[at : at + rows])
        for at in range(0, len(pairs.targets), rows)
    ]
