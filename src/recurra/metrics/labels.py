"""Metrics of labels: precision, recall and F1 of entities and of classes, and the confusion matrix."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from recurra.plain import counted
from recurra.results import Result
from recurra.text.spans import spans_of


@dataclass(frozen=True)
class Hits:
    """Counts of one label: correct predictions, all predictions, and its support (gold labels).

    precision = correct / predicted;   recall = correct / support;   F1 = 2·correct / (predicted + support)
    """

    correct: int
    predicted: int
    support: int

    @property
    def precision(self) -> float:
        """Share of the predictions that is correct; 0 where there is none."""
        return self.correct / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Share of the gold labels that was predicted; 0 where there is none."""
        return self.correct / self.support if self.support else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        both = self.predicted + self.support
        return 2 * self.correct / both if both else 0.0

    def __add__(self, other: "Hits") -> "Hits":
        """The counts of both together."""
        return Hits(
            self.correct + other.correct, self.predicted + other.predicted, self.support + other.support
        )

    def to_dict(self) -> dict[str, float]:
        """As plain values, for JSON."""
        return {
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "predicted": self.predicted,
            "support": self.support,
        }


@dataclass(frozen=True)
class Average:
    """The mean precision, recall and F1 of several labels, each with the same weight (the macro average)."""

    precision: float
    recall: float
    f1: float
    predicted: int
    support: int


def macro_average(by_label: Mapping[str, Hits]) -> Average:
    """Return the macro average of labels; all 0 if there are none."""
    every = list(by_label.values())
    count = max(1, len(every))
    return Average(
        sum(hits.precision for hits in every) / count,
        sum(hits.recall for hits in every) / count,
        sum(hits.f1 for hits in every) / count,
        sum(hits.predicted for hits in every),
        sum(hits.support for hits in every),
    )


def _hits(correct: Counter[str], predicted: Counter[str], gold: Counter[str]) -> dict[str, Hits]:
    names = sorted(predicted.keys() | gold.keys())
    return {name: Hits(correct[name], predicted[name], gold[name]) for name in names}


@dataclass(frozen=True, repr=False)
class EntityFigures(Result):
    """Entities predicted with the right boundaries and type, as conlleval counts them; and word accuracy."""

    by_type: Mapping[str, Hits]
    words: int
    correct_words: int

    @classmethod
    def count(cls, gold: Iterable[Sequence[str]], predicted: Iterable[Sequence[str]]) -> "EntityFigures":
        """From the gold and the predicted labels of sentences.

        Source: E. Tjong Kim Sang's conlleval (2000).
        """
        correct: Counter[str] = Counter()
        in_predicted: Counter[str] = Counter()
        in_gold: Counter[str] = Counter()
        words = correct_words = 0
        for right, guess in zip(gold, predicted, strict=True):
            gold_spans, guess_spans = set(spans_of(right)), set(spans_of(guess))
            in_gold.update(span.type for span in gold_spans)
            in_predicted.update(span.type for span in guess_spans)
            correct.update(span.type for span in gold_spans & guess_spans)
            words += len(right)
            correct_words += sum(a == b for a, b in zip(right, guess, strict=True))
        return cls(_hits(correct, in_predicted, in_gold), words, correct_words)

    def told(self) -> str:
        """The F1, and the number of entities."""
        return f"F1 {self.overall.f1:.2%}, {counted(self.overall.support, 'gold label')}"

    def to_rows(self, of: str | None = None) -> list[dict[str, Any]]:
        """One row per type."""
        self._refuse(of)
        return [{"label": name} | hits.to_dict() for name, hits in self.by_type.items()]

    @property
    def overall(self) -> Hits:
        """All types together (the micro average)."""
        return Hits(
            sum(hits.correct for hits in self.by_type.values()),
            sum(hits.predicted for hits in self.by_type.values()),
            sum(hits.support for hits in self.by_type.values()),
        )

    @property
    def accuracy(self) -> float:
        """Share of the words with the right label."""
        return self.correct_words / self.words if self.words else 0.0

    @property
    def macro_f1(self) -> float:
        """The mean of the types' F1."""
        return macro_average(self.by_type).f1

    def __add__(self, other: "EntityFigures") -> "EntityFigures":
        """The figures of both sets of predictions together."""
        every = self.by_type.keys() | other.by_type.keys()
        none = Hits(0, 0, 0)
        by_type = {
            name: self.by_type.get(name, none) + other.by_type.get(name, none) for name in sorted(every)
        }
        return EntityFigures(by_type, self.words + other.words, self.correct_words + other.correct_words)


@dataclass(frozen=True, repr=False)
class ClassFigures(Result):
    """Gold and predicted classes: of sentences, or of words."""

    confusion: Mapping[tuple[str, str], int] = field(default_factory=dict)  # (gold, predicted)

    @classmethod
    def count(cls, gold: Iterable[str], predicted: Iterable[str]) -> "ClassFigures":
        """From gold and predicted labels."""
        return cls(dict(Counter(zip(gold, predicted, strict=True))))

    def told(self) -> str:
        """The accuracy, and the number of predictions."""
        return f"accuracy {self.accuracy:.2%}, {counted(self.total, 'prediction')}"

    def to_rows(self, of: str | None = None) -> list[dict[str, Any]]:
        """One row per label."""
        self._refuse(of)
        return [{"label": name} | hits.to_dict() for name, hits in self.by_label.items()]

    @property
    def total(self) -> int:
        """Number of predictions."""
        return sum(self.confusion.values())

    @property
    def labels(self) -> list[str]:
        """All labels, gold or predicted, sorted."""
        return sorted({label for pair in self.confusion for label in pair})

    @property
    def accuracy(self) -> float:
        """Share of correct predictions."""
        correct = sum(count for (gold, predicted), count in self.confusion.items() if gold == predicted)
        return correct / self.total if self.total else 0.0

    @property
    def majority(self) -> float:
        """The majority baseline: the accuracy of always predicting the most frequent label."""
        gold: Counter[str] = Counter()
        for (label, _), count in self.confusion.items():
            gold[label] += count
        return max(gold.values()) / self.total if self.total else 0.0

    @property
    def by_label(self) -> dict[str, Hits]:
        """The counts of each label."""
        correct: Counter[str] = Counter()
        in_predicted: Counter[str] = Counter()
        in_gold: Counter[str] = Counter()
        for (gold, predicted), count in self.confusion.items():
            in_gold[gold] += count
            in_predicted[predicted] += count
            if gold == predicted:
                correct[gold] += count
        return _hits(correct, in_predicted, in_gold)

    @property
    def macro_f1(self) -> float:
        """The mean of the labels' F1."""
        return macro_average(self.by_label).f1

    def __add__(self, other: "ClassFigures") -> "ClassFigures":
        """The figures of both sets of predictions together."""
        return ClassFigures(dict(Counter(self.confusion) + Counter(other.confusion)))

    def table(self) -> list[list[int]]:
        """The confusion matrix: rows gold, columns predicted, both in the order of `labels`."""
        return [[self.confusion.get((row, column), 0) for column in self.labels] for row in self.labels]


@dataclass(frozen=True, repr=False)
class Reliability(Result):
    """Calibration of a model: predictions in bins by their probability.

        calibration error = Σ_bins (share of predictions in it) · |mean probability - share right|

    Source: C. Guo et al., On calibration of modern neural networks (2017).
    """

    bins: Sequence[tuple[int, float, float]]  # number of predictions, mean probability, share correct

    @classmethod
    def count(cls, probabilities: Sequence[float], right: Sequence[bool], bins: int = 10) -> "Reliability":
        """From the probability of each prediction and whether it is correct, in bins of equal width."""
        members: list[list[tuple[float, bool]]] = [[] for _ in range(bins)]
        for probability, hit in zip(probabilities, right, strict=True):
            members[min(bins - 1, int(probability * bins))].append((probability, hit))
        return cls(
            [
                (len(m), sum(p for p, _ in m) / len(m), sum(hit for _, hit in m) / len(m))
                if m
                else (0, 0.0, 0.0)
                for m in members
            ]
        )

    def told(self) -> str:
        """The calibration error."""
        return f"calibration error {self.error:.2%}, {len(self.bins)} bins"

    def to_rows(self, of: str | None = None) -> list[dict[str, Any]]:
        """One row per bin."""
        self._refuse(of)
        names = ("predictions", "mean_probability", "accuracy")
        return [dict(zip(names, one, strict=True)) for one in self.bins]

    @property
    def error(self) -> float:
        """The expected calibration error, 0 to 1."""
        total = sum(count for count, _, _ in self.bins)
        return sum(count * abs(said - was) for count, said, was in self.bins) / total if total else 0.0

    def __add__(self, other: "Reliability") -> "Reliability":
        """The calibration over both sets of predictions, with the same number of bins."""
        return Reliability([_joined_bin(a, b) for a, b in zip(self.bins, other.bins, strict=True)])

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {"calibration_error": self.error, "bins": [list(b) for b in self.bins]}


def _joined_bin(a: tuple[int, float, float], b: tuple[int, float, float]) -> tuple[int, float, float]:
    count = a[0] + b[0]
    if not count:
        return 0, 0.0, 0.0
    return count, (a[0] * a[1] + b[0] * b[1]) / count, (a[0] * a[2] + b[0] * b[2]) / count
