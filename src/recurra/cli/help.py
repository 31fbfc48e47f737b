"""Help of all commands in two columns, 80 characters wide, and errors for former names of options."""

import difflib
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from recurra.errors import ConfigError, RecurraError

_WIDTH = 80
_INDENT = 26  # column at which descriptions begin
_OF_EVERY_COMMAND = ("preset", "config", "overwrite", "as_json", "help_all", "help")
UsageError: Any = typer.BadParameter.__mro__[1]  # the base of errors of the command line
_DEFAULT = re.compile(r" \(((?:default|if not given)[:,] [^()]*)\)\.?$")  # at the end of a help text
_UNBROKEN = "\xa0"
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


def formerly(**flags: str) -> Callable[[Any], Any]:
    """Register former flags of a command; using one raises an error that gives the current flag.

    An underscore in a former flag stands for a hyphen: `formerly(widths="--beam-widths")`.
    """

    def decorate(command: Any) -> Any:
        command.renamed = getattr(command, "renamed", {}) | {flag_of(old): new for old, new in flags.items()}
        return command

    return decorate


def limited(**limits: str) -> Callable[[Any], Any]:
    """Register limits of a command's options that its help shows: `limited(top_p="0 < x <= 1")`."""

    def decorate(command: Any) -> Any:
        command.limits = getattr(command, "limits", {}) | limits
        return command

    return decorate


def flag_of(name: str) -> str:
    """Return the flag of an option: --beam-width for beam_width, -k for k."""
    return f"-{name}" if len(name) == 1 else "--" + name.replace("_", "-")


@contextmanager
def remedies_with(has: Callable[[str], bool]) -> Iterator[None]:
    """Keep only those remedies of an error whose options a command has."""
    try:
        yield
    except RecurraError as error:
        error.keep_ways(has)
        raise


class Command(TyperCommand):
    """A command with a help that shows `main_options`, or all options if none are named.

    `renamed` maps former flags to the current ones; `limits` maps names of options to their numeric limits.
    """

    main_options: Sequence[str] = ()
    renamed: Mapping[str, str] = {}
    limits: Mapping[str, str] = {}
    shows_all = False

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the options; a former name raises an error that gives the current one.

        Raises: ConfigError.
        """
        try:
            return super().parse_args(ctx, args)
        except UsageError as error:
            error.message = error.message.replace("Value error, ", "")  # of the types' validation
            if hasattr(error, "possibilities"):  # an unknown option
                flag = error.option_name
                if (present := self._current(flag)) is not None:
                    raise ConfigError(f"{flag}: is now called {present}; use that name.") from None
                shown = [p for p in self.get_params(ctx) if not getattr(p, "hidden", False)]
                known = [name for p in shown for name in (*p.opts, *p.secondary_opts) if name[:2] == "--"]
                error.possibilities = difflib.get_close_matches(_hyphenated(flag), known)
            raise

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an error that it raises names only options that it has."""
        shown = {p.name for p in self.get_params(ctx) if not getattr(p, "hidden", False)}
        with remedies_with(shown.__contains__):
            return super().invoke(ctx)

    def _current(self, flag: str) -> str | None:
        """Return the current flag for a former one, also for its negation and with underscores."""
        former = _hyphenated(flag)
        positive = former.replace("--no-", "--", 1)
        if former not in self.renamed and positive in self.renamed:
            return self.renamed[positive].replace("--", "--no-", 1)
        return self.renamed.get(former)

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """Write the command with its arguments in capital letters."""
        arguments = [p for p in self.params if p.param_type_name == "argument"]
        pieces = [_named_argument(p) if p.required else f"[{_named_argument(p)}]" for p in arguments]
        formatter.write_usage(ctx.command_path, " ".join(["[OPTIONS]", *pieces]))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments and options in two columns; a name or a choice is never cut."""
        every = [p for p in self.get_params(ctx) if not getattr(p, "hidden", False)]
        arguments = [p for p in every if p.param_type_name == "argument"]
        options = [p for p in every if p.param_type_name == "option"]
        short = bool(self.main_options) and not self.shows_all
        if short:
            order = ("out", "data", *self.main_options, *_OF_EVERY_COMMAND)
            options = sorted((p for p in options if p.name in order), key=lambda p: order.index(p.name))
        groups: dict[str, list[Any]] = {"Arguments": arguments, "Options": []}
        for option in options:
            title = getattr(option, "rich_help_panel", None) or "Options"
            groups.setdefault("Options" if short else title, []).append(option)
        for title, parameters in groups.items():
            formatter.write(f"\n{title}:\n" if parameters else "")
            for parameter in parameters:
                limits = "" if short else self.limits.get(parameter.name, "")
                formatter.write("\n".join(_lines(parameter, limits)) + "\n")
        if short:
            formatter.write("\nThese are the main options; --help-all shows every option.\n")


class Group(TyperGroup):
    """A group of commands, listed with the first paragraph of their help."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options and the commands in two columns."""
        formatter.write("\nOptions:\n")
        for option in self.get_params(ctx):
            formatter.write("\n".join(_lines(option)) + "\n")
        formatter.write("\nCommands:\n")
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            told = (command.help or "").split("\n\n")[0]
            formatter.write("\n".join(_columns(name, " ".join(told.split()), indent=15)) + "\n")


def command_from(name: str, function: Any) -> Any:
    """Make a command from a function, which may have `main_options`, `renamed` and `limits`."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name, cls=Command)(function)
    command: Any = typer.main.get_command(app)
    command.main_options = getattr(function, "main_options", ())
    command.renamed = getattr(function, "renamed", {})
    command.limits = getattr(function, "limits", {})
    return command


def _hyphenated(flag: str) -> str:
    return flag.replace("_", "-")


def _named_argument(parameter: Any) -> str:
    return f"{parameter.name.upper()}{'...' if parameter.nargs == -1 else ''}"


def _lines(parameter: Any, limits: str = "") -> Iterator[str]:
    """Yield the lines of help for an argument or an option."""
    if parameter.param_type_name == "argument":
        yield from _columns(_named_argument(parameter), _meaning(parameter, limits))
        return
    names = ", ".join(sorted(parameter.opts, key=len))
    if parameter.secondary_opts:
        names = f"--[no-]{parameter.opts[0][2:]}"
    elif _choices(parameter):
        names += " NAME"
    elif not parameter.is_flag:
        annotation = getattr(parameter.type_descriptor, "annotation", str)
        names += f" {parameter.metavar or _kind(annotation)}"
    yield from _columns(names, _meaning(parameter, limits))


def _choices(parameter: Any) -> list[str]:
    from recurra.cli.options import plain_choices

    metavar = parameter.metavar or ""
    descriptor = getattr(parameter, "type_descriptor", None)
    return (
        metavar.split("|") if "|" in metavar else list(plain_choices(getattr(descriptor, "annotation", None)))
    )


def _meaning(parameter: Any, limits: str) -> str:
    """Return the help of a parameter with its choices, its default and its limits."""
    text = parameter.help or ""
    given = parameter.default
    if (found := _DEFAULT.search(text)) is not None:
        meaning, default = text[: found.start()], found[1]
    else:
        meaning, default = text.removesuffix("."), ""
        if given not in (None, "", "-", ()) and given is not False and not callable(given):
            default = f"default: {'on' if given is True else given}"
    choices = _choices(parameter)
    named = all(re.search(rf"(?<![\w-]){re.escape(choice)}(?![\w-])", meaning) for choice in choices)
    told = ["required"] if parameter.required and parameter.param_type_name == "option" else []
    told += [f"one of {', '.join(choices)}"] if choices and not named else []
    told += [default] if default else []
    info = getattr(getattr(parameter, "type_descriptor", None), "parameter_info", None)
    limits = limits or limits_text({"ge": getattr(info, "min", None), "le": getattr(info, "max", None)})
    told += [limits.replace(" ", _UNBROKEN)] if limits else []
    return meaning + (f" ({'; '.join(told)})" if told else "")


def limits_text(limits: Mapping[str, Any]) -> str:
    """Format the limits of a number: ">= 1", "0 <= x < 1"."""
    there = {name: _number(limit) for name, limit in limits.items() if limit is not None}
    lower = [f"{there[name]} {sign}" for name, sign in (("ge", "<="), ("gt", "<")) if name in there]
    upper = [f"{sign} {there[name]}" for name, sign in (("le", "<="), ("lt", "<")) if name in there]
    if lower and not upper:
        return f">{'=' if 'ge' in there else ''} {there.get('ge', there.get('gt'))}"
    return f"{lower[0]} x {upper[0]}" if lower else "".join(upper)


def _number(number: float) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:g}"


def _columns(names: str, meaning: str, indent: int = _INDENT) -> Iterator[str]:
    """Yield lines with names on the left and the wrapped meaning on the right."""
    told = textwrap.wrap(meaning, _WIDTH - indent, break_long_words=False, break_on_hyphens=False) or [""]
    told = [line.replace(_UNBROKEN, " ") for line in told]
    first = f"  {names}"
    if len(first) + 2 > indent:
        yield first
        first = ""
    yield f"{first:<{indent}}{told[0]}".rstrip()
    yield from (" " * indent + line for line in told[1:])


def _kind(annotation: Any) -> str:
    """Return the placeholder for a value of a type, such as INT."""
    from recurra.config.part import plain_type

    return _KINDS.get(getattr(plain_type(annotation), "__name__", ""), "TEXT")
