"""report.html: curves, figures, samples and configuration of a run in one file without any fetches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from recurra.errors import RunError
from recurra.files import write_text
from recurra.reports.curves import learning_curve
from recurra.runs import RunFolder


@dataclass(frozen=True)
class Sample:
    """A piece of text that the model wrote: when, with what, and what is to be said of it."""

    title: str
    text: str
    note: str = ""


@dataclass(frozen=True)
class Table:
    """A table of a page: its title, the heads of its columns, its rows."""

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
) -> Path:
    """Write the run's page; returns its path. `pictures` are SVG of ours, by their titles.

    Raises: RunError if the run has no metrics yet, or they are damaged; StorageError if the page cannot be
    written.
    """
    settings = run.read_settings()
    records = run.read_metrics()
    if not any(record["kind"] in ("training", "validation") for record in records):
        raise RunError(f"{run.metrics.path}: has nothing to draw yet; train the run for some more steps.")
    # A model that was counted, not trained, has its last figures and no curve.
    counted = not any(record["kind"] == "training" and "loss" in record for record in records)
    environment = Environment(loader=PackageLoader("recurra.reports"), autoescape=True, trim_blocks=True)
    page = environment.get_template("run.html").render(
        title=title,
        # Drawn by us from numbers alone.
        curve="" if counted else Markup(learning_curve(records, unit=unit, loss_unit=loss_unit)),
        figures=figures,
        samples=samples,
        tables=tables,
        pictures={title: Markup(svg) for title, svg in (pictures or {}).items()},
        config=settings["config"],
        versions=settings.get("versions", {}),
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
) -> None:
    """Write a page that shows runs side by side: a table, notes on it, and their learning curves.

    `curves` are SVG of ours, as `curves_together` draws them.

    Raises: StorageError if it cannot be written.
    """
    environment = Environment(loader=PackageLoader("recurra.reports"), autoescape=True, trim_blocks=True)
    page = environment.get_template("comparison.html").render(
        title=title, subtitle=subtitle, columns=columns, rows=rows, notes=notes, curves=Markup(curves)
    )
    write_text(path, page)
