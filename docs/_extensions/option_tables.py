"""Tables made from the code while the pages are built, so that no option is written down twice.

{task-options}                           the options of every task of the registry
{command-line} recurra.cli.main.app
"""

from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from docutils import nodes
from docutils.statemachine import StringList
from pydantic.fields import FieldInfo
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from recurra.cli.options import _in_order, _panel, plain_type
from recurra.config.conditions import can_apply, conditions_of
from recurra.config.part import choices, unit_of
from recurra.tasks import registry


def _named(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


class _Generated(SphinxDirective):
    """A directive whose content is Markdown that a subclass writes."""

    required_arguments = 1

    def lines(self, thing: Any) -> Iterable[str]:
        """The Markdown."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """The Markdown, parsed."""
        thing = _named(self.arguments[0]) if self.arguments else None
        content = StringList(list(self.lines(thing)), source=str(thing))
        return self.parse_text_to_nodes("\n".join(content), allow_section_headings=True)


class TaskOptions(_Generated):
    """A section for each task, with one table for each part of its configuration."""

    required_arguments = 0

    def lines(self, thing: Any) -> Iterator[str]:
        for name in registry.names():
            config = registry.config_of(name)
            yield from ("", f"## {config.title}: `{name}`", "", config.summary, "")
            yield from self._tables(config)
            for verb, part in (("evaluate", config.evaluation), ("predict", config.prediction)):
                if part.model_fields:
                    yield from ("", f"### `recurra {verb}`, {config.title.lower()}")
                    yield from self._tables(part, level=4)

    def _tables(self, thing: Any, level: int = 3) -> Iterator[str]:
        panel = ""
        for name in _in_order(thing):
            if not can_apply(thing, name):
                continue
            if _panel(thing, name) != panel:
                panel = _panel(thing, name)
                yield from (
                    "",
                    f"{'#' * level} {panel}",
                    "",
                    "| option | values | default | meaning |",
                    "|---|---|---|---|",
                )
            field = thing.model_fields[name]
            default = "" if field.default is None else f"`{_toml(field.default)}` {unit_of(field)}".strip()
            meaning = _cell(field.description or "") + _only(thing, name)
            yield f"| `{name}` | {_values(field)} | {default} | {meaning} |"


def _only(thing: Any, name: str) -> str:
    """When an option applies, if not always."""
    conditions = [str(condition).replace("_", r"\_") for condition in conditions_of(thing, name)]
    return f"; only {' and '.join(conditions)}" if conditions else ""


class CommandLine(_Generated):
    """A section for each command, with its arguments and options."""

    def lines(self, thing: Any) -> Iterator[str]:
        yield from self._command(typer.main.get_command(thing), "recurra")

    def _command(self, command: Any, path: str) -> Iterator[str]:
        context = command.make_context(path, [], resilient_parsing=True)
        names = command.list_commands(context) if hasattr(command, "list_commands") else []
        own = [parameter for parameter in command.params if parameter.name != "help"]
        if path != "recurra":
            yield from ("", f"{'#' * (path.count(' ') + 1)} {path}", "", *_help(command), "")
        if path.startswith("recurra train "):
            own = [p for p in own if p.name in ("out", "config", "preset", "overwrite") and not p.hidden]
            yield from ("Every option of the {doc}`configuration <configuration>` is one here too,", "")
            yield from ("in kebab-case: `hidden_size` is `--hidden-size`.", "")
        if own and path != "recurra":
            yield from ("| | values | default | meaning |", "|---|---|---|---|")
            yield from map(_row, own)
        for name in names:
            yield from self._command(command.get_command(context, name), f"{path} {name}")


def _help(command: Any) -> Iterator[str]:
    first, *examples = (command.help or "").split("\n\n")
    yield from (" ".join(first.split()), "")
    for example in examples:
        yield from ("```console", f"$ {example.strip()}", "```")


def _row(parameter: Any) -> str:
    flags = ", ".join(f"`{flag}`" for flag in (*parameter.opts, *parameter.secondary_opts))
    if parameter.param_type_name == "argument":
        flags = f"`{parameter.name.upper()}`"
    needed = " (needed)" if parameter.required else ""
    default = "" if parameter.default in (None, False, "") or parameter.required else f"`{parameter.default}`"
    return f"| {flags}{needed} | {_kind(parameter)} | {default} | {_cell(parameter.help or '')} |"


def _kind(parameter: Any) -> str:
    if getattr(parameter, "is_flag", False):
        return ""
    annotation = parameter.type_descriptor.annotation
    allowed = choices(annotation)
    if allowed:
        return ", ".join(f"`{value}`" for value in allowed)
    limits = [
        f"{sign} {limit}" for sign, limit in (("≥", parameter.min), ("≤", parameter.max)) if limit is not None
    ]
    return " ".join([_name(annotation), ", ".join(limits)]).strip()


def _name(annotation: Any) -> str:
    kind = plain_type(annotation)
    names = {int: "integer", float: "number", str: "text", bool: "`true`, `false`", Path: "path"}
    return names.get(kind, kind.__name__)


def _values(field: FieldInfo) -> str:
    allowed = choices(field.annotation)
    if allowed:
        return ", ".join(f"`{value}`" for value in allowed)
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    limits = [
        f"{sign} {getattr(limit, name)}"
        for limit in field.metadata
        for name, sign in signs.items()
        if getattr(limit, name, None) is not None
    ]
    return " ".join([_name(field.annotation), ", ".join(limits)]).strip()


def _toml(value: Any) -> str:
    return (
        f'"{value}"'
        if isinstance(value, str)
        else str(value).lower()
        if value is True or value is False
        else str(value)
    )


def _cell(text: str) -> str:
    """Text as a table's cell takes it."""
    return text.replace("|", r"\|").replace("<", r"\<").replace("\n", " ")


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the directives known."""
    app.add_directive("task-options", TaskOptions)
    app.add_directive("command-line", CommandLine)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
