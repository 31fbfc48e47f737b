"""`recurra evaluate RUN`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from recurra.cli.options import Command, check_options, config_options, options_of_tasks
from recurra.config import build_config


def command() -> Command:
    """`evaluate` with the options of all tasks."""
    return config_options(*options_of_tasks("evaluation"))(evaluate)


def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder of a trained run.")],
    data: Annotated[
        Path | None, typer.Option(help="File to evaluate on; without it, the held-out part.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    *,
    options: dict[str, Any],
) -> None:
    """How well a run's model does: its figures on a file, or on the held-out part.

    Files are read as those that were trained on, unless the options of reading say otherwise.
    """
    from recurra.data.examples import rows_told
    from recurra.plain import json_line
    from recurra.tasks.model import load

    check_options(run, "evaluation", options)
    model = load(run)
    found = model.evaluation(data, build_config(type(model.config).evaluation, overrides=options))
    for sentence in rows_told(found.left_out, "left out"):
        typer.echo(sentence, err=True)
    for line in [json_line(found.figures)] if as_json else found.lines:
        typer.echo(line)
