"""Building a configuration from files and options, with all errors reported at once."""

import difflib
import tomllib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import tomli_w
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from recurra.config.conditions import can_apply, idle, why_never
from recurra.config.part import Part, choices
from recurra.errors import ConfigError
from recurra.plain import listed

_SHOWN = 200  # characters of an invalid value in a message
ConfigT = TypeVar("ConfigT", bound=Part)


def build_config(
    config: type[ConfigT],
    toml: Sequence[Path] = (),
    overrides: Mapping[str, Any] | None = None,
    *,
    known: Mapping[str, Any] | None = None,
    preset: Path | None = None,
    drop_idle: bool = False,
) -> ConfigT:
    """Build a configuration from defaults, `known`, a preset, TOML files and `overrides`.

    Later ones take precedence. An option from a TOML file or `overrides` must apply together with the others,
    even if it equals its default; with a run to start from, this is checked once its options are taken
    (`taking`). It is not checked for `known`, such as the complete options of a run, nor
    for a run.toml; options of the preset that do not apply together with the others are dropped, and with
    `drop_idle` all such options (see `Part.dropped`).

    Raises: ConfigError naming every unknown key and every invalid value, one per line.
    """
    values = _renamed(config, known or {})
    where: dict[str, str] = {}
    given: dict[str, str] = {}
    of_preset: set[str] = set()
    for file in (*([] if preset is None else [preset]), *toml):
        read, is_run = _read_toml(file)
        read = _renamed(config, read) if is_run else read
        values |= read
        where |= dict.fromkeys(read, f"{file}: ")
        of_preset = of_preset - read.keys() if file != preset else set(read)
        given |= {} if is_run or file == preset else dict.fromkeys(read, f"{file}: ")
    for name, value in (overrides or {}).items():
        values[name] = value
        where[name] = given[name] = ""
    try:
        built, dropped = _without_idle(config, values, values if drop_idle else of_preset - given.keys())
    except ValidationError as error:
        lines = [_fault(config, fault, where) for fault in error.errors()]
    else:
        built._given = {name: place for name, place in given.items() if name not in dropped}
        built._dropped = {name: given[name] + why for name, why in dropped.items() if name in given}
        later = built.taken_later()
        refuse_idle(built, later)
        if not later and not drop_idle:
            refuse_misfits(built)
        return built
    raise ConfigError(_as_sentences(lines))


def taking(config: ConfigT, options: Mapping[str, Any]) -> ConfigT:
    """Return a copy with other values of options, checked together; those that were given stay given.

    Raises: ConfigError if they contradict each other, or a given option then has no use.
    """
    own = {name: getattr(config, name) for name in config.model_fields_set}
    built = build_config(type(config), known=without_none(own | dict(options)))
    built._given = config._given if config._given is not None else dict.fromkeys(config.model_fields_set, "")
    refuse_idle(built)
    return built


def refuse_idle(config: Part, later: Collection[str] = ()) -> None:
    """Refuse given options that do not apply together with the others.

    What depends on options that are only set `later`, if they are not given, is not checked.

    Raises: ConfigError naming every such option.
    """
    given = config.given()
    idle_ones = {name: idle(config, name, later) for name in given}
    lines = [config.place_of(name) + why for name, why in idle_ones.items() if why is not None]
    if lines:
        raise ConfigError(_as_sentences(lines))


def refuse_misfits(config: Part) -> None:
    """Refuse given values that do not fit together with those of other options.

    Raises: ConfigError naming every such option.
    """
    given = config.given()
    lines = [
        f"{config.place_of(name)}{name}: {why}" for name, why in config.misfits().items() if name in given
    ]
    if lines:
        raise ConfigError(_as_sentences(lines))


def _as_sentences(lines: Sequence[str]) -> str:
    return "\n".join(line + "." * (line[-1] not in ".?") for line in lines)


def _without_idle(
    config: type[ConfigT], values: Mapping[str, Any], names: Collection[str]
) -> tuple[ConfigT, dict[str, str]]:
    """Build a configuration without those of some options that do not apply; also return why they do not.

    Raises: ValidationError.
    """
    built, dropped = config(**values), dict[str, str]()
    while found := {name: why for name in names if name in values and (why := idle(built, name)) is not None}:
        dropped |= found
        values = {name: value for name, value in values.items() if name not in found}
        built = config(**values)
    return built, dropped


def value_faults(config: type[Part], name: str, value: Any, place: str = "") -> list[str]:
    """Return the faults of one value of an option on its own, as lines of a message."""
    try:
        config(**{name: value})
    except ValidationError as error:
        own = [fault for fault in error.errors() if fault["loc"][:1] == (name,)]
        return [_fault(config, fault, {name: place}) for fault in own]
    return []


def checked_value(config: type[Part], name: str, value: Any) -> Any:
    """Return a value of an option, which has no faults, in the type of the option."""
    field = config.model_fields[name]
    kind: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    return TypeAdapter(kind).validate_python(value)


def to_toml(values: Mapping[str, Any]) -> str:
    """Return TOML text of nested plain values; options that are None are omitted, as TOML has no null."""
    return tomli_w.dumps(without_none(values))


def without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested values without those that are None, as they are read back from TOML."""
    return {
        key: without_none(value) if isinstance(value, Mapping) else value
        for key, value in values.items()
        if value is not None
    }


def _renamed(config: type[Part], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a run under their current names."""
    names = config.renamed_options()
    return {names.get(name, name): value for name, value in values.items()}


def _read_toml(path: Path) -> tuple[dict[str, Any], bool]:
    """Return the options of a file, and whether it is a run.toml, which has all options."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        is_run = {"format_version", "task", "config"} <= content.keys()
        return content["config"] if is_run else content, is_run
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: the configuration file does not exist; check the path.") from error
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits
        raise ConfigError(f"{path}: is not TOML: {str(error)[:_SHOWN]}.") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}).") from error


def _fault(config: type[Part], fault: ErrorDetails, where: Mapping[str, str]) -> str:
    """Return one line: file, option, given value, expected value."""
    name = str(fault["loc"][0]) if fault["loc"] else ""
    place = where.get(name, "")
    if fault["type"] == "extra_forbidden":
        present = config.renamed_options().get(name)
        if present is not None and can_apply(config, present):
            return f"{place}{name}: is now called {present}; use that name"
        return f"{place}{name[:_SHOWN]}: unknown option; {nearest_options(config, name)}"
    if name and (why := why_never(config, name)) is not None:
        return f"{place}{why}"
    if not name:
        return f"{place}{fault['msg'].removeprefix('Value error, ')}"
    allowed = choices(config.model_fields[name].annotation)
    expected = "one of " + ", ".join(allowed) if allowed else _expected(fault)
    got = repr(fault["input"])
    return f"{place}{name}: got {got if len(got) <= _SHOWN else got[:_SHOWN] + ' …'}, expected {expected}"


def _expected(fault: ErrorDetails) -> str:
    context = fault.get("ctx", {})
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    limits = [f"{sign} {context[key]}" for key, sign in signs.items() if key in context]
    if limits:
        return " and ".join(limits)
    return fault["msg"].removeprefix("Input should be ").removeprefix("Value error, ")


def nearest_options(config: type[Part], name: str) -> str:
    """Return a hint for an unknown name: the nearest names of options that can apply."""
    known = [one for one in config.model_fields if can_apply(config, one)]
    near = difflib.get_close_matches(name[:_SHOWN], known, n=3, cutoff=0.75)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"the nearest names are {listed(difflib.get_close_matches(name[:_SHOWN], known, n=3, cutoff=0))}"
