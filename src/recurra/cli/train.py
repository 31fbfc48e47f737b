"""`recurra train TASK`, `recurra train --resume RUN`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recurra.cli.help import HelpAll, UsageError, remedies_with
from recurra.cli.options import Out, Overwrite, TaskGroup, Toml, config_options, preset_option
from recurra.config import TaskConfig
from recurra.errors import ConfigError
from recurra.tasks import registry

if TYPE_CHECKING:
    from recurra.tasks.driver import TrainingResult
    from recurra.tasks.task import Task
    from recurra.training import Trainer


class _Tasks(TaskGroup):
    """The commands that train."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the options; one of a task, which a resumed run keeps, is refused as such."""
        resumes = any(arg.split("=")[0] == "--resume" for arg in args)
        try:
            return super().parse_args(ctx, args)
        except UsageError as error:
            name = getattr(error, "option_name", "").lstrip("-").removeprefix("no-").replace("-", "_")
            if resumes and any(name in config.model_fields for config in registry.configs().values()):
                from recurra.tasks.going_on import refusal_of

                raise ConfigError(f"{error.option_name}: {refusal_of(name)}") from None
            raise

    def made(self, name: str, config: type[TaskConfig]) -> Any:
        return _command(name, config)


app = typer.Typer(
    cls=_Tasks,
    help="Train a model on your data. Ctrl-C saves a checkpoint; --resume RUN continues.",
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.callback()
def train(
    context: typer.Context,
    resume: Annotated[Path | None, typer.Option(help="Continue the run in this folder.")] = None,
    epochs: Annotated[
        int | None, typer.Option(help="With --resume: new total number of epochs.", min=1)
    ] = None,
    max_steps: Annotated[
        int | None, typer.Option(help="With --resume: new maximum number of updates.", min=1)
    ] = None,
    patience: Annotated[
        int | None, typer.Option(help="With --resume: new number of validations without improvement.", min=1)
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="With --resume: new peak learning rate.")
    ] = None,
) -> None:
    """Train a model on your data, or continue a run."""
    changes = {
        name: value for name, value in context.params.items() if name != "resume" and value is not None
    }
    flag = next(("--" + name.replace("_", "-") for name in changes), "")
    if context.invoked_subcommand is not None:
        if resume is not None:
            raise typer.BadParameter(
                "continues a run with its own options; remove the task", param_hint="--resume"
            )
        if changes:
            raise typer.BadParameter("belongs after the task; move it there", param_hint=flag)
        return
    if resume is None:
        if changes:
            raise typer.BadParameter("needs --resume RUN or a task; add one of them", param_hint=flag)
        typer.echo(context.get_help())
        raise typer.Exit(2)
    _go_on(resume, changes)


def _command(name: str, config: type[TaskConfig]) -> Any:
    """Return the command that trains a task."""

    def command(
        out: Out,
        config: Toml = None,
        preset: str | None = None,
        overwrite: Overwrite = False,
        help_all: HelpAll = False,
        *,
        options: dict[str, Any],
    ) -> None:
        _train(name, out, config, preset, overwrite, options)

    command.__doc__ = f"{config.summary}\n\n{config.example}"
    command.__annotations__["preset"] = preset_option(config)
    made: Any = config_options(config, without="" if config.preset_names() else "preset")(command)
    made.main_options = config.main_options
    return made


def _train(
    name: str,
    out: Path,
    toml: Path | None,
    preset: str | None,
    overwrite: bool,
    options: dict[str, Any],
) -> None:
    config = registry.config_of(name).build(preset, toml, options)
    from recurra.tasks import driver, repeats

    task = registry.get(name)

    def introduce(trainer: "Trainer", corpus: Any) -> None:
        for sentence in (*task.introduce(corpus), *trainer.sentences()):
            typer.echo(sentence, err=True)

    if not config.is_repeated:
        watchers = [progress_bar(task, config)]
        result = driver.train(task, config, out, overwrite=overwrite, listeners=watchers, on_ready=introduce)
        report_end(task, result)
        return
    found = repeats.train_repeatedly(
        task,
        config,
        out,
        overwrite=overwrite,
        listeners=lambda: [progress_bar(task, config)],
        on_part=_report_part,
        on_ready=introduce,
    )
    if found.results[0].is_main_process:
        for line in found.lines():
            typer.echo(line)
        typer.echo(f"summary: {out / repeats.SUMMARY}")


def _go_on(run: Path, changes: dict[str, Any]) -> None:
    """Resume a run that was stopped, or go on with a finished one with changed options."""
    from recurra.runs import RunFolder
    from recurra.tasks import driver, opening

    task, config = opening.task_and_config(RunFolder.open(run))
    typer.echo(f"{run}: resuming", err=True)
    with remedies_with(lambda name: name == "overwrite"):  # of a new training; a run keeps its own options
        result = driver.resume(
            run, changes=changes, listeners=[progress_bar(task, config)], on_ready=_tell_notes
        )
        report_end(task, result)


def _tell_notes(trainer: "Trainer", corpus: Any) -> None:
    """Print what a change of options does."""
    for sentence in trainer.notes:
        typer.echo(sentence, err=True)


def progress_bar(task: "Task", config: TaskConfig) -> Any:
    """Return the progress bar of a training, on standard error."""
    from rich.console import Console

    from recurra.training import ProgressBar

    return ProgressBar(Console(stderr=True), task.unit(config), perplexity=task.perplexity)


def _report_part(name: str, result: "TrainingResult") -> None:
    """Print the result of one of several trainings."""
    if result.is_main_process:
        typer.echo(f"{name}: {result.figures.sentence()}")


def report_end(task: "Task", result: "TrainingResult") -> None:
    """Print the outcome, the metrics and the next commands."""
    if not result.is_main_process:
        return
    from recurra.tasks.model import load

    run, outcome = result.run, result.outcome
    model = load(run)
    typer.echo(task.ending(model.config, outcome))
    typer.echo(f"validation: {result.validation.sentence()}")
    if result.test is not None:
        typer.echo(f"test: {result.test.sentence()}")
    typer.echo(f"report: {model.report()}")
    typer.echo("next:  " + "   ".join(task.next_commands(model.config, run)))
