"""Precision and recall of a label as functions of the threshold on its probability."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recurra.metrics.labels import Hits


class Decision(NamedTuple):
    """A threshold on the probability of a label, and the counts of the predictions that reach it."""

    threshold: float
    hits: Hits


@dataclass(frozen=True)
class ThresholdCurve:
    """The decision `probability >= threshold` for one label, at every distinct probability.

        precision = correct / predicted;   recall = correct / support

    `support` counts all gold occurrences of the label, also those that no probability refers to.

    Shapes: thresholds, predicted, correct (N,), with falling thresholds and rising counts.
    """

    thresholds: NDArray[np.float64]
    predicted: NDArray[np.int64]
    correct: NDArray[np.int64]
    support: int

    @classmethod
    def count(
        cls, probabilities: ArrayLike, right: ArrayLike, support: int | None = None
    ) -> "ThresholdCurve":
        """Count from the probabilities of the label, and whether the label is correct at each of them.

        `support` is the number of gold occurrences; if not given, the number of correct ones.

        Shapes: probabilities, right (N,).
        """
        said = np.asarray(probabilities, dtype=np.float64)
        hit = np.asarray(right, dtype=bool)
        order = np.argsort(-said, kind="stable")
        said, hit = said[order], hit[order]
        # The last of equal probabilities: a threshold cannot separate them.
        ends = np.flatnonzero(np.append(said[1:] != said[:-1], [True] * (len(said) > 0)))
        total = int(hit.sum()) if support is None else support
        return cls(said[ends], ends + 1, np.cumsum(hit)[ends], total)

    def __len__(self) -> int:
        return len(self.thresholds)

    @property
    def precision(self) -> NDArray[np.float64]:
        """Share of correct predictions at each threshold. Shapes: (N,)."""
        return self.correct / self.predicted

    @property
    def recall(self) -> NDArray[np.float64]:
        """Share of the gold labels that is predicted at each threshold, 0 without any. Shapes: (N,)."""
        return self.correct / max(1, self.support)

    @property
    def average_precision(self) -> float:
        """Σ_n (recall_n - recall_{n-1}) · precision_n over falling thresholds: the area below the curve."""
        return float((np.diff(self.recall, prepend=0.0) * self.precision).sum())

    def f_score(self, beta: float = 1.0) -> NDArray[np.float64]:
        """F_β = (1 + β²) · correct / (predicted + β² · support) at each threshold. Shapes: (N,)."""
        return (1 + beta**2) * self.correct / (self.predicted + beta**2 * self.support)

    def at(self, place: int) -> Decision:
        """Return the decision between the probability at a place and the next lower one, which is half-way.

        The counts are those at the probability; a threshold in the middle does not depend on its last bits.
        """
        above = float(self.thresholds[place])
        below = float(self.thresholds[place + 1]) if place + 1 < len(self) else 0.0
        hits = Hits(int(self.correct[place]), int(self.predicted[place]), self.support)
        return Decision((above + below) / 2 or above, hits)

    def best(self, beta: float = 1.0) -> Decision | None:
        """Return the decision with the highest F_β, of several the highest threshold; None if F_β is 0."""
        scores = self.f_score(beta)
        return self.at(int(scores.argmax())) if len(self) and scores.max() > 0 else None

    def with_precision(self, least: float) -> Decision | None:
        """Return the decision of at least this precision that has the highest recall; None if none has."""
        return self._best_of(self.precision >= least, self.recall, self.precision)

    def with_recall(self, least: float) -> Decision | None:
        """Return the decision of at least this recall that has the highest precision; None if none has."""
        return self._best_of(self.recall >= least, self.precision, self.recall)

    def _best_of(
        self, allowed: NDArray[np.bool_], first: NDArray[np.float64], second: NDArray[np.float64]
    ) -> Decision | None:
        """Return the allowed decision with the highest `first`, of equal ones the highest `second`."""
        allowed = allowed & (self.correct > 0)
        places = np.flatnonzero(allowed)
        if not len(places):
            return None
        order: NDArray[np.int64] = np.lexsort((second[places], first[places]))
        return self.at(int(places[order[-1]]))

    def hits_at(self, threshold: float) -> Hits:
        """Return the counts of the decision `probability >= threshold`."""
        reached = int((self.thresholds >= threshold).sum())
        if not reached:
            return Hits(0, 0, self.support)
        return Hits(int(self.correct[reached - 1]), int(self.predicted[reached - 1]), self.support)

    def thinned(self, most: int) -> "ThresholdCurve":
        """Return a curve of at most `most` of the points, at even distances, with the first and the last."""
        if len(self) <= most:
            return self
        kept = np.unique(np.linspace(0, len(self) - 1, most).round().astype(np.int64))
        return ThresholdCurve(self.thresholds[kept], self.predicted[kept], self.correct[kept], self.support)
