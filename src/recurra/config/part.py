"""What a part of a configuration is, and how a whole one is built with every fault named at once."""

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar, Union, get_args, get_origin

import tomli_w
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from recurra.config.conditions import Conditions, idle
from recurra.errors import ConfigError
from recurra.files import is_of_hub

_SHOWN = 200  # characters of a value that cannot be
ConfigT = TypeVar("ConfigT", bound="Part")


def _path_text(given: Any) -> Any:
    """The text of a path; what is neither a path nor a text is refused."""
    if isinstance(given, Path):
        return str(given)
    if given is not None and not isinstance(given, str):
        raise ValueError("the path of a file")
    return given


FilePath = Annotated[str, BeforeValidator(_path_text)]
"""The type of an option that names a file: Python may give a `Path` too."""


class Part(BaseModel):
    """A frozen group of options. A task's configuration inherits from the parts that it needs, so
    that its options are flat: one name each in Python, in TOML and on the command line."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    title: ClassVar[str] = "Options"
    # When options have a use, of this part or of those that a configuration inherits from.
    conditions: ClassVar[Conditions] = {}
    # The present names of options by those that they had; runs of older versions have the old ones.
    renamed: ClassVar[Mapping[str, str]] = {}
    # The options that are as a run was trained with where they are not given, whatever their default.
    as_trained: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def renamed_options(cls) -> dict[str, str]:
        """The options that had another name, of all parts: the present names by the old ones."""
        found: dict[str, str] = {}
        for part in reversed(cls.__mro__):
            found |= vars(part).get("renamed", {})
        fields = cls.model_fields
        return {old: new for old, new in found.items() if new in fields and old not in fields}

    @classmethod
    def default_of(cls, name: str) -> Any:
        """What an option is if it is not given."""
        return cls.model_fields[name].default

    @classmethod
    def file_options(cls) -> list[str]:
        """The options that name files."""
        return [name for name in cls.model_fields if FilePath in get_args(cls.model_fields[name].annotation)]

    def with_absolute_paths(self) -> Self:
        """The same, with every file named from the root, so that it is found from any folder.

        Data sets of a hub (`hub:…`) stay as they are.
        """
        files = {name: getattr(self, name) for name in self.file_options()}
        found = {
            name: str(Path(file).absolute())
            for name, file in files.items()
            if file is not None and not is_of_hub(file)
        }
        return self.model_copy(update=found)

    def given(self) -> dict[str, Any]:
        """The options that were given, not left at their defaults."""
        return {name: getattr(self, name) for name in self.model_fields_set}

    def changed(self) -> dict[str, Any]:
        """The options that are not at their defaults."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in values.items() if value != self.default_of(name)}


def option(default: Any, text: str, *, unit: str | None = None, **limits: Any) -> Any:
    """One option: its default, what it does, its unit, and limits such as `ge=1`."""
    return Field(default=default, description=text, json_schema_extra={"unit": unit or ""}, **limits)


def unit_of(field: FieldInfo) -> str:
    """The unit of an option's number; empty where it has none."""
    extra = field.json_schema_extra
    return str(extra.get("unit", "")) if isinstance(extra, dict) else ""


def default(part: type[Part], name: str, value: Any) -> Any:
    """An option of a part with another default, for a configuration that inherits from the part."""
    field = copy(part.model_fields[name])
    field.default = value
    return field


def choices(annotation: object) -> tuple[str, ...]:
    """The values that an annotation of literals allows; empty where it is none."""
    if get_origin(annotation) is Literal:
        return tuple(str(value) for value in get_args(annotation))
    if get_origin(annotation) in (Union, UnionType):
        return tuple(value for part in get_args(annotation) for value in choices(part))
    return ()


def build_config(
    config: type[ConfigT],
    toml: Sequence[Path] = (),
    overrides: Mapping[str, Any] | None = None,
    *,
    known: Mapping[str, Any] | None = None,
) -> ConfigT:
    """A configuration from defaults, TOML files over them, each over those before, and `overrides` over all.

    An option that is given, be it at its default, must have a use beside the others. `known` is below all
    else, such as the options of a run, all of which stand there; so of a file that is a run.toml.

    Raises: ConfigError naming every unknown key and every value that cannot be, one line each.
    """
    values = _renamed(config, known or {})
    where: dict[str, str] = {}
    given: dict[str, str] = {}
    for file in toml:
        read, is_run = _read_toml(file)
        read = _renamed(config, read) if is_run else read
        values |= read
        where |= dict.fromkeys(read, f"{file}: ")
        given |= {} if is_run else dict.fromkeys(read, f"{file}: ")
    for name, value in (overrides or {}).items():
        values[name] = value
        where[name] = given[name] = ""
    try:
        built = config(**values)
    except ValidationError as error:
        lines = [_fault(config, fault, where) for fault in error.errors()]
    else:
        idle_ones = {name: idle(built, name) for name in given}
        lines = [given[name] + why for name, why in idle_ones.items() if why is not None]
        if not lines:
            return built
    raise ConfigError("\n".join(line + "." * (line[-1] not in ".?") for line in lines))


def to_toml(values: Mapping[str, Any]) -> str:
    """TOML text of nested plain values; options that are None are left out, as TOML has no null."""
    return tomli_w.dumps(without_none(values))


def without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested values as they come back from TOML: without those that are None."""
    return {
        key: without_none(value) if isinstance(value, Mapping) else value
        for key, value in values.items()
        if value is not None
    }


def _renamed(config: type[Part], values: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a run, by the names that they have today."""
    names = config.renamed_options()
    return {names.get(name, name): value for name, value in values.items()}


def _read_toml(path: Path) -> tuple[dict[str, Any], bool]:
    """The options of a file, and whether it is the run.toml of a run, which has all of them."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        is_run = {"format_version", "task", "config"} <= content.keys()
        return content["config"] if is_run else content, is_run
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: there is no such configuration file; check the path.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not TOML: {error}.") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}).") from error


def _fault(config: type[Part], fault: ErrorDetails, where: Mapping[str, str]) -> str:
    """One line: where, which option, what was got, what is expected."""
    name = str(fault["loc"][0]) if fault["loc"] else ""
    place = where.get(name, "")
    if fault["type"] == "extra_forbidden" and name in config.renamed_options():
        return f"{place}{name}: is now called {config.renamed_options()[name]}; use that name"
    if fault["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, config.model_fields, n=3, cutoff=0.75)
        hint = f"did you mean {' or '.join(near)}?" if near else f"choose from {_names(config)}."
        return f"{place}{name}: there is no such option; {hint}"
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


def _names(config: type[Part]) -> str:
    return ", ".join(config.model_fields)
