"""`recurra train TASK`, `recurra train --resume RUN`."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

# The module of each task's command: loaded only where it is asked for, since its options come from
# the task's configuration, and `recurra --help` has to be there at once.
_TASKS = {
    "lm": ("recurra.cli.train_lm", "app"),
    "tag": ("recurra.cli.train_labelling", "tag"),
    "classify": ("recurra.cli.train_labelling", "classify"),
    "pair": ("recurra.cli.train_labelling", "pair"),
    "translate": ("recurra.cli.train_seq2seq", "translate"),
    "chat": ("recurra.cli.train_seq2seq", "chat"),
    "caption": ("recurra.cli.train_seq2seq", "caption"),
}


class _Tasks(TyperGroup):
    """The tasks, each loaded by its name."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(_TASKS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in _TASKS:
            return None
        from importlib import import_module

        module, name = _TASKS[cmd_name]
        return typer.main.get_command(getattr(import_module(module), name))


app = typer.Typer(
    cls=_Tasks,
    help="Train a model on your data; Ctrl-C saves, --resume goes on.",
    invoke_without_command=True,
)


@app.callback()
def train(
    context: typer.Context,
    resume: Annotated[Path | None, typer.Option(help="Go on with the run in this folder.")] = None,
) -> None:
    """Train a model of some task, or go on with a run that was stopped."""
    if context.invoked_subcommand is not None:
        if resume is not None:
            raise typer.BadParameter("goes on as the run was asked; name no task", param_hint="--resume")
        return
    if resume is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)
    from importlib import import_module

    from recurra.errors import RunError
    from recurra.runs import RunFolder

    task = RunFolder.open(resume).read_settings().get("task")
    if task not in _TASKS:
        raise RunError(f"{resume}: is of task {task!r}, which this Recurra does not know; upgrade it.")
    import_module(_TASKS[task][0]).go_on(resume)
