"""`recurra report RUN`."""

from pathlib import Path
from typing import Annotated

import typer


def report(run: Annotated[Path, typer.Argument(help="Folder of a trained run.")]) -> None:
    """Write report.html into a run's folder: curves, figures, samples, configuration."""
    from recurra.tasks.model import load

    typer.echo(f"report: {load(run).report()}")
