"""The report page of a tagger or classifier."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from recurra.errors import ConfigError, DataError
from recurra.metrics.names import metric_name, metric_value
from recurra.reports import Table, reliability_diagram
from recurra.reports.drawing import as_svg, precision_recall
from recurra.tasks.labelling.calibration import COLUMNS, OPTIMISTIC, Calibration
from recurra.tasks.labelling.curves import count_curves
from recurra.tasks.labelling.mistakes import worst_mistakes
from recurra.tasks.labelling.tables import CONFUSION, WIDEST_CONFUSION
from recurra.tasks.shown import PARTS, Page

if TYPE_CHECKING:
    from recurra.tasks.labelling.labeller import Labeller

_WORST = 15  # mistakes on the page
_ROWS = 2_000  # validation rows searched for the worst mistakes
_SHOWN = (
    *("f1", "entity_macro_f1", "word_accuracy", "word_macro_f1", "accuracy", "macro_f1"),
    *("sentence_label_accuracy", "sentence_label_macro_f1", "sentence_accuracy", "calibration_error"),
    *("pearson", "spearman", "squared_error"),
)
# Current names by the names in runs of older versions, in which words have labels.
_RENAMED = {
    "tag_accuracy": "word_accuracy",
    "accuracy": "sentence_label_accuracy",
    "macro_f1": "sentence_label_macro_f1",
    "exact": "sentence_accuracy",
}


def page_of(model: "Labeller") -> Page:
    """Build the report page: final metrics, metrics per label, calibration and worst mistakes."""
    assert model.run is not None, "a report needs a run"
    figures: dict[str, str] = {}
    tables: list[Table] = []
    pictures: dict[str, str] = {}
    tags = model.symbols.labels is not None
    sentences = tags and model.symbols.classes is not None
    of_rows = " of the sentence labels" if sentences else ""
    of_labels = of_rows or (" of the word labels" if tags else "")
    for record in model.run.read_metrics():
        part = PARTS.get(record["kind"])
        if part is not None:
            known = {(_RENAMED.get(key, key) if tags else key): value for key, value in record.items()}
            figures |= {
                f"{part} {metric_name(key)}": metric_value(key, known[key]) for key in _SHOWN if key in known
            }
            tables += _tables(part, record, of_rows)
            if "bins" in record:  # scores have none
                pictures[f"Calibration{of_labels}, {part} data"] = reliability_diagram(record["bins"])
    if model.calibration is not None:
        of_calibration = _of_calibration(model.calibration)
        tables += of_calibration[0]
        pictures |= of_calibration[1]
    mistakes, curves, notes = _of_rows(model)
    return Page(
        "word" if tags else "row",
        figures,
        tables=tables + mistakes,
        pictures=pictures | curves,
        notes=notes,
    )


def _of_calibration(found: Calibration) -> tuple[list[Table], dict[str, str]]:
    """Return the fits and the thresholds of a calibration as tables, and its reliability as pictures."""
    columns = ["Labels", "Temperature", "", "Calibration error", "Negative log-likelihood"]
    rows, pictures = [], {}
    for scaling in found.scalings:
        begin = [scaling.title, f"{scaling.temperature:.4g}"]
        for name, fit in scaling.fits().items():
            rows.append([*begin, name, f"{fit.reliability.error:.2%}", f"{fit.loss:.4f} nats"])
            begin = ["", ""]
        title = f"Reliability of the {scaling.title} before and after calibration, {found.data}"
        pictures[title] = reliability_diagram(scaling.before.reliability.bins, scaling.after.reliability.bins)
    tables = [Table(f"Calibration, {found.data} ({OPTIMISTIC})", columns, rows)]
    if found.chosen:
        thresholds = [[one.label, *one.cells()] for one in found.chosen]
        tables.append(Table(f"Thresholds, {found.data}", ["Label", *COLUMNS], thresholds))
    return tables, pictures


def _tables(part: str, record: Mapping[str, Any], of_rows: str) -> list[Table]:
    """Return the metrics per label and the confusion matrix in the record of a part.

    `of_rows` names the labels of rows in a title, if words have labels too.
    """
    found = []
    for title, labels in record.get("by_label", {}).items():
        rows = [
            # Runs of older versions store the support as "wanted".
            [name, *(f"{hits[key]:.2%}" for key in ("precision", "recall", "f1")), f"{_support(hits):,}"]
            for name, hits in labels.items()
        ]
        columns = ["Label", "Precision", "Recall", "F1", "Support"]
        # Runs of older versions call the sentence labels "labels".
        name = "sentence labels" if title == "labels" and of_rows else title
        found.append(Table(f"{name}, {part} data", columns, rows))
    if "confusion" in record and len(record["confusion"]["labels"]) <= WIDEST_CONFUSION:
        names, counts = record["confusion"]["labels"], record["confusion"]["counts"]
        rows = [[name, *map(str, row)] for name, row in zip(names, counts, strict=True)]
        found.append(Table(f"Confusion matrix{of_rows}, {part} data", [CONFUSION.capitalize(), *names], rows))
    return found


def _support(hits: Mapping[str, Any]) -> int:
    return int(hits["support"] if "support" in hits else hits["wanted"])


def _share(probability: float | None) -> list[str]:
    return [] if probability is None else [f"{probability:.1%}"]


def _of_rows(model: "Labeller") -> tuple[list[Table], dict[str, str], list[str]]:
    """Return the worst mistakes in the first validation rows as a table, and their precision-recall curves as
    a picture; or a note if the rows are missing."""
    try:
        rows = model.rows_of(None)
    except (ConfigError, DataError):
        return [], {}, [model.not_shown("The worst mistakes are")]
    where = "validation data" if len(rows) <= _ROWS else f"first {_ROWS:,} rows of the validation data"
    searched = rows[:_ROWS]
    said = model.predict_rows(searched, every_label=model.symbols.scale is None)
    series = [] if model.symbols.scale else count_curves(searched, said, model.symbols).series()
    curves = {f"Precision-recall curves, {where}": as_svg(precision_recall, series)} if series else {}
    found = worst_mistakes(searched, said, _WORST, spans=model.symbols.spans)
    scores = model.symbols.scale is not None
    of_worst = "largest errors" if scores else "wrong predictions with the highest probability"
    title = f"Worst mistakes in the {where}: {of_worst}"
    columns = ["Place", "Gold", "Predicted", *([] if scores else ["Probability"])]
    shown = [[one.place, one.gold, one.predicted, *_share(one.confidence), one.text] for one in found]
    columns.append("Text" if model.symbols.words else "Steps")
    return [Table(title, columns, shown)] if shown else [], curves, []
