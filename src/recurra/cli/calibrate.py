"""`recurra calibrate RUN`."""

from pathlib import Path
from typing import Annotated, Any, cast

import typer

from recurra.cli.help import HelpAll
from recurra.cli.options import Command, config_options, options_of_run, options_of_tasks
from recurra.config import build_config
from recurra.errors import ConfigError

_MAIN = ("maximise", "threshold_for", "format", "remove")


def command() -> Command:
    """`calibrate` with the options of all tasks."""
    made: Any = config_options(*options_of_tasks("calibration"))(calibrate)
    made.main_options = _MAIN
    return cast("Command", made)


def calibrate(
    run: Annotated[Path, typer.Argument(help="Folder of a tagger or classifier.")],
    data: Annotated[
        Path | None,
        typer.Option(help="File with gold labels to fit to (if not given, the validation data)."),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the calibration of the run.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the calibration as JSON.")] = False,
    help_all: HelpAll = False,
    *,
    options: dict[str, Any],
) -> None:
    """Fit the probabilities of a model to held-out data, and choose thresholds.

    The result is saved in the run folder. `predict` and `evaluate` then use the calibrated probabilities,
    and with --saved-thresholds also the thresholds.
    """
    from recurra.data.examples import rows_told
    from recurra.plain import json_line, shell
    from recurra.runs import RunFolder
    from recurra.runs.calibration_file import remove_calibration
    from recurra.tasks.labelling.calibrating import calibrate_with
    from recurra.tasks.labelling.labeller import Labeller
    from recurra.tasks.model import check_kind, load

    check_kind(run, Labeller)
    if remove:
        if options or data is not None:
            raise ConfigError("--remove: cannot be combined with other options; remove them.")
        there = remove_calibration(RunFolder.open(run))
        typer.echo("removed" if there else f"{run}: has no calibration")
        return
    with options_of_run(run, "calibration", options):
        model = load(run, Labeller)
        part: Any = build_config(type(model.config).calibration, overrides=options)
        model, bad = calibrate_with(model, data, part)
    found = model.calibration
    assert found is not None, "it was fitted"
    for sentence in (*bad.notes, *rows_told(bad.sentences, "skipped")):
        typer.echo(sentence, err=True)
    for line in [json_line(found.to_dict())] if as_json else found.lines():
        typer.echo(line)
    page = model.report()
    if not as_json:
        typer.echo(f"report: {page}")
        thresholds = " --saved-thresholds" if found.thresholds else ""
        typer.echo(
            f"next:  recurra evaluate {shell(run)} --data FILE{thresholds}   "
            f"recurra predict {shell(run)} FILE{thresholds}"
        )
