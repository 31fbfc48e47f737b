"""The base class of configuration parts, and the definition of an option."""

import codecs
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from copy import copy
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Literal, Self, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
)
from pydantic.fields import FieldInfo

from recurra.config.conditions import Conditions
from recurra.config.search import Suggestion, Suggestions
from recurra.files import is_of_hub


def _path_text(given: Any) -> Any:
    """Return a path as text; refuse other types."""
    if isinstance(given, Path):
        return str(given)
    if given is not None and not isinstance(given, str):
        raise ValueError("the path of a file")
    return given


FilePath = Annotated[str, BeforeValidator(_path_text)]
"""The type of an option that names a file; in Python it may also be a `Path`."""


def _named_files(given: Any) -> Any:
    """Return files by name as texts NAME=FILE; they may also be given as a table. Refuse other types."""
    if isinstance(given, Mapping):
        if not all(isinstance(name, str) and "=" not in name for name in given):
            raise ValueError("types that are texts without an equals sign")
        given = [f"{name}={_path_text(file)}" for name, file in given.items()]
    if isinstance(given, str | bytes) or not isinstance(given, Sequence):
        raise ValueError("texts TYPE=FILE, or a table of files by type")
    names = []
    for one in given:
        name, equals, file = one.partition("=") if isinstance(one, str) else ("", "", "")
        if not (name.strip() and equals and file.strip()) or not name.isprintable():
            raise ValueError("TYPE=FILE, such as city=cities.txt")
        names.append(name)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"each type once, but {twice[0]} occurs several times; join its files into one")
    return tuple(given)


NamedFiles = Annotated[tuple[str, ...], BeforeValidator(_named_files)]
"""The type of an option that names one file for each of several types, as TYPE=FILE or a table of files."""


def file_by_name(given: Sequence[str]) -> dict[str, str]:
    """Return the files of an option of type `NamedFiles` by name."""
    return dict(one.split("=", 1) for one in given)


def _known_encoding(given: Any) -> Any:
    """Return the name of an encoding that Python knows."""
    try:
        return codecs.lookup(given).name
    except (LookupError, TypeError) as error:
        raise ValueError(
            "the name of a character encoding, such as utf-8, latin-1, cp1252 or utf-16"
        ) from error


Encoding = Annotated[str, BeforeValidator(_known_encoding)]
"""The type of an option that names a character encoding."""


class Part(BaseModel):
    """A frozen group of options.

    A task's configuration inherits from the parts that it needs, so its options are flat: each has one name
    in Python, in TOML and on the command line.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    title: ClassVar[str] = "Options"
    # Conditions under which options apply: options of this part or of the parts that it inherits from.
    conditions: ClassVar[Conditions] = {}
    # Current names of renamed options by their old names, which runs of older versions have.
    renamed: ClassVar[Mapping[str, str]] = {}
    # Options that, if not given, take the value of the trained run instead of their default.
    as_trained: ClassVar[tuple[str, ...]] = ()
    # Options that a search must not vary: trials must agree in the data and in the meaning of their figures.
    not_searched: ClassVar[tuple[str, ...]] = ()
    # Values that a search tries if no space is given.
    searched: ClassVar[Suggestions] = {}
    # Where each given option is from, "FILE: " or "", as `build_config` sets it; None: all that are set.
    _given: Mapping[str, str] | None = PrivateAttr(None)
    # Why given options were dropped, if `build_config` was asked to drop them.
    _dropped: Mapping[str, str] = PrivateAttr(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        """Whether the other has the same options, whether given or not."""
        return type(other) is type(self) and vars(other) == vars(self)

    @classmethod
    def renamed_options(cls) -> dict[str, str]:
        """Return the renamed options of all parts: current names by old names."""
        found: dict[str, str] = {}
        for part in reversed(cls.__mro__):
            found |= vars(part).get("renamed", {})
        fields = cls.model_fields
        return {old: new for old, new in found.items() if new in fields and old not in fields}

    @classmethod
    def default_of(cls, name: str) -> Any:
        """Return the default of an option."""
        return cls.model_fields[name].default

    @classmethod
    def file_options(cls) -> list[str]:
        """Return the names of the options that name files."""
        return [name for name in cls.model_fields if FilePath in get_args(cls.model_fields[name].annotation)]

    @classmethod
    def named_file_options(cls) -> list[str]:
        """Return the names of the options of type `NamedFiles`."""
        return [
            name
            for name, field in cls.model_fields.items()
            if any(getattr(one, "func", None) is _named_files for one in field.metadata)
        ]

    @classmethod
    def can_be_searched(cls, name: str) -> bool:
        """Whether a search may vary an option."""
        fixed = {one for part in cls.__mro__ for one in vars(part).get("not_searched", ())}
        files = {*cls.file_options(), *cls.named_file_options()}
        return name not in fixed | files

    @classmethod
    def suggestions(cls) -> dict[str, Suggestion]:
        """Return the suggestions of all parts for a search."""
        found: dict[str, Suggestion] = {}
        for part in reversed(cls.__mro__):
            found |= vars(part).get("searched", {})
        return {name: each for name, each in found.items() if name in cls.model_fields}

    def with_absolute_paths(self) -> Self:
        """Return a copy with absolute file paths, which are valid from any folder.

        Data sets of a hub (`hub:…`) are not changed.
        """
        files = {name: getattr(self, name) for name in self.file_options()}
        found: dict[str, Any] = {
            name: str(Path(file).absolute())
            for name, file in files.items()
            if file is not None and not is_of_hub(file)
        }
        for name in self.named_file_options():
            named = file_by_name(getattr(self, name))
            found[name] = tuple(f"{kind}={Path(file).absolute()}" for kind, file in named.items())
        return self.model_copy(update=found)

    def given(self) -> dict[str, Any]:
        """Return the options that were given explicitly, even if they equal their defaults.

        Those that a run stored, or that a preset has, do not count.
        """
        names = self.model_fields_set if self._given is None else self._given
        return {name: getattr(self, name) for name in type(self).model_fields if name in names}

    def taken_later(self) -> Collection[str]:
        """Return the options that may be taken from another run, unless they are given."""
        return ()

    def misfits(self) -> Mapping[str, str]:
        """Return why options cannot have their values together with the others; checked for given ones only.

        Runs of older versions may have such values.
        """
        return {}

    def dropped(self) -> Mapping[str, str]:
        """Return the given options that `build_config` dropped, and why each does not apply."""
        return self._dropped

    def place_of(self, name: str) -> str:
        """Return the file that an option was given in, followed by a colon; empty if it was not in a file."""
        return (self._given or {}).get(name, "")

    def with_given(self, options: Mapping[str, Any]) -> Self:
        """Return a copy with checked values of other options, in which only these count as given."""
        copied = self.model_copy(update=options)
        copied._given = dict.fromkeys(options, "")
        return copied

    def changed(self) -> dict[str, Any]:
        """Return the options that differ from their defaults."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in values.items() if value != self.default_of(name)}


def option(
    default: Any, text: str, *, unit: str | None = None, flag: str | None = None, **limits: Any
) -> Any:
    """Define an option: its default, description, unit, a second flag, and limits such as `ge=1`."""
    extra: dict[str, Any] = {"unit": unit or ""} | ({} if flag is None else {"flag": flag})
    return Field(default=default, description=text, json_schema_extra=extra, **limits)


def unit_of(field: FieldInfo) -> str:
    """Return the unit of an option; empty if it has none."""
    extra = field.json_schema_extra
    return str(extra.get("unit", "")) if isinstance(extra, dict) else ""


def flag_of(field: FieldInfo) -> str | None:
    """Return the second flag of an option on the command line; None if it has none."""
    extra = field.json_schema_extra
    flag = extra.get("flag") if isinstance(extra, dict) else None
    return flag if isinstance(flag, str) else None


def default(part: type[Part], name: str, value: Any) -> Any:
    """Copy an option of a part with another default, for a configuration that inherits from the part."""
    field = copy(part.model_fields[name])
    field.default = value
    return field


def choices(annotation: object) -> tuple[str, ...]:
    """Return the values that a Literal annotation allows; empty for other annotations."""
    if get_origin(annotation) is Literal:
        return tuple(str(value) for value in get_args(annotation))
    if get_origin(annotation) in (Union, UnionType):
        return tuple(value for part in get_args(annotation) for value in choices(part))
    return ()


def plain_type(annotation: Any) -> Any:
    """Return the type of single values: `int | None` as int, literals as str, tuples as lists of str."""
    if get_origin(annotation) is Literal:
        return str
    if get_origin(annotation) is tuple:
        return list[str]
    if get_origin(annotation) is Annotated:
        return get_args(annotation)[0]
    kinds = [kind for kind in get_args(annotation) if kind is not NoneType] or [annotation]
    return plain_type(kinds[0]) if kinds[0] is not annotation else annotation
