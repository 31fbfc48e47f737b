"""`recurra predict RUN`, and its variants for one task."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from recurra.cli.help import HelpAll
from recurra.cli.options import Command, config_options, options_of_run, options_of_tasks
from recurra.config import build_config
from recurra.tasks import registry

Run = Annotated[Path, typer.Argument(help="Folder of the run.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]

_MAIN = (
    *("n_best", "reject_below", "format", "turns", "length", "beam_width", "prefix", "phrase"),
    *("sample", "temperature", "top_k", "top_p", "seed"),
)


def command() -> Command:
    """`predict` with the options of all tasks."""
    made: Any = config_options(*options_of_tasks("prediction"))(predict)
    made.main_options = _MAIN
    return cast("Command", made)


def predict(
    run: Run,
    file: Annotated[
        str, typer.Argument(help="Text with one input per line, - for standard input; or a table or folder.")
    ] = "-",
    as_json: AsJson = False,
    help_all: HelpAll = False,
    *,
    options: dict[str, Any],
) -> None:
    """Predict: one output line per line of text, or per row of a table or data folder.

    echo 'i want to fly to boston' | recurra predict runs/atis
    """
    _predict(run, file, options, as_json=as_json)


def predict_only(name: str, help_of_file: str, text: str, *, lines: bool = True) -> Callable[..., None]:
    """Return `recurra predict` for runs of one task, with the options of that task; `text` is its help.

    `lines` is whether it reads lines, and therefore standard input.
    """

    default: Any = "-" if lines else ...

    def command(run: Run, file: str = default, as_json: AsJson = False, *, options: dict[str, Any]) -> None:
        from recurra.runs import RunFolder
        from recurra.tasks.model import check_kind

        RunFolder.open(run)
        check_kind(run, registry.get(name).model)
        _predict(run, file, options, as_json=as_json)

    command.__doc__ = text
    command.__annotations__["file"] = Annotated[str, typer.Argument(help=help_of_file)]
    return config_options(registry.config_of(name).prediction)(command)


def _predict(run: Path, file: str, given: dict[str, Any], *, as_json: bool) -> None:
    """Print the predictions one by one, as soon as they are available."""
    from recurra.data.inputs import Input
    from recurra.plain import json_line
    from recurra.tasks.model import load

    def tell(sentence: str) -> None:
        typer.echo(sentence, err=True)

    with options_of_run(run, "prediction", given):
        model = load(run)
        options = build_config(type(model.config).prediction, overrides=given)
        for answer in model.predictions(Input(file), options, as_json=as_json, tell=tell):
            typer.echo(json_line(answer.to_dict()) if as_json else answer.line())
