"""`recurra evaluate RUN`."""

import json
from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder of a trained run.")],
    data: Annotated[
        Path | None, typer.Option(help="Text to evaluate on; without it, the part held out in training.")
    ] = None,
    streams: Annotated[
        int,
        typer.Option(min=1, help="Parallel streams: 1 carries the state over all the text, more are faster."),
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """How well a run's model predicts a text: every symbol counted, ends of lines too."""
    from recurra.tasks.loading import load

    figures = load(run).evaluate(data, streams=streams)
    typer.echo(json.dumps(figures.to_dict()) if as_json else figures.sentence())
