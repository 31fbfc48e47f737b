"""The likelihood of gold labels as a function of the temperature, from scores that are computed once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from recurra.data.examples import Example
from recurra.metrics.temperature import SoftmaxScores
from recurra.models.tagger import ABSENT, TaggerNetwork
from recurra.tasks.labelling.feeds import EncodedRows
from recurra.tasks.labelling.predicting import (
    ROWS,
    WORDS,
    BatchScores,
    LabellingNetwork,
    Prediction,
    Temperatures,
    predictions_of,
    scores_of,
)
from recurra.text.label_symbols import Symbols

_ROUNDINGS = 8 * float(np.finfo(np.float64).eps)


class Likelihood(Protocol):
    """The likelihood of the gold labels of rows."""

    @property
    def counts(self) -> NDArray[np.int64]:
        """The number of gold labels of each row that have a probability. Shapes: (rows,)."""
        ...

    def losses(self, temperature: float) -> NDArray[np.float64]:
        """Return -log P of the gold labels of each row. Shapes: (rows,)."""
        ...

    def slope_on(self, rows: Sequence[int]) -> Callable[[float], float]:
        """Return the derivative of the summed loss of some rows by β = 1 / T, as a function of β."""
        ...


class IndependentLabels:
    """The likelihood of labels that are predicted independently; label n belongs to the row `owners[n]`.

    Shapes: logits (N, K); targets, owners (N,).
    """

    def __init__(
        self, logits: Sequence[Any], targets: Sequence[Any], owners: Sequence[int], rows: int
    ) -> None:
        self._scores = SoftmaxScores(np.concatenate(logits), np.concatenate(targets))
        self._owners, self._rows = np.array(owners, dtype=np.int64), rows
        self.counts = np.bincount(self._owners[self._scores.targets >= 0], minlength=rows)

    def losses(self, temperature: float) -> NDArray[np.float64]:
        """Return -log P of the gold labels of each row. Shapes: (rows,)."""
        losses = self._scores.losses(temperature)
        return np.bincount(self._owners, losses, minlength=self._rows).astype(np.float64)

    def slope_on(self, rows: Sequence[int]) -> Callable[[float], float]:
        """Return the derivative of the summed loss of some rows by β = 1 / T."""
        chosen = np.isin(self._owners, np.array(rows, dtype=np.int64))
        return SoftmaxScores(self._scores.logits[chosen], self._scores.targets[chosen]).slope


class LabelSequences:
    """The likelihood of whole label sequences of a conditional random field.

    The temperature divides emissions and transitions. A row with a label absent from the training data has
    no probability, so it does not count.
    """

    def __init__(self, network: TaggerNetwork, batches: Sequence[BatchScores], rows: int) -> None:
        self._network, self._batches, self._rows = network, batches, rows
        self.counts = np.zeros(rows, dtype=np.int64)
        found = self._of_rows(1.0)
        for scores in batches:
            assert scores.batch.labels is not None, "a tagger has gold labels"
            every = zip(scores.batch.rows, scores.batch.labels, scores.batch.lengths.tolist(), strict=True)
            for row, labels, T in every:
                known = bool((labels[:T] != ABSENT).all()) and bool(np.isfinite(found[row]))
                self.counts[row] = T if known else 0

    def losses(self, temperature: float) -> NDArray[np.float64]:
        """Return -log P of the gold label sequence of each row. Shapes: (rows,)."""
        return np.where(self.counts > 0, self._of_rows(temperature), 0.0)

    def slope_on(self, rows: Sequence[int]) -> Callable[[float], float]:
        """Return the derivative of the summed loss of some rows by β = 1 / T.

        It is Σ (mean score of label sequences under P - score of the gold sequence). If it is within the
        rounding error of this difference, as where P(gold) is close to 1, it is 0.
        """
        chosen = set(rows) & set(np.flatnonzero(self.counts).tolist())
        every = [(s, [b for b, row in enumerate(s.batch.rows) if row in chosen]) for s in self._batches]
        parts = [(scores, places) for scores, places in every if places]
        sizes = np.array([size for part in parts for size in self._sizes(*part)])

        def slope(beta: float) -> float:
            variable = torch.tensor(beta, dtype=torch.float64, requires_grad=True)
            total = 0.0
            for scores, places in parts:
                with torch.enable_grad():
                    loss = self._losses(scores, 1 / variable, places).sum()
                total += float(torch.autograd.grad(loss, variable)[0])
            # A probability is exp(differences of scores · β), and it weights terms as large as the scores.
            rounding = _ROUNDINGS * float(((1 + beta * sizes) * sizes).sum())
            return 0.0 if abs(total) <= rounding else total

        return slope

    def _sizes(self, scores: BatchScores, places: list[int]) -> list[float]:
        """Return a bound on the absolute score of the label sequences of each row."""
        assert scores.emissions is not None, "a tagger scores words"
        assert self._network.crf is not None, "only for a conditional random field"
        largest = max(float(part.detach().abs().max()) for part in self._network.crf.parameters())
        of_steps = scores.emissions[places].double().abs().amax(2) + largest
        lengths = scores.batch.lengths[places].tolist()
        return [float(row[:T].sum()) + largest for row, T in zip(of_steps, lengths, strict=True)]

    def _of_rows(self, temperature: float) -> NDArray[np.float64]:
        found = np.zeros(self._rows)
        with torch.no_grad():
            for scores in self._batches:
                every = list(range(len(scores.batch.rows)))
                found[list(scores.batch.rows)] = self._losses(scores, temperature, every).cpu().numpy()
        return found

    def _losses(self, scores: BatchScores, temperature: Any, places: list[int]) -> torch.Tensor:
        assert scores.emissions is not None, "a tagger scores words"
        assert scores.batch.labels is not None, "a tagger has gold labels"
        assert self._network.crf is not None, "only for a conditional random field"
        labels = scores.batch.labels[places].clamp(min=0)
        emissions = scores.emissions[places].double()
        return self._network.crf.losses(
            emissions, labels, scores.batch.lengths[places], temperature=temperature
        )


@dataclass(frozen=True)
class Scored:
    """Rows with gold labels, and a network's scores for them."""

    network: LabellingNetwork
    symbols: Symbols
    rows: Sequence[Example]
    batches: Sequence[BatchScores]

    @classmethod
    def of(cls, network: LabellingNetwork, encoded: EncodedRows, device: torch.device) -> "Scored":
        """Compute the scores of rows, and keep them on the device."""
        return cls(network, encoded.symbols, encoded.rows, list(scores_of(network, encoded, device)))

    def predictions(self, temperatures: Temperatures) -> list[Prediction]:
        """Return the predictions for the rows, with every label's probability if `count_curves` needs it."""
        every = not self.symbols.spans
        return predictions_of(self.network, self.batches, self.symbols, temperatures, every_label=every)

    @cached_property
    def likelihoods(self) -> dict[str, Likelihood]:
        """The likelihoods of word labels and of the labels of rows, if there are any."""
        found: dict[str, Likelihood] = {}
        if isinstance(self.network, TaggerNetwork):
            found[WORDS] = self._of_words(self.network)
        if self.symbols.classes is not None:
            logits, targets = [], []
            row_owners: list[int] = []
            for scores in self.batches:
                assert scores.classes is not None, "rows have labels"
                assert scores.batch.label is not None, "rows have labels"
                logits.append(scores.classes.double().cpu().numpy())
                targets.append(scores.batch.label.cpu().numpy())
                row_owners += scores.batch.rows
            found[ROWS] = IndependentLabels(logits, targets, row_owners, len(self.rows))
        return found

    def _of_words(self, network: TaggerNetwork) -> Likelihood:
        if network.crf is not None:
            return LabelSequences(network, self.batches, len(self.rows))
        logits, targets = [], []
        owners: list[int] = []
        for scores in self.batches:
            assert scores.emissions is not None, "a tagger scores words"
            assert scores.batch.labels is not None, "a tagger has gold labels"
            emissions = scores.emissions.double().cpu().numpy()
            if network.decoder == "sigmoid":  # the softmax of (0, e) is (1 - σ(e), σ(e))
                emissions = np.concatenate([np.zeros_like(emissions), emissions], axis=2)
            labels = scores.batch.labels.cpu().numpy()
            for b, (row, T) in enumerate(zip(scores.batch.rows, scores.batch.lengths.tolist(), strict=True)):
                logits.append(emissions[b, :T])
                targets.append(labels[b, :T])
                owners += [row] * T
        return IndependentLabels(logits, targets, owners, len(self.rows))
