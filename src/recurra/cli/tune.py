"""`recurra tune TASK`: search over options."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recurra.cli.help import HelpAll
from recurra.cli.options import TaskGroup, Toml, config_options, preset_option
from recurra.config import TaskConfig
from recurra.config.search import TRIALS, Pruner
from recurra.errors import ConfigError
from recurra.plain import json_line
from recurra.tasks import registry

if TYPE_CHECKING:
    from recurra.tasks.tuning import Given, TuningResult


class _Tasks(TaskGroup):
    """The commands that search."""

    def made(self, name: str, config: type[TaskConfig]) -> Any:
        return _command(name, config)


app = typer.Typer(
    cls=_Tasks,
    help="Search over the options of a task. Ctrl-C saves; the same command continues.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.callback()
def tune() -> None:
    """Search over the options of a task."""


_PANEL = "Search"
_Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder to write the search to.")]
_Space = Annotated[
    Path | None,
    typer.Option(
        help="TOML file of the values to try (if not given: those of --print-space).", rich_help_panel=_PANEL
    ),
]
_Trials = Annotated[int, typer.Option(help="Number of trials in total.", min=1, rich_help_panel=_PANEL)]
_Minutes = Annotated[
    float | None,
    typer.Option(help="Start no trial once the trials took this long together.", rich_help_panel=_PANEL),
]
_Pruner = Annotated[
    Pruner,
    typer.Option(
        help="Stop trials early that are worse than the median of others (median), or by successive "
        "halving; or none.",
        rich_help_panel=_PANEL,
    ),
]
_KeepRuns = Annotated[
    bool, typer.Option("--keep-runs", help="Keep the runs of all trials.", rich_help_panel=_PANEL)
]
_PrintSpace = Annotated[
    bool,
    typer.Option("--print-space", help="Print the default space as TOML and exit.", rich_help_panel=_PANEL),
]
_AsJson = Annotated[bool, typer.Option("--json", help="Print trials and metrics as JSON.")]
_OWN = ("space", "trials", "minutes", "pruner", "keep_runs", "print_space")


def _command(name: str, config: type[TaskConfig]) -> Any:
    """Return the command that searches over the options of a task."""

    def command(
        out: _Out = None,
        space: _Space = None,
        trials: _Trials = TRIALS,
        minutes: _Minutes = None,
        pruner: _Pruner = "median",
        keep_runs: _KeepRuns = False,
        print_space: _PrintSpace = False,
        config: Toml = None,
        preset: str | None = None,
        as_json: _AsJson = False,
        help_all: HelpAll = False,
        *,
        options: dict[str, Any],
    ) -> None:
        from recurra.tasks.tuning.plan import Given

        given = Given(registry.config_of(name), options, preset, config)
        if print_space:
            _print_space(name, given)
            return
        if out is None:
            raise ConfigError("out: is missing; name a folder to write the search to with -o.")
        from rich.console import Console

        from recurra.tasks.tuning import search
        from recurra.tasks.tuning.progress import SearchProgress

        watcher = SearchProgress(Console(stderr=True), trials)
        found = search(name, given, space, out, trials, minutes, pruner, keep_runs, watcher)
        if as_json:
            typer.echo(json_line(found.to_dict()))
        else:
            _print(found)

    command.__doc__ = (
        f"Search over the options of `recurra train {name}`, such as the learning rate and sizes.\n\n"
        f"{config.example.replace('recurra train', 'recurra tune')} --trials {TRIALS}"
    )
    command.__annotations__["preset"] = preset_option(config)
    made: Any = config_options(config, without="" if config.preset_names() else "preset")(command)
    made.main_options = (*_OWN, *config.main_options) if config.main_options else ()
    return made


def _print_space(name: str, given: "Given") -> None:
    """Print the default space around the given options; no data files are needed."""
    from dataclasses import replace

    from recurra.tasks.tuning.plan import Plan
    from recurra.tasks.tuning.space import space_text

    given = replace(given, options={"data": "data", **given.options})
    space = Plan.of(registry.get(name), given, None, Path()).space
    typer.echo(space_text(given.config, {name: each.plain() for name, each in space.items()}), nl=False)


def _print(found: "TuningResult") -> None:
    """Print the table of trials, the result and the next commands."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title="trials, best first: validation figures")
    for name in found.columns():
        table.add_column(name, justify="left" if name in ("options", "state") else "right", overflow="fold")
    for row in found.cells():
        table.add_row(*row)
    Console(width=None if Console().is_terminal else 150).print(table)
    for sentence in found.sentences():
        typer.echo(sentence)
    typer.echo(f"report: {found.report}")
    typer.echo("next:  " + "   ".join(found.task.next_commands(found.best.config, found.result.run)))
