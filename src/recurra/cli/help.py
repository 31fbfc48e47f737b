"""Help of commands with many options: the main ones, and with --help-all every one, group by group."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

_WIDTH = 80
_INDENT = 26  # where meanings begin
_OF_EVERY_TASK = ("preset", "config", "overwrite", "help_all", "help")
_KINDS = {"int": "INT", "float": "FLOAT", "str": "TEXT", "Path": "PATH", "list": "TEXT"}


def _show_all(context: typer.Context, wanted: bool) -> None:
    if wanted:
        command: Any = context.command
        command.shows_all = True
        typer.echo(context.get_help())
        raise typer.Exit


HelpAll = Annotated[
    bool,
    typer.Option("--help-all", is_eager=True, callback=_show_all, help="Show every option and exit."),
]


class TaskCommand(TyperCommand):
    """A command whose help shows `main_options`, or all options if none are named."""

    main_options: Sequence[str] = ()
    shows_all = False

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options in two columns; a name or a choice is never cut."""
        groups: dict[str, list[Any]] = {}
        shown = [p for p in self.get_params(ctx) if not getattr(p, "hidden", False)]
        if self.main_options and not self.shows_all:
            order = ("out", *self.main_options, *_OF_EVERY_TASK)
            shown = sorted((p for p in shown if p.name in order), key=lambda p: order.index(p.name))
        for parameter in shown:
            title = getattr(parameter, "rich_help_panel", None) or "Options"
            groups.setdefault(title if self.shows_all else "Options", []).append(parameter)
        for title, parameters in groups.items():
            formatter.write(f"\n{title}:\n")
            for parameter in parameters:
                formatter.write("\n".join(_lines(parameter)) + "\n")
        if not self.shows_all and self.main_options:
            formatter.write("\nThese are the main options; --help-all shows every option.\n")


def _lines(parameter: Any) -> Iterator[str]:
    """An option and its meaning, wrapped between words."""
    names = ", ".join(sorted(parameter.opts, key=len))
    if parameter.secondary_opts:
        names = f"--[no-]{parameter.opts[0][2:]}"
    metavar = parameter.metavar or ""
    choices = metavar.split("|") if "|" in metavar else []
    meaning = parameter.help or ""
    if choices:
        meaning = f"{', '.join(choices)}: {meaning}"
    elif not parameter.is_flag:
        annotation = getattr(parameter.type_descriptor, "annotation", str)
        names += f" {metavar or _kind(annotation)}"
    meaning += " (required)" if parameter.required else ""
    told = textwrap.wrap(meaning, _WIDTH - _INDENT, break_long_words=False, break_on_hyphens=False) or [""]
    first = f"  {names}"
    if len(first) + 2 > _INDENT:
        yield first
        first = ""
    yield f"{first:<{_INDENT}}{told[0]}".rstrip()
    yield from (" " * _INDENT + line for line in told[1:])


def _kind(annotation: Any) -> str:
    """What a value of a type is called."""
    from recurra.cli.options import plain_type

    return _KINDS.get(getattr(plain_type(annotation), "__name__", ""), "TEXT")
