"""The likelihood of words in their contexts over the whole vocabulary, comparable between objectives.

    softmax:   P(t | h) = exp(θ_t·h) / Σ_j exp(θ_j·h)
    sampling:  P(t | h) ∝ exp(a (θ_t·h) + b log count_t)
    GloVe:     P(t | h) ∝ exp(a (θ_t·h + b'_t) + b log count_t)
    tree:      P(t | h) = Π over the nodes n on t's path of σ(±θ_n·h)

Negative sampling and GloVe leave the scale a and the bias b free: they are fitted on training pairs.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from recurra.kernels.word_vectors import WordOutputs

_AT_ONCE = 1 << 26  # scores held at once


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
        scores = (part.hidden @ output.T * scale + offsets).double()
        total -= float(scores.log_softmax(1).gather(1, part.targets[:, None]).sum())
    return total / len(pairs.targets)


def calibrated(pairs: Pairs, output: Tensor, own: Tensor, log_counts: Tensor) -> Calibration:
    """Fit the scale and the bias that maximise the likelihood of training pairs, by Newton's method.

    The loss is convex in both. Shapes: output (V, D); own (V,) biases that scale with the scores; log_counts
    (V,).
    """
    log_counts = log_counts.float()

    def derivatives(at: Tensor) -> tuple[float, Tensor, Tensor]:
        loss, slope, bend = 0.0, torch.zeros(2).double(), torch.zeros(2, 2).double()
        for part in _parts(pairs, len(output)):
            own_scores = part.hidden @ output.T + own
            log_probs = (float(at[0]) * own_scores + float(at[1]) * log_counts).log_softmax(1)
            probs, rows = log_probs.exp(), torch.arange(len(part.targets))
            weighted = probs * own_scores
            mean = torch.stack([weighted.sum(1), probs @ log_counts], 1).double()
            right = torch.stack([own_scores[rows, part.targets], log_counts[part.targets]], 1).double()
            squares = torch.stack(
                [(weighted * own_scores).sum(1), weighted @ log_counts, probs @ log_counts**2], 1
            )
            both = squares.double().sum(0)
            loss -= float(log_probs[rows, part.targets].double().sum())
            slope += (mean - right).sum(0)
            bend += both[[0, 1, 1, 2]].reshape(2, 2) - mean.T @ mean
        return loss, slope, bend

    found = torch.tensor([1.0, 1.0], dtype=torch.float64)
    loss, slope, bend = derivatives(found)
    for _ in range(50):
        step = torch.linalg.solve(bend + 1e-9 * bend.trace() * torch.eye(2).double(), slope)
        size, after = 1.0, derivatives(found - step)
        while after[0] > loss and size > 1e-4:  # a shorter step where the full one goes too far
            size /= 2
            after = derivatives(found - size * step)
        gain = loss - after[0]
        if gain <= 0:
            break
        found = found - size * step
        loss, slope, bend = after
        if gain < 1e-7 * abs(loss):
            break
    return Calibration(float(found[0]), float(found[1]))


def tree_loss(pairs: Pairs, nodes: Tensor, tree: WordOutputs) -> float:
    """Return the mean of -log P(target) under a tree, in nats. Shapes: nodes (V - 1, D)."""
    assert tree.path_starts is not None, "it is a tree"
    total = 0.0
    for hidden, target in zip(pairs.hidden, pairs.targets.tolist(), strict=True):
        path, signs = tree.path_of(target)
        total -= float(torch.nn.functional.logsigmoid((nodes[path] @ hidden).double() * signs).sum())
    return total / len(pairs.targets)


def _parts(pairs: Pairs, vocabulary_size: int) -> list[Pairs]:
    rows = max(1, _AT_ONCE // (4 * vocabulary_size))
    return [
        Pairs(pairs.hidden[at : at + rows], pairs.targets[at : at + rows])
        for at in range(0, len(pairs.targets), rows)
    ]
