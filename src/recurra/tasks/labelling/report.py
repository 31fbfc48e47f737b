"""The figures of a tagger or classifier as tables: on the page of its run, and on a terminal."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from recurra.reports import Table, reliability_diagram
from recurra.tasks.labelling.figures import LabelFigures
from recurra.tasks.model import PARTS, Page

if TYPE_CHECKING:
    from recurra.tasks.labelling.facade import Labeller

_WIDEST_CONFUSION = 12  # labels: a wider table is wider than the page
_SHARES = {
    "f1": "F1",
    "tag_accuracy": "words right",
    "accuracy": "accuracy",
    "exact": "rows right throughout",
}


def page_of(model: "Labeller") -> Page:
    """What the run's metrics say of its end."""
    assert model.run is not None, "a page is of a run"
    figures: dict[str, str] = {}
    tables: list[Table] = []
    pictures: dict[str, str] = {}
    for record in model.run.read_metrics():
        part = PARTS.get(record["kind"])
        if part is not None:
            figures |= {
                f"{part}: {name}": f"{record[key]:.2%}" for key, name in _SHARES.items() if key in record
            }
            tables += _tables(part, record)
            pictures[f"is it right as often as it says? {part}"] = reliability_diagram(record["bins"])
    unit = "word" if model.symbols.labels is not None else "row"
    return Page(unit, figures, tables=tables, pictures=pictures)


def _tables(part: str, record: Mapping[str, Any]) -> list[Table]:
    """What the record of a part says of each label, the confusion matrix, and of its probabilities."""
    found = []
    for title, labels in record["by_label"].items():
        rows = [
            [name, *(f"{hits[key]:.2%}" for key in ("precision", "recall", "f1")), f"{hits['wanted']:,}"]
            for name, hits in labels.items()
        ]
        found.append(Table(f"{title}, {part}", ["", "precision", "recall", "F1", "support"], rows))
    if "confusion" in record and len(record["confusion"]["labels"]) <= _WIDEST_CONFUSION:
        names, counts = record["confusion"]["labels"], record["confusion"]["counts"]
        rows = [[name, *map(str, row)] for name, row in zip(names, counts, strict=True)]
        found.append(
            Table(
                f"Confusion matrix, {part}: rows are gold labels, columns predicted ones", ["", *names], rows
            )
        )
    bins = [
        [f"{i / 10:.1f} to {(i + 1) / 10:.1f}", f"{count:,}", f"{said:.2%}", f"{right:.2%}"]
        for i, (count, said, right) in enumerate(record["bins"])
        if count
    ]
    columns = ["probability", "how many", "said on the mean", "were right"]
    found.append(Table(f"probabilities, {part} (error {record['calibration_error']:.2%})", columns, bins))
    return found


def table_lines(figures: LabelFigures) -> list[str]:
    """The hits of each label, and for a few labels the confusion matrix."""
    lines = []
    for title, table in figures.tables().items():
        rows = [["precision", "recall", "F1", "support", "predicted"]]
        rows += [
            [
                f"{hits.precision:.2%}",
                f"{hits.recall:.2%}",
                f"{hits.f1:.2%}",
                f"{hits.wanted:,}",
                f"{hits.found:,}",
            ]
            for hits in table.values()
        ]
        lines += ["", *_aligned([title, *table], rows)]
    of_rows = figures.classes or figures.tags
    if of_rows is not None and 1 < len(of_rows.labels) <= _WIDEST_CONFUSION:
        counts = [of_rows.labels, *([f"{count:,}" for count in row] for row in of_rows.table())]
        lines += ["", *_aligned(["gold \\ predicted", *of_rows.labels], counts)]
    error = figures.reliability.error
    lines += [
        "",
        f"calibration error {error:.2%}: how far the probabilities are from the share that is right",
    ]
    return lines


def _aligned(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table as lines: names to the left, figures to the right."""
    first = max(map(len, names))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        name.ljust(first) + "".join(cell.rjust(width + 2) for cell, width in zip(row, widths, strict=True))
        for name, row in zip(names, rows, strict=True)
    ]
