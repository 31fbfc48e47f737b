"""The metrics of a tagger or classifier as tables, in the report of its run and on a terminal."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from recurra.errors import ConfigError, DataError
from recurra.plain import one_line
from recurra.reports import Table, reliability_diagram
from recurra.tasks.labelling.figures import LabelFigures
from recurra.tasks.labelling.mistakes import worst_mistakes
from recurra.tasks.model import PARTS, Page

if TYPE_CHECKING:
    from recurra.tasks.labelling.labeller import Labeller

CONFUSION = "gold \\ predicted"
_WIDEST_CONFUSION = 12  # labels; a larger table does not fit the page
_WORST = 15  # mistakes on the page
_ROWS = 2_000  # validation rows searched for the worst mistakes
_SHARES = {
    "f1": "F1",
    "word_accuracy": "word accuracy",
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "sentence_label_accuracy": "sentence label accuracy",
    "sentence_label_macro_f1": "sentence label macro F1",
    "sentence_accuracy": "sentence accuracy",
    "calibration_error": "calibration error",
}
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
                f"{part} {name}": f"{known[key]:.2%}" for key, name in _SHARES.items() if key in known
            }
            tables += _tables(part, record, of_rows)
            pictures[f"Calibration{of_labels}, {part} data"] = reliability_diagram(record["bins"])
    mistakes, notes = _mistakes(model)
    return Page("word" if tags else "row", figures, tables=tables + mistakes, pictures=pictures, notes=notes)


def _tables(part: str, record: Mapping[str, Any], of_rows: str) -> list[Table]:
    """Return the metrics per label and the confusion matrix in the record of a part.

    `of_rows` names the labels of rows in a title, if words have labels too.
    """
    found = []
    for title, labels in record["by_label"].items():
        rows = [
            # Runs of older versions store the support as "wanted".
            [name, *(f"{hits[key]:.2%}" for key in ("precision", "recall", "f1")), f"{_support(hits):,}"]
            for name, hits in labels.items()
        ]
        columns = ["Label", "Precision", "Recall", "F1", "Support"]
        # Runs of older versions call the sentence labels "labels".
        name = "sentence labels" if title == "labels" and of_rows else title
        found.append(Table(f"{name}, {part} data", columns, rows))
    if "confusion" in record and len(record["confusion"]["labels"]) <= _WIDEST_CONFUSION:
        names, counts = record["confusion"]["labels"], record["confusion"]["counts"]
        rows = [[name, *map(str, row)] for name, row in zip(names, counts, strict=True)]
        found.append(Table(f"Confusion matrix{of_rows}, {part} data", [CONFUSION.capitalize(), *names], rows))
    return found


def _support(hits: Mapping[str, Any]) -> int:
    return int(hits["support"] if "support" in hits else hits["wanted"])


def _mistakes(model: "Labeller") -> tuple[list[Table], list[str]]:
    """Return a table of the worst mistakes in the first validation rows, or a note if they are missing."""
    try:
        rows = model.rows_of(None)
    except (ConfigError, DataError):
        return [], [model.not_shown("The worst mistakes are")]
    where = "validation data" if len(rows) <= _ROWS else f"first {_ROWS:,} rows of the validation data"
    searched = rows[:_ROWS]
    found = worst_mistakes(searched, model.predict_rows(searched), _WORST, spans=model.symbols.spans)
    title = f"Worst mistakes in the {where}: wrong predictions with the highest probability"
    columns = ["Place", "Gold", "Predicted", "Probability"]
    shown = [[one.place, one.gold, one.predicted, f"{one.confidence:.1%}", one.text] for one in found]
    return [Table(title, [*columns, "Text" if model.symbols.words else "Steps"], shown)] if shown else [], []


def table_lines(figures: LabelFigures) -> list[str]:
    """Return the metrics per label, the confusion matrix of a few labels, and the calibration error."""
    lines = []
    for title, table in figures.tables().items():
        rows = [["precision", "recall", "F1", "support", "predicted"]]
        rows += [
            [
                f"{hits.precision:.2%}",
                f"{hits.recall:.2%}",
                f"{hits.f1:.2%}",
                f"{hits.support:,}",
                f"{hits.predicted:,}",
            ]
            for hits in table.values()
        ]
        lines += ["", *_aligned([title, *table], rows)]
    of_rows = figures.classes or figures.tags
    if of_rows is not None and 1 < len(of_rows.labels) <= _WIDEST_CONFUSION:
        counts = [of_rows.labels, *([f"{count:,}" for count in row] for row in of_rows.table())]
        lines += ["", *_aligned([CONFUSION, *of_rows.labels], counts)]
    error = figures.reliability.error
    lines += [
        "",
        f"calibration error {error:.2%}: mean difference between predicted probability and accuracy",
    ]
    return lines


def _aligned(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table as lines, with names left-aligned and figures right-aligned."""
    names, rows = list(map(one_line, names)), [list(map(one_line, row)) for row in rows]
    first = max(map(len, names))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        name.ljust(first) + "".join(cell.rjust(width + 2) for cell, width in zip(row, widths, strict=True))
        for name, row in zip(names, rows, strict=True)
    ]
