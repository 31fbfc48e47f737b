"""report.html: curves, metrics, samples and configuration of a run in one self-contained file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, Template
from markupsafe import Markup

from recurra.errors import RunError
from recurra.files import write_text
from recurra.reports.curves import learning_curve
from recurra.runs import RunFolder


@dataclass(frozen=True)
class Sample:
    """A text that the model generated: its title, the text, a note on it."""

    title: str
    text: str
    note: str = ""


@dataclass(frozen=True)
class Table:
    """A table of a page: its title, its column names, its rows."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def write_report(
    run: RunFolder,
    *,
    title: str,
    unit: str,
    loss_unit: str = "nats",
    figures: Mapping[str, str],
    samples: Sequence[Sample] = (),
    tables: Sequence[Table] = (),
    pictures: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
    options: Mapping[str, Any],
    changed: Sequence[str] = (),
) -> Path:
    """Write the page of a run and return its path.

    `notes` are sentences on what the page does not show.
    `pictures` maps titles to SVG text drawn by Recurra; `options` are those of the run under their current
    names, and `changed` names the ones that differ from their defaults, which are shown first.

    Raises: RunError if the run has no metrics yet, or they are damaged; StorageError if the page cannot be
    written.
    """
    records = run.read_metrics()
    if not any(record["kind"] in ("training", "validation") for record in records):
        raise RunError(f"{run.metrics.path}: has no metrics to draw yet; train the run for more steps.")
    # A model that is counted, not trained, has final metrics but no learning curve.
    counted = not any(record["kind"] == "training" and "loss" in record for record in records)
    page = template("run.html").render(
        title=title,
        # Safe markup: drawn by Recurra from numbers only.
        curve="" if counted else Markup(learning_curve(records, unit=unit, loss_unit=loss_unit)),
        figures=figures,
        samples=samples,
        tables=tables,
        notes=notes,
        pictures={title: Markup(svg) for title, svg in (pictures or {}).items() if svg},
        changed={name: options[name] for name in changed},
        others={name: value for name, value in options.items() if name not in changed},
        versions=run.read_settings().get("versions", {}),
        run=run.path.name,
    )
    write_text(run.report, page)
    return run.report


def write_comparison(
    path: Path,
    *,
    title: str,
    subtitle: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    notes: Sequence[str] = (),
    curves: str = "",
    heading: str = "Learning curves",
) -> None:
    """Write a page that compares runs: a table, notes on it, and a picture below a heading.

    `curves` is SVG text, for example that of `curves_together`.

    Raises: StorageError if it cannot be written.
    """
    page = template("comparison.html").render(
        title=title,
        subtitle=subtitle,
        columns=columns,
        rows=rows,
        notes=notes,
        curves=Markup(curves),
        heading=heading,
    )
    write_text(path, page)


def template(name: str) -> Template:
    """Return a template of this package."""
    environment = Environment(loader=PackageLoader("recurra.reports"), autoescape=True, trim_blocks=True)
    environment.filters["sentence_case"] = _sentence_case
    return environment.get_template(name)


def _sentence_case(title: str) -> str:
    """Return the title with a capital first letter."""
    return title[:1].upper() + title[1:]
