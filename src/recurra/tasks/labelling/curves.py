"""Precision and recall of each label over its threshold, as tables, as JSON and as a picture."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recurra.arguments import checks_arguments
from recurra.data.examples import Example
from recurra.metrics import Decision, ThresholdCurve
from recurra.plain import aligned, listed
from recurra.reports.drawing import precision_recall, write_png
from recurra.results import Result
from recurra.tasks.labelling.deciding import find_label, labels_at, title_of
from recurra.tasks.labelling.predicting import ROWS, WORDS, Prediction
from recurra.text import spans_of
from recurra.text.label_symbols import Symbols

PRECISIONS = (0.8, 0.9, 0.95)  # the thresholds of these precisions are shown
_WHOLE_TABLES = 6  # labels with a table each; of more labels, one line each
_DRAWN = 8  # curves in one picture
_POINTS = 1_000  # points of a curve in JSON, and in a picture


@dataclass(frozen=True, repr=False)
class LabelCurves(Result):
    """The precision and recall of each label at every threshold.

    `tables` has the curves by label: of "entities" or "word labels", and of "labels" ("sentence labels"). The
    threshold of an entity is one on its probability among the predicted entities, so that its recall is at
    most that of the tagger.
    """

    tables: Mapping[str, Mapping[str, ThresholdCurve]]

    def told(self) -> str:
        """Return the labels."""
        return ", ".join(f"{title}: {listed(curves, 120)}" for title, curves in self.tables.items())

    def to_rows(self, of: str | None = None) -> list[dict[str, Any]]:
        """Return one row per threshold: of, label, threshold, precision, recall, f1 and predicted."""
        self._refuse(of)
        return [
            {
                "of": title,
                "label": label,
                "threshold": float(curve.thresholds[i]),
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(scores[i]),
                "predicted": int(curve.predicted[i]),
            }
            for title, curves in self.tables.items()
            for label, curve in curves.items()
            for precision, recall, scores in [(curve.precision, curve.recall, curve.f_score())]
            for i in range(len(curve))
        ]

    def of(self, label: str, symbols: Symbols, option: str = "label") -> "LabelCurves":
        """Return the curve of one label. Raises: ConfigError for an unknown label."""
        where, name = find_label(label, symbols, option)
        title = title_of(where, symbols)
        return LabelCurves({title: {name: self.tables[title][name]}})

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: each curve with its average precision, the thresholds of
        `chosen_decisions`, and at most 1,000 of its points."""
        return {
            title: {
                label: {
                    "average_precision": curve.average_precision,
                    "support": curve.support,
                    **{name: _plain(found) for name, found in chosen_decisions(curve).items()},
                    "curve": _points(curve.thinned(_POINTS)),
                }
                for label, curve in curves.items()
            }
            for title, curves in self.tables.items()
        }

    def lines(self) -> list[str]:
        """Return some thresholds of each label that occurs as tables; of many, only the best F1."""
        lines: list[str] = []
        for title, every in self.tables.items():
            curves = {label: curve for label, curve in every.items() if curve.support or len(every) == 1}
            if len(curves) <= _WHOLE_TABLES:
                for label, curve in curves.items():
                    lines += ["", *_table(label, curve)]
            else:
                lines += ["", *_best_of_each(title, curves)]
        return lines

    def series(self) -> dict[str, tuple[list[float], list[float]]]:
        """Return recall and precision of the labels with the largest support, by label and average precision.

        Entities or word labels come first, if there are both.
        """
        found: dict[str, tuple[list[float], list[float]]] = {}
        for curves in self.tables.values():
            by_support = sorted(curves.items(), key=lambda item: -item[1].support)
            for label, curve in by_support[: _DRAWN - len(found)]:
                points = curve.thinned(_POINTS)
                if len(points) and points.support:
                    name = f"{label} ({curve.average_precision:.0%})"
                    found[name] = (points.recall.tolist(), points.precision.tolist())
        return found

    @checks_arguments
    def draw(self, path: str | Path) -> None:
        """Write a plot of the precision over the recall of each label in `series` to a PNG file.

        Raises: StorageError if it cannot be written.
        """
        write_png(Path(path), precision_recall, self.series())


def chosen_decisions(curve: ThresholdCurve) -> dict[str, Decision | None]:
    """Return the decision of the best F1, and those of the highest recall with each of some precisions."""
    found = {"best_f1": curve.best()}
    return found | {f"precision_{least:g}": curve.with_precision(least) for least in PRECISIONS}


def count_curves(rows: Sequence[Example], said: Sequence[Prediction], symbols: Symbols) -> LabelCurves:
    """Count the curves of predictions against the gold labels.

    Word labels that do not mark entities need predictions with `every_label`.
    """
    tables: dict[str, dict[str, ThresholdCurve]] = {}
    if symbols.labels is not None:
        of_words = _of_entities if symbols.spans else _of_words
        tables[title_of(WORDS, symbols)] = of_words(rows, said, symbols)
    if symbols.classes is not None:
        tables[title_of(ROWS, symbols)] = _of_rows(rows, said, symbols)
    return LabelCurves(tables)


def _of_rows(
    rows: Sequence[Example], said: Sequence[Prediction], symbols: Symbols
) -> dict[str, ThresholdCurve]:
    labelled = [
        (row.label, one.probabilities or {}) for row, one in zip(rows, said, strict=True) if row.label
    ]
    return {
        name: ThresholdCurve.count(
            [shares[name] for _, shares in labelled], [gold == name for gold, _ in labelled]
        )
        for name in labels_at(ROWS, symbols)
    }


def _of_words(
    rows: Sequence[Example], said: Sequence[Prediction], symbols: Symbols
) -> dict[str, ThresholdCurve]:
    gold = np.array([label for row in rows for label in row.labels or ()], dtype=object)
    names = labels_at(WORDS, symbols)
    parts = [one.every_label for one in said if one.every_label is not None]
    every = np.concatenate(parts) if parts else np.zeros((0, len(names)))
    return {name: ThresholdCurve.count(every[:, k], gold == name) for k, name in enumerate(names)}


def _of_entities(
    rows: Sequence[Example], said: Sequence[Prediction], symbols: Symbols
) -> dict[str, ThresholdCurve]:
    names = labels_at(WORDS, symbols)
    found: dict[str, tuple[list[float], list[bool]]] = {name: ([], []) for name in names}
    support: Counter[str] = Counter()
    for row, one in zip(rows, said, strict=True):
        gold = set(spans_of(row.labels or ()))
        support.update(span.type for span in gold)
        for span in spans_of(one.labels or ()):
            probabilities, right = found[span.type]
            probabilities.append(min(one.label_probabilities[span.first : span.last]))
            right.append(span in gold)
    return {name: ThresholdCurve.count(*found[name], support[name]) for name in names}


def _table(label: str, curve: ThresholdCurve) -> list[str]:
    """Return some thresholds of one label as lines."""
    names = ["best F1", *(f"precision >= {least:.0%}" for least in PRECISIONS)]
    rows = [["threshold", "precision", "recall", "F1", "predicted"]]
    rows += [_cells(found) for found in chosen_decisions(curve).values()]
    head = f"{label}: average precision {curve.average_precision:.2%}, support {curve.support:,}"
    return [head, *aligned(["", *names], rows)]


def _best_of_each(title: str, curves: Mapping[str, ThresholdCurve]) -> list[str]:
    rows = [["average precision", "support", "best F1 at", "precision", "recall", "F1", "predicted"]]
    rows += [
        [f"{curve.average_precision:.2%}", f"{curve.support:,}", *_cells(curve.best())]
        for curve in curves.values()
    ]
    return [*aligned([title, *curves], rows), "the option label shows more thresholds of one label"]


def _cells(found: Decision | None) -> list[str]:
    if found is None:
        return ["not reached", "", "", "", ""]
    hits = found.hits
    return [
        f"{found.threshold:.4f}",
        f"{hits.precision:.2%}",
        f"{hits.recall:.2%}",
        f"{hits.f1:.2%}",
        f"{hits.predicted:,}",
    ]


def _plain(found: Decision | None) -> dict[str, float] | None:
    return None if found is None else {"threshold": found.threshold, **found.hits.to_dict()}


def _points(curve: ThresholdCurve) -> dict[str, list[float]]:
    return {
        "threshold": curve.thresholds.tolist(),
        "precision": curve.precision.tolist(),
        "recall": curve.recall.tolist(),
        "f1": curve.f_score().tolist(),
        "predicted": curve.predicted.tolist(),
    }
