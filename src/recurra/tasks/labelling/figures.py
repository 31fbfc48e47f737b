"""Metrics of taggers and classifiers, as a sentence, as tables and as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import reduce
from operator import add
from typing import Any

from recurra.config.choosing import OF_LABEL
from recurra.data.examples import Example
from recurra.metrics import ClassFigures, EntityFigures, Hits, Reliability
from recurra.metrics.names import metric_name, metrics_told
from recurra.metrics.scores import ScoreFigures
from recurra.plain import counted
from recurra.results import Result
from recurra.tasks.labelling.choosing import criterion_of_score, metric_of
from recurra.tasks.labelling.feeds import EncodedRows
from recurra.tasks.labelling.pairs import BaselineFigures, baseline_figures
from recurra.tasks.labelling.predicting import (
    REJECTED,
    ROWS,
    WORDS,
    LabellingNetwork,
    Prediction,
    predict_rows,
)
from recurra.tasks.labelling.tables import table_lines
from recurra.text.label_symbols import Symbols
from recurra.training.selection import LOSS, SCORE, Metric


@dataclass(frozen=True, repr=False)
class LabelFigures(Result):
    """Metrics of entities or word labels, of sentence labels or scores, and the sentence accuracy.

    `reliability` is the calibration of the sentence labels or, without them, of the word labels.
    """

    rows: int
    words: int
    exact: int  # rows with all labels correct
    entities: EntityFigures | None
    tags: ClassFigures | None
    classes: ClassFigures | None
    reliability: Reliability
    scores: ScoreFigures | None = None
    baselines: BaselineFigures = field(default_factory=BaselineFigures)

    @property
    def has_words(self) -> bool:
        """Whether words have labels; then the labels of rows are those of sentences."""
        return self.entities is not None or self.tags is not None

    def main(self) -> dict[str, float]:
        """Return the main metrics, which training reports."""
        figures = {}
        if self.entities is not None:
            figures["f1"] = self.entities.overall.f1
        elif self.tags is not None:
            figures["word_accuracy"] = self.tags.accuracy
        if self.classes is not None:
            figures[self._of_rows("accuracy")] = self.classes.accuracy
        if self.scores is not None:
            figures |= self.scores.main()
        return figures

    def of_validation(self, keep_best: str) -> dict[str, float]:
        """Return the metrics that a validation logs: the main ones, the macro F1, and that of `keep_best`."""
        figures = self.main()
        if self.entities is not None:
            figures["entity_macro_f1"] = self.entities.macro_f1
        elif self.tags is not None:
            figures["word_macro_f1"] = self.tags.macro_f1
        if self.classes is not None:
            figures[self._of_rows("macro_f1")] = self.classes.macro_f1
        if keep_best not in (SCORE, LOSS) and (name := self._metric(keep_best).figure) not in figures:
            figures[name] = self._not_main(name)
        return figures

    def criterion(self, keep_best: str) -> float | None:
        """Return the criterion of the option `keep_best`, lower is better; None for the loss."""
        if keep_best == LOSS:
            return None
        if keep_best == SCORE and self.scores is not None:
            return self.scores.squared_error
        if keep_best == SCORE:
            return criterion_of_score(self.main(), self.main())
        return self._metric(keep_best).criterion(self.of_validation(keep_best))

    def _metric(self, keep_best: str) -> Metric:
        return metric_of(keep_best, words=self.has_words, spans=self.entities is not None)

    def _not_main(self, name: str) -> float:
        """Return a metric that is logged only if it selects the best checkpoint."""
        if not name.startswith(OF_LABEL):
            assert self.entities is not None, "all other metrics are logged"
            return self.entities.accuracy
        hits = next(iter(self.tables().values())).get(name.removeprefix(OF_LABEL))
        return 0.0 if hits is None else hits.f1

    def _of_rows(self, name: str) -> str:
        """Return the name of a metric of the rows' labels."""
        return f"sentence_label_{name}" if self.has_words else name

    def sentence(self) -> str:
        """Return the metrics as one readable line."""
        parts = []
        if self.entities is not None:
            hits = self.entities.overall
            parts.append(
                f"F1 {hits.f1:.2%} (precision {hits.precision:.2%}, recall {hits.recall:.2%}, macro F1 "
                f"{self.entities.macro_f1:.2%})"
            )
        elif self.tags is not None:
            parts.append(_with_baseline("word_accuracy", self.tags))
        if self.classes is not None:
            parts.append(_with_baseline(self._of_rows("accuracy"), self.classes))
        if self.scores is not None:
            parts.append(
                f"{metrics_told(self.scores.main())} (variance of the scores {self.scores.variance:.4g})"
            )
        if self.words:
            parts.append(f"sentence accuracy {self.exact / max(1, self.rows):.2%}")
            parts.append(f"{counted(self.rows, 'row')}, {counted(self.words, 'word')}")
        else:
            parts.append(counted(self.rows, "row"))
        return ", ".join(parts) + (f" ({self.baselines.told()})" if self.baselines else "")

    def lines(self) -> list[str]:
        """Return the metrics as a sentence and as tables."""
        return [self.sentence(), *table_lines(self)]

    @classmethod
    def pooled(cls, parts: Sequence["LabelFigures"]) -> "LabelFigures | None":
        """Return the metrics over the predictions of several models together.

        None if their labels are of different kinds, because some training data have none of one kind.
        """

        def total(name: str) -> Any:
            found = [getattr(one, name) for one in parts]
            return None if None in found else reduce(add, found)

        names = [one.name for one in fields(cls)]
        kinds = {tuple(getattr(one, name) is None for name in names) for one in parts}
        return cls(**{name: total(name) for name in names}) if len(kinds) == 1 else None

    def tables(self) -> dict[str, dict[str, Hits]]:
        """Return the counts per entity type or word label, and per label of a row."""
        found = {}
        if self.entities is not None:
            found["entities"] = dict(self.entities.by_type)
        elif self.tags is not None:
            found["word labels"] = self.tags.by_label
        if self.classes is not None:
            found["sentence labels" if self.has_words else "labels"] = self.classes.by_label
        return found

    def to_rows(self, of: str | None = None) -> list[dict[str, Any]]:
        """Return one row per entity type or label, with its counts; `of` is what the labels are of."""
        return [
            {"of": title, "label": name} | hits.to_dict()
            for title, table in self.tables().items()
            for name, hits in table.items()
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        found: dict[str, Any] = {**self.main(), "rows": self.rows}
        if self.has_words:
            found |= {"words": self.words, "sentence_accuracy": self.exact / max(1, self.rows)}
        if self.entities is not None:
            hits = self.entities.overall
            found |= {
                "precision": hits.precision,
                "recall": hits.recall,
                "word_accuracy": self.entities.accuracy,
                "entity_macro_f1": self.entities.macro_f1,
            }
        elif self.tags is not None:
            found["word_macro_f1"] = self.tags.macro_f1
        if self.classes is not None:
            found[self._of_rows("macro_f1")] = self.classes.macro_f1
            found[self._of_rows("majority")] = self.classes.majority
            found["confusion"] = {"labels": self.classes.labels, "counts": self.classes.table()}
        if self.baselines:
            found["baselines"] = self.baselines.main()
        if self.scores is not None:
            return found | self.scores.to_dict()
        found["by_label"] = {
            title: {name: hits.to_dict() for name, hits in table.items()}
            for title, table in self.tables().items()
        }
        return found | self.reliability.to_dict()


def count_figures(rows: Sequence[Example], said: Sequence[Prediction], symbols: Symbols) -> LabelFigures:
    """Compute the metrics of predictions against the gold labels."""
    entities = tags = classes = scores = None
    words = 0
    exact = [True] * len(rows)
    if symbols.labels is not None:
        gold = [row.labels or () for row in rows]
        found = [prediction.labels or () for prediction in said]
        words = sum(map(len, gold))
        if symbols.spans:
            entities = EntityFigures.count(gold, found)
        else:
            tags = ClassFigures.count(_flat(gold), _flat(found))
        exact = [wanted == was for wanted, was in zip(gold, found, strict=True)]
    if symbols.classes is not None:
        labelled = [(row.label, one) for row, one in zip(rows, said, strict=True) if row.label is not None]
        classes = ClassFigures.count([gold for gold, _ in labelled], [one.label or "" for _, one in labelled])
        exact = [
            whole and (row.label is None or row.label == one.label)
            for whole, row, one in zip(exact, rows, said, strict=True)
        ]
    if symbols.scale is not None:
        both = [(row.score, one.score) for row, one in zip(rows, said, strict=True)]
        known = [(gold, found) for gold, found in both if gold is not None and found is not None]
        scores = ScoreFigures(tuple(gold for gold, _ in known), tuple(found for _, found in known))
    reliability = reliability_of(WORDS if symbols.classes is None else ROWS, rows, said)
    return LabelFigures(len(rows), words, sum(exact), entities, tags, classes, reliability, scores)


def figures_beside_baselines(
    rows: Sequence[Example], said: Sequence[Prediction], symbols: Symbols
) -> LabelFigures:
    """Compute the metrics of predictions, with those of the baselines if the symbols have some."""
    return replace(count_figures(rows, said, symbols), baselines=baseline_figures(rows, symbols))


def reliability_of(where: str, rows: Sequence[Example], said: Sequence[Prediction]) -> Reliability:
    """Compute the calibration of the labels of words or of rows; rejected labels do not count."""
    pairs: list[tuple[float, bool]] = []
    for row, one in zip(rows, said, strict=True):
        if where == WORDS:
            every = zip(row.labels or (), one.labels or (), one.label_probabilities, strict=True)
            pairs += [(share, gold == label) for gold, label, share in every if label != REJECTED]
        elif row.label is not None and one.label != REJECTED:
            pairs.append((one.confidence, row.label == one.label))
    return Reliability.count([share for share, _ in pairs], [hit for _, hit in pairs])


def measure_rows(network: LabellingNetwork, encoded: EncodedRows) -> LabelFigures:
    """Compute the metrics of a network on rows."""
    device = next(network.parameters()).device
    return count_figures(encoded.rows, predict_rows(network, encoded, device=device), encoded.symbols)


def _with_baseline(name: str, figures: ClassFigures) -> str:
    return (
        f"{metric_name(name)} {figures.accuracy:.2%} (majority baseline {figures.majority:.2%}, macro F1 "
        f"{figures.macro_f1:.2%})"
    )


def _flat(rows: Sequence[Sequence[str]]) -> list[str]:
    return [label for row in rows for label in row]
