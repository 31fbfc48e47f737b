"""`recurra report RUN`."""

from pathlib import Path
from typing import Annotated

import typer


def report(run: Annotated[Path, typer.Argument(help="Folder of the run.")]) -> None:
    """Write report.html to the folder of a run: curves, metrics, samples, configuration."""
    from recurra.tasks.model import load

    typer.echo(f"report: {load(run).report()}")
