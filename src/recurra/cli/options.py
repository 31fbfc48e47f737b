"""Command-line options generated from configurations."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from recurra.cli.help import Group, command_from, flag_of, limits_text, remedies_with
from recurra.config import Part, TaskConfig
from recurra.config.conditions import can_apply
from recurra.config.part import choices, plain_type, unit_of
from recurra.config.part import flag_of as second_flag_of
from recurra.errors import ConfigError
from recurra.tasks import registry

# The commands for which the configuration of a task names the options.
Of = Literal["evaluation", "prediction", "calibration"]
Command = Callable[..., Any]
_LIMITS = ("ge", "gt", "le", "lt")
# The options of every training in addition to its configuration.
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder to write the run to.")]
Toml = Annotated[Path | None, typer.Option(help="TOML file of options; the command line overrides it.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Overwrite an existing run.")]


class TaskGroup(Group):
    """A group with one command per task of the registry, which a subclass makes from its configuration."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the tasks; packages that cannot be loaded are reported."""
        return list(registry.configs(lambda sentence: typer.echo(f"left out: {sentence}", err=True)))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command of a task; None if the task is unknown."""
        if cmd_name not in registry.names():
            return None
        return command_from(cmd_name, self.made(cmd_name, registry.config_of(cmd_name)))

    def made(self, name: str, config: type[TaskConfig]) -> Any:
        """Return the function of a task's command."""
        raise NotImplementedError


def preset_option(config: type[TaskConfig]) -> Any:
    """Return the option that names a preset of a task."""
    told = "Named set of options; --config and the command line override it."
    return Annotated[str | None, typer.Option(metavar="|".join(config.preset_names()), help=told)]


def config_options(*configs: type[Part], without: str = "") -> Callable[[Command], Command]:
    """Give a command one option for each field of the configurations; a shared field gives one option.

    The command's own option named by `without` is removed. Its last parameter, `options`, receives a
    dictionary of the options that the user gave.
    """

    def decorate(command: Command) -> Command:
        own = [
            p for p in inspect.signature(command).parameters.values() if p.name not in ("options", without)
        ]
        names = list(dict.fromkeys(name for config in configs for name in _in_order(config)))
        generated = [_parameter(name, [one for one in configs if name in one.model_fields]) for name in names]

        def run(**given: Any) -> Any:
            options = {name: given.pop(name) for name in names}
            given_ones = {k: v for k, v in options.items() if v is not None and v != []}
            return command(**given, options=given_ones)

        parameters = own + generated
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        run.__doc__ = command.__doc__
        past = {
            old: new
            for config in configs
            for old, new in config.renamed_options().items()
            if can_apply(config, new)
        }
        run.limits = {  # type: ignore[attr-defined]
            name: _limits(next(one for one in configs if name in one.model_fields), name) for name in names
        }
        run.renamed = {  # type: ignore[attr-defined]
            flag_of(old): flag_of(new) for old, new in past.items() if old not in names
        }
        return run

    return decorate


def options_of_tasks(of: Of) -> list[type[Part]]:
    """Return the parts with options that the configurations of all tasks name for a shared command."""
    return list(dict.fromkeys(getattr(config, of) for config in registry.configs().values()))


@contextmanager
def options_of_run(run: Path, of: Of, given: Iterable[str]) -> Iterator[None]:
    """Check that the task of a run has the given options; errors inside name no options of other tasks only.

    Raises: ConfigError naming the first of them, and the tasks that have it.
    """
    from recurra.runs import RunFolder

    task = registry.task_of(RunFolder.open(run))
    for option in given:
        if option not in getattr(task.config, of).model_fields:
            configs = registry.configs().items()
            others = [name for name, config in configs if option in getattr(config, of).model_fields]
            flag = "--" + option.replace("_", "-")
            raise ConfigError(
                f"{flag}: applies to runs of {', '.join(others)} only, and {run} is of task {task.name!r}; "
                "remove it."
            )
    of_others = {name for part in options_of_tasks(of) for name in part.model_fields}
    of_others -= getattr(task.config, of).model_fields.keys()
    with remedies_with(lambda name: name not in of_others):
        yield


def _parameter(name: str, configs: Sequence[type[Part]]) -> inspect.Parameter:
    """Return the option for a field of one or several configurations, which may describe it differently."""
    field = configs[0].model_fields[name]
    allowed = choices(field.annotation)
    kind = plain_type(field.annotation)
    flag = "--" + name.replace("_", "-")
    meanings = {one.model_fields[name].description: _panel(one, name) for one in configs}
    shared = len(meanings) > 1
    second = second_flag_of(field)
    option = typer.Option(
        f"{flag}/--no-{flag[2:]}" if kind is bool else flag,
        *(() if second is None else (second,)),
        help="; ".join(f"{panel}: {_in_a_row(text)}" for text, panel in meanings.items())
        if shared
        else _meaning(configs[0], name),
        metavar="|".join(allowed) or _metavar(configs[0], name),
        rich_help_panel="Options of several tasks" if shared else _panel(configs[0], name),
        show_default=False,
        hidden=not any(can_apply(one, name) for one in configs),
    )
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def _metavar(config: type[Part], name: str) -> str | None:
    """Return how the help shows the value of an option that names files."""
    if name in config.named_file_options():
        return "TYPE=PATH"
    return "PATH" if name in config.file_options() else None


def _in_order(config: type[Part]) -> list[str]:
    """Return the names of options in the order of the configuration's parts."""
    parts = [_part_of(config, name) for name in config.model_fields]
    in_order = [part for part in config.__mro__ if part in parts]
    own = dict(zip(config.model_fields, parts, strict=True))
    return [name for part in in_order for name in inspect.get_annotations(part) if own.get(name) is part]


def _meaning(config: type[Part], name: str) -> str:
    """Return the help of an option with its default."""
    field = config.model_fields[name]
    text = field.description or ""
    if name in config.as_trained:
        return f"{text.split(' (if not given')[0]} (default: as in training)"
    is_told = field.default not in (None, (), "") and field.default is not False
    return f"{text} (default: {default_text(field)})" if is_told else text


def _in_a_row(text: str | None) -> str:
    return f"{text[:1].lower()}{text[1:]}" if text else ""


def _limits(config: type[Part], name: str) -> str:
    """Return the limits of an option as text."""
    each_one = config.model_fields[name].metadata
    return limits_text(
        {limit: getattr(one, limit) for one in each_one for limit in _LIMITS if hasattr(one, limit)}
    )


def default_text(field: FieldInfo) -> str:
    """Format a default with its unit: on, 0.5, 1 epoch, 100 symbols."""
    value, unit = field.default, unit_of(field)
    if isinstance(value, bool):
        return "on" if value else "off"
    if not unit:
        return f"{value:,}" if isinstance(value, int) and value >= 10_000 else str(value)
    number = f"{value:,}" if isinstance(value, int) else f"{value:g}"
    return f"{number} {unit.removesuffix('s') if value == 1 else unit}"


def plain_choices(annotation: Any) -> tuple[str, ...]:
    """Return the values of a Literal, which may be inside an Annotated."""
    inner = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    return choices(inner)


def _panel(config: type[Part], name: str) -> str:
    """Return the title of the part that defines an option."""
    return str(getattr(_part_of(config, name), "title", "Options"))


def _part_of(config: type[Part], name: str) -> type:
    """Return the part that defines an option, not one that only changes its default."""
    return [part for part in config.__mro__ if name in inspect.get_annotations(part)][-1]
