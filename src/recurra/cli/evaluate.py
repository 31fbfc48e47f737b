"""`recurra evaluate RUN`."""

from pathlib import Path
from typing import Annotated, Any, cast

import typer

from recurra.cli.help import HelpAll
from recurra.cli.options import Command, config_options, options_of_run, options_of_tasks
from recurra.config import build_config

_MAIN = (
    *("target", "format", "streams", "mistakes", "thresholds", "label", "saved_thresholds", "threshold"),
    *("beam_width", "length_penalty", "by_length", "picture"),
)


def command() -> Command:
    """`evaluate` with the options of all tasks."""
    made: Any = config_options(*options_of_tasks("evaluation"))(evaluate)
    made.main_options = _MAIN
    return cast("Command", made)


def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    data: Annotated[
        Path | None, typer.Option(help="File to evaluate on (if not given, the held-out data).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON.")] = False,
    help_all: HelpAll = False,
    *,
    options: dict[str, Any],
) -> None:
    """Evaluate a model on a file, or on the data held out in training.

    Files are read with the same format options as the training data, unless overridden.
    """
    from recurra.data.examples import rows_told
    from recurra.plain import json_line
    from recurra.tasks.model import load

    with options_of_run(run, "evaluation", options):
        model = load(run)
        found = model.evaluation(data, build_config(type(model.config).evaluation, overrides=options))
    for sentence in (*found.notes, *rows_told(found.left_out, "skipped")):
        typer.echo(sentence, err=True)
    for line in [json_line(found.figures)] if as_json else found.lines:
        typer.echo(line)
