"""Figures of taggers and classifiers on a terminal: tables of labels, what is taken for what, mistakes."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from recurra.tasks.labelling.facade import Labeller
    from recurra.tasks.labelling.figures import LabelFigures

_WIDEST_CONFUSION = 12  # labels


def show_figures(
    model: "Labeller", data: Path | str | None, *, mistakes: int, skip_bad: bool, as_json: bool
) -> None:
    """Print how a model does on the rows of a file, or on those held out."""
    from recurra.data.examples import BadRows
    from recurra.tasks.labelling.figures import count_figures
    from recurra.tasks.labelling.mistakes import worst_mistakes

    bad = BadRows(skip_bad or model.config.skip_bad)
    rows = model.rows_of(data, bad)
    left_out(bad.sentences, "left out")
    said = model.predict_rows(rows)
    figures = count_figures(rows, said, model.symbols)
    if as_json:
        typer.echo(json.dumps(figures.to_dict(), ensure_ascii=False))
        return
    typer.echo(figures.sentence())
    for line in table_lines(figures):
        typer.echo(line)
    for mistake in worst_mistakes(rows, said, mistakes):
        typer.echo(mistake)


def left_out(sentences: Sequence[str], what: str, shown: int = 3) -> None:
    """Say on standard error how many rows there is something to be said of, and of the first ones what."""
    if not sentences:
        return
    typer.echo(f"{len(sentences):,} rows {what}:", err=True)
    for sentence in sentences[:shown]:
        typer.echo(f"  {sentence}", err=True)
    if len(sentences) > shown:
        typer.echo(f"  and {len(sentences) - shown:,} more", err=True)


def table_lines(figures: "LabelFigures") -> list[str]:
    """The hits of each label, and for a few labels what is taken for what."""
    lines = []
    for title, table in figures.tables().items():
        rows = [["precision", "recall", "F1", "wanted", "found"]]
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
        lines += ["", *_aligned(["wanted, and taken for", *of_rows.labels], counts)]
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
