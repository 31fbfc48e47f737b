"""The metrics of a tagger or classifier as tables on a terminal."""

from typing import TYPE_CHECKING

from recurra.metrics.labels import Average, Hits, macro_average
from recurra.plain import aligned

if TYPE_CHECKING:
    from recurra.tasks.labelling.figures import LabelFigures

MACRO_AVERAGE = "macro average"
CONFUSION = "gold \\ predicted"
WIDEST_CONFUSION = 12  # labels; a larger table does not fit the page


def table_lines(figures: "LabelFigures") -> list[str]:
    """Return the metrics per label, the confusion matrix of a few labels, and the calibration error."""
    lines = []
    for title, table in figures.tables().items():
        rows = [["precision", "recall", "F1", "support", "predicted"]]
        every: list[Hits | Average] = [*table.values(), macro_average(table)]
        rows += map(_cells, every)
        lines += ["", *aligned([title, *table, MACRO_AVERAGE], rows)]
    of_rows = figures.classes or figures.tags
    if of_rows is not None and 1 < len(of_rows.labels) <= WIDEST_CONFUSION:
        counts = [of_rows.labels, *([f"{count:,}" for count in row] for row in of_rows.table())]
        lines += ["", *aligned([CONFUSION, *of_rows.labels], counts)]
    if figures.scores is not None:
        return lines
    error = figures.reliability.error
    lines += [
        "",
        f"calibration error {error:.2%}: mean difference between predicted probability and accuracy",
    ]
    return lines


def _cells(hits: Hits | Average) -> list[str]:
    shares = (hits.precision, hits.recall, hits.f1)
    return [*(f"{share:.2%}" for share in shares), f"{hits.support:,}", f"{hits.predicted:,}"]
