"""Command-line options generated from a configuration: none is written twice."""

import inspect
from collections.abc import Callable
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from recurra.config import Part
from recurra.config.part import choices

Command = Callable[..., Any]
# What every training takes beside its configuration.
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder to write the run to.")]
Toml = Annotated[Path | None, typer.Option(help="TOML file of options; the command line wins.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Begin anew over an earlier run.")]


def config_options(config: type[Part], *, leave_out: tuple[str, ...] = ()) -> Callable[[Command], Command]:
    """Give a command one option for each field of `config`.

    The command's last parameter, `options`, gets a dictionary of those that the person gave.
    """

    def decorate(command: Command) -> Command:
        own = [p for p in inspect.signature(command).parameters.values() if p.name != "options"]
        names = [name for name in _in_order(config) if name not in leave_out]
        generated = [_parameter(config, name) for name in names]

        def run(**given: Any) -> Any:
            options = {name: given.pop(name) for name in names}
            return command(**given, options={k: v for k, v in options.items() if v is not None})

        parameters = own + generated
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        run.__doc__ = command.__doc__
        return run

    return decorate


def _parameter(config: type[Part], name: str) -> inspect.Parameter:
    field = config.model_fields[name]
    allowed = choices(field.annotation)
    kind = _plain_type(field.annotation)
    flag = "--" + name.replace("_", "-")
    option = typer.Option(
        f"{flag}/--no-{flag[2:]}" if kind is bool else flag,
        help=(field.description or "") + _default(field),
        metavar="|".join(allowed) if allowed else None,
        rich_help_panel=_panel(config, name),
        show_default=False,
    )
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def _in_order(config: type[Part]) -> list[str]:
    """Names of options in the order in which the configuration names its parts."""
    parts = [_part_of(config, name) for name in config.model_fields]
    in_order = [part for part in config.__mro__ if part in parts]
    own = dict(zip(config.model_fields, parts, strict=True))
    return [name for part in in_order for name in inspect.get_annotations(part) if own.get(name) is part]


def _default(field: FieldInfo) -> str:
    """The default as a person reads it; brackets are escaped, since rich would take them for markup."""
    if field.default is None:
        return ""
    return f" (default: {field.default})"


def _plain_type(annotation: Any) -> Any:
    """The type that the command line reads: of `int | None` int, of literals str."""
    if get_origin(annotation) is Literal:
        return str
    kinds = [kind for kind in get_args(annotation) if kind is not NoneType] or [annotation]
    return kinds[0]


def _panel(config: type[Part], name: str) -> str:
    """The title of the part that an option comes from."""
    return str(getattr(_part_of(config, name), "title", "Options"))


def _part_of(config: type[Part], name: str) -> type:
    """The part that an option comes from; one that only gives it another default is not meant."""
    return [part for part in config.__mro__ if name in inspect.get_annotations(part)][-1]
