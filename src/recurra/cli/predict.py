"""`recurra predict RUN`, and its variants for one task."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from recurra.cli.help import HelpAll
from recurra.cli.options import Command, config_options, options_of_run, options_of_tasks
from recurra.config import TaskConfig, build_config
from recurra.plain import counted
from recurra.tasks import registry

Run = Annotated[Path, typer.Argument(help="Folder of the run.")]
Workers = Annotated[
    int, typer.Option(min=1, max=1024, help="Number of processes that share the inputs of a large file.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]

_MAIN = (
    *(
        "n_best",
        "reject_below",
        "saved_thresholds",
        "threshold",
        "format",
        "turns",
        "length",
        "beam_width",
        "prefix",
        "phrase",
    ),
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
    workers: Workers = 1,
    as_json: AsJson = False,
    help_all: HelpAll = False,
    *,
    options: dict[str, Any],
) -> None:
    """Predict: one output line per line of text, or per row of a table or data folder.

    echo 'i want to fly to boston' | recurra predict runs/atis
    """
    _predict(run, file, options, workers=workers, as_json=as_json)


def predict_only(name: str, help_of_file: str, text: str, *, lines: bool = True) -> Callable[..., None]:
    """Return `recurra predict` for runs of one task, with the options of that task; `text` is its help.

    `lines` is whether it reads lines, and therefore standard input.
    """

    default: Any = "-" if lines else ...

    def command(
        run: Run,
        file: str = default,
        workers: Workers = 1,
        as_json: AsJson = False,
        *,
        options: dict[str, Any],
    ) -> None:
        from recurra.runs import RunFolder
        from recurra.tasks.model import check_kind

        RunFolder.open(run)
        check_kind(run, registry.get(name).model)
        _predict(run, file, options, workers=workers, as_json=as_json)

    command.__doc__ = text
    command.__annotations__["file"] = Annotated[str, typer.Argument(help=help_of_file)]
    return config_options(registry.config_of(name).prediction)(command)


def _predict(run: Path, file: str, given: dict[str, Any], *, workers: int, as_json: bool) -> None:
    """Print the predictions one by one, as soon as they are available."""
    from recurra.tasks.workers import predicted_lines

    def tell(sentence: str) -> None:
        typer.echo(sentence, err=True)

    with options_of_run(run, "prediction", given), _progress(workers) as progress:
        options = build_config(_config_of(run).prediction, overrides=given)
        for line in predicted_lines(
            run, file, options, workers=workers, as_json=as_json, tell=tell, progress=progress
        ):
            typer.echo(line)


def _config_of(run: Path) -> type[TaskConfig]:
    from recurra.runs import RunFolder

    return registry.task_of(RunFolder.open(run)).config


@contextmanager
def _progress(workers: int) -> Iterator[Callable[[int], None] | None]:
    """Show the number of inputs that several processes have predicted, on a terminal without the output."""
    if workers == 1 or not sys.stderr.isatty() or sys.stdout.isatty():
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status("") as status:
        yield lambda number: status.update(f"{counted(number, 'input')} predicted")
