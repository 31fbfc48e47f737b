"""Figures of labels: precision, recall and F1 of entities and of classes, and what is taken for what."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from recurra.text.spans import spans_of


@dataclass(frozen=True)
class Hits:
    """How many were wanted, how many found, and how many of those were right.

    precision = right / found;   recall = right / wanted;   F1 = 2·right / (found + wanted)
    """

    right: int
    found: int
    wanted: int

    @property
    def precision(self) -> float:
        """Share of the found that is right; 0 where nothing was found."""
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """Share of the wanted that was found; 0 where nothing was wanted."""
        return self.right / self.wanted if self.wanted else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        both = self.found + self.wanted
        return 2 * self.right / both if both else 0.0

    def to_dict(self) -> dict[str, float]:
        """As plain values, for JSON."""
        return {
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "found": self.found,
            "wanted": self.wanted,
        }


def _hits(right: Counter[str], found: Counter[str], wanted: Counter[str]) -> dict[str, Hits]:
    names = sorted(found.keys() | wanted.keys())
    return {name: Hits(right[name], found[name], wanted[name]) for name in names}


@dataclass(frozen=True)
class EntityFigures:
    """Entities that were found whole, with their type, as conlleval counts them; and labels word by word."""

    by_type: Mapping[str, Hits]
    words: int
    right_words: int

    @classmethod
    def count(cls, wanted: Iterable[Sequence[str]], found: Iterable[Sequence[str]]) -> "EntityFigures":
        """From the labels of sentences, wanted and found.

        Source: E. Tjong Kim Sang's conlleval (2000).
        """
        right: Counter[str] = Counter()
        in_found: Counter[str] = Counter()
        in_wanted: Counter[str] = Counter()
        words = right_words = 0
        for gold, guess in zip(wanted, found, strict=True):
            gold_spans, guess_spans = set(spans_of(gold)), set(spans_of(guess))
            in_wanted.update(span.type for span in gold_spans)
            in_found.update(span.type for span in guess_spans)
            right.update(span.type for span in gold_spans & guess_spans)
            words += len(gold)
            right_words += sum(a == b for a, b in zip(gold, guess, strict=True))
        return cls(_hits(right, in_found, in_wanted), words, right_words)

    @property
    def overall(self) -> Hits:
        """All types together (the micro mean)."""
        return Hits(
            sum(hits.right for hits in self.by_type.values()),
            sum(hits.found for hits in self.by_type.values()),
            sum(hits.wanted for hits in self.by_type.values()),
        )

    @property
    def accuracy(self) -> float:
        """Share of the words with the right label."""
        return self.right_words / self.words if self.words else 0.0


@dataclass(frozen=True)
class ClassFigures:
    """Single labels, wanted and found: of sentences, or of words that have classes."""

    confusion: Mapping[tuple[str, str], int] = field(default_factory=dict)  # (wanted, found)

    @classmethod
    def count(cls, wanted: Iterable[str], found: Iterable[str]) -> "ClassFigures":
        """From labels, wanted and found."""
        return cls(dict(Counter(zip(wanted, found, strict=True))))

    @property
    def total(self) -> int:
        """How many were labelled."""
        return sum(self.confusion.values())

    @property
    def labels(self) -> list[str]:
        """All labels, wanted or found, sorted."""
        return sorted({label for pair in self.confusion for label in pair})

    @property
    def accuracy(self) -> float:
        """Share of right labels."""
        right = sum(count for (wanted, found), count in self.confusion.items() if wanted == found)
        return right / self.total if self.total else 0.0

    @property
    def majority(self) -> float:
        """Share of the most frequent label: the accuracy of always saying it."""
        wanted: Counter[str] = Counter()
        for (label, _), count in self.confusion.items():
            wanted[label] += count
        return max(wanted.values()) / self.total if self.total else 0.0

    @property
    def by_label(self) -> dict[str, Hits]:
        """Each label's hits."""
        right: Counter[str] = Counter()
        in_found: Counter[str] = Counter()
        in_wanted: Counter[str] = Counter()
        for (wanted, found), count in self.confusion.items():
            in_wanted[wanted] += count
            in_found[found] += count
            if wanted == found:
                right[wanted] += count
        return _hits(right, in_found, in_wanted)

    @property
    def macro_f1(self) -> float:
        """The mean of the labels' F1."""
        by_label = self.by_label
        return sum(hits.f1 for hits in by_label.values()) / len(by_label) if by_label else 0.0

    def table(self) -> list[list[int]]:
        """The confusion matrix: rows wanted, columns found, both in the order of `labels`."""
        return [[self.confusion.get((row, column), 0) for column in self.labels] for row in self.labels]


@dataclass(frozen=True)
class Reliability:
    """Whether a model is right as often as it says: predictions in bins by their probability.

        calibration error = Σ_bins (share of predictions in it) · |mean probability - share right|

    Source: C. Guo et al., On calibration of modern neural networks (2017).
    """

    bins: Sequence[tuple[int, float, float]]  # predictions, their mean probability, share right

    @classmethod
    def count(cls, probabilities: Sequence[float], right: Sequence[bool], bins: int = 10) -> "Reliability":
        """From the probability of each prediction and whether it was right, in bins of equal width."""
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

    @property
    def error(self) -> float:
        """The expected calibration error, 0 to 1."""
        total = sum(count for count, _, _ in self.bins)
        return sum(count * abs(said - was) for count, said, was in self.bins) / total if total else 0.0

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {"calibration_error": self.error, "bins": [list(b) for b in self.bins]}
