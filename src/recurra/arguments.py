"""Check the arguments of public functions by their annotations, with one sentence for what does not fit.

    @checks_arguments
    def sample(text: str, *, length: AtLeastOne = 500, share: float | None = None) -> str: ...

Checked are texts, numbers, paths, literals, classes, functions, unions of these, and the elements of
sequences, tuples and mappings. Numbers must be finite, whole numbers have at most 64 bits, or the `Range` of
the annotation. `Any`, type variables and protocols are not checked, nor are the elements of iterators.
"""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, fields, is_dataclass
from functools import cache, partial, wraps
from itertools import repeat
from numbers import Integral, Real
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

import numpy as np

from recurra.errors import ArgumentTypeError, ConfigError
from recurra.plain import quoted

CallableT = TypeVar("CallableT", bound=Callable[..., Any])
_CONSTRUCTOR = "__init__"
_SHOWN = 40
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1
_OF_SEQUENCES = ("__len__", "__getitem__", "__iter__")
_NAMES = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "a bool",
    Path: "a path",
    NoneType: "None",
}


@dataclass(frozen=True)
class Range:
    """Limits of a whole number: `Annotated[int, Range(1)]`."""

    least: int = _LOWEST
    most: int = _HIGHEST


class EachField:
    """Also check the fields of a dataclass: `Annotated[Pair, EachField()]`."""


AtLeastOne = Annotated[int, Range(1)]
NotNegative = Annotated[int, Range(0)]
Seed = Annotated[int, Range(_LOWEST, 2**64 - 1)]
"""The seed of a random generator."""


class _Misfit(NamedTuple):
    """A value that does not fit: its place within the argument, what was expected, and the error."""

    place: str
    value: Any
    expected: str
    error: type[ConfigError] = ArgumentTypeError


# Returns what does not fit in a value; None if all fits.
_Check = Callable[[Any], _Misfit | None]


def checks_arguments(checked: CallableT) -> CallableT:
    """Check the arguments of each call of a function, or of the constructor of a class.

    Raises: ArgumentTypeError, or ConfigError for a value out of range, naming the function and the argument.
    """
    if isinstance(checked, type):
        setattr(checked, _CONSTRUCTOR, checks_arguments(getattr(checked, _CONSTRUCTOR)))
        return checked
    function, own_name = checked, checked.__name__
    if own_name == _CONSTRUCTOR:
        own_name = checked.__qualname__.split(".")[-2]
    by_name: dict[str, _Check | None] = {}
    by_place: list[tuple[str, _Check | None]] = []

    def prepare() -> None:
        hints = get_type_hints(function, include_extras=True)
        for name, parameter in inspect.signature(function).parameters.items():
            if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                by_name[name] = _check_of(hints.get(name, Any))
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                by_place.append((name, by_name[name]))

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not by_name:
            prepare()
        for value, (name, check) in zip(args, by_place, strict=False):
            if check is not None and (misfit := check(value)) is not None:
                raise _error(own_name, name, misfit)
        for name, value in kwargs.items():
            check = by_name.get(name)
            if check is not None and (misfit := check(value)) is not None:
                raise _error(own_name, name, misfit)
        return function(*args, **kwargs)

    return cast(CallableT, call)


def is_many(value: Any) -> bool:
    """Whether a value stands for several values: a list, a tuple, a series, a generator or an array of one
    dimension; a text, bytes or a mapping does not."""
    return _is_list(value, Iterable)


def each_text(texts: Iterable[Any], what: str) -> list[str]:
    """Return the texts of a list, an array, a series or a generator as a list of plain strings.

    Raises: ArgumentTypeError for anything else, naming the function and argument `what` ("predict: text").
    """
    if not is_many(texts):
        raise _unfit(texts, what, "a text or a list of texts")
    found = list(texts)
    for place, text in enumerate(found):
        if not isinstance(text, str):
            raise _unfit(text, f"{what}[{place}]", "a text")
    return list(map(str, found))


def checked_path(path: Any, what: str) -> Path:
    """Return a path that may be a text. Raises: ArgumentTypeError for anything else, as `each_text`."""
    if isinstance(path, str | Path):
        return Path(path)
    raise _unfit(path, what, "an array or the path of a file")


def _unfit(value: Any, where: str, expected: str) -> ArgumentTypeError:
    got = " ".join(quoted(value, _SHOWN).split())  # an array may have several lines
    return ArgumentTypeError(f"{where}: got {got}, expected {expected}.")


def _error(function: str, name: str, misfit: _Misfit) -> ConfigError:
    got = " ".join(quoted(misfit.value, _SHOWN).split())  # an array may have several lines
    # A command passes numbers on, so a message about their range does not name a function.
    where = f"{function}: {name}" if misfit.error is ArgumentTypeError else name
    return misfit.error(f"{where}{misfit.place}: got {got}, expected {misfit.expected}.")


@cache
def _check_of(expected: Any) -> _Check | None:
    """Return the check for an annotation; None for one that is not checked."""
    origin, inner = get_origin(expected), get_args(expected)
    if origin is Annotated:
        return _check_annotated(inner[0], inner[1:])
    if origin in (Union, UnionType):
        return _check_union(inner)
    if origin is Literal:
        return _check_literal(inner)
    if origin is type:
        return _check_subclass(inner[0])
    if origin is tuple:
        return _check_tuple(expected, inner)
    if origin in (Sequence, Iterable, list) or expected in (Sequence, Iterable, list):
        return _check_elements(expected, origin or expected, *inner)
    if origin is Mapping or expected is Mapping:
        return _check_mapping(expected, *inner)
    if origin is Callable or expected is Callable:
        return _check_callable
    if expected is int:
        return _check_annotated(int, (Range(),))
    if expected is float:
        return _check_float
    kind = origin or expected
    if not isinstance(kind, type) or kind in (Any, object) or getattr(kind, "_is_protocol", False):
        return None
    return _check_instance(kind)


def _check_instance(kind: type) -> _Check:
    told, kinds = _told(kind), (bool, np.bool_) if kind is bool else kind
    return lambda value: None if isinstance(value, kinds) else _Misfit("", value, told)


def _check_annotated(expected: Any, extras: tuple[Any, ...]) -> _Check | None:
    for extra in extras:
        if isinstance(extra, Range) and expected is int:
            return _check_int(extra)
        if isinstance(extra, EachField):
            return _check_fields(expected)
    return _check_of(expected)


def _check_int(limits: Range) -> _Check:
    of_64_bits = "a whole number of at most 64 bits"
    too_low = of_64_bits if limits.least <= _LOWEST else f">= {limits.least}"
    too_high = of_64_bits if limits.most >= _HIGHEST else f"<= {limits.most}"

    def check(value: Any) -> _Misfit | None:
        if isinstance(value, bool) or not isinstance(value, Integral):
            return _Misfit("", value, _NAMES[int])
        if int(value) < limits.least:
            return _Misfit("", value, too_low, ConfigError)
        return None if int(value) <= limits.most else _Misfit("", value, too_high, ConfigError)

    return check


def _check_float(value: Any) -> _Misfit | None:
    if isinstance(value, bool) or not isinstance(value, Real):
        return _Misfit("", value, _NAMES[float])
    try:
        is_finite = math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        is_finite = False
    return None if is_finite else _Misfit("", value, "a finite number", ConfigError)


def _check_callable(value: Any) -> _Misfit | None:
    return None if callable(value) else _Misfit("", value, "a function")


def _check_literal(choices: tuple[Any, ...]) -> _Check:
    told = f"one of {', '.join(map(repr, choices))}"

    def check(value: Any) -> _Misfit | None:
        if any(type(value) is type(choice) and value == choice for choice in choices):
            return None
        return _Misfit("", value, told, ConfigError if isinstance(value, str) else ArgumentTypeError)

    return check


def _check_subclass(kind: Any) -> _Check:
    kind = getattr(kind, "__bound__", None) or kind
    bound = kind if isinstance(kind, type) else object
    told = f"a class of {bound.__name__}"
    return lambda value: (
        None if isinstance(value, type) and issubclass(value, bound) else _Misfit("", value, told)
    )


def _check_union(choices: tuple[Any, ...]) -> _Check | None:
    every = [_check_of(choice) for choice in choices]
    if None in every:
        return None
    checks = [check for check in every if check is not None]
    told = _any_of(choices)

    def check(value: Any) -> _Misfit | None:
        found = None
        for one in checks:
            misfit = one(value)
            if misfit is None:
                return None
            if misfit.place or misfit.error is not ArgumentTypeError:
                found = misfit  # the type fits, but not the value or an element
        return found or _Misfit("", value, told)

    return check


def _check_tuple(expected: Any, inner: tuple[Any, ...]) -> _Check:
    if inner[-1] is ...:  # a list also fits, as it does everywhere
        return _check_elements(expected, tuple, inner[0])
    checks = [_check_of(one) for one in inner]
    told = f"a tuple of {len(inner)}"

    def check(value: Any) -> _Misfit | None:
        if not isinstance(value, tuple) or len(value) != len(checks):
            return _Misfit("", value, told)
        return _first_misfit(value, checks)

    return check


def _check_elements(expected: Any, kind: Any, element: Any = Any) -> _Check:
    told, inside = _told(expected), _check_of(element)

    def check(value: Any) -> _Misfit | None:
        if not _is_list(value, kind):
            return _Misfit("", value, told)
        if inside is None or not hasattr(value, "__len__"):
            return None
        return _first_misfit(value, repeat(inside))

    return check


def _is_list(value: Any, kind: Any) -> bool:
    """Whether a value may stand for a list, a tuple, a sequence or an iterable; a text or a mapping never."""
    if isinstance(value, str | bytes | Mapping):
        return False
    if kind in (list, tuple):
        return isinstance(value, list | tuple if kind is tuple else list)
    if hasattr(value, "shape"):  # an array or a series
        return len(value.shape) == 1
    if kind is Iterable:
        return isinstance(value, Iterable)
    return not isinstance(value, Set) and all(map(partial(hasattr, value), _OF_SEQUENCES))


def _first_misfit(values: Iterable[Any], checks: Iterable[_Check | None]) -> _Misfit | None:
    for place, (value, check) in enumerate(zip(values, checks, strict=False)):
        if check is not None and (misfit := check(value)) is not None:
            return misfit._replace(place=f"[{place}]{misfit.place}")
    return None


def _check_mapping(expected: Any, key: Any = Any, item: Any = Any) -> _Check:
    told, key_check, check_item = _told(expected), _check_of(key), _check_of(item)

    def check(value: Any) -> _Misfit | None:
        if not isinstance(value, Mapping):
            return _Misfit("", value, told)
        for name, one in value.items():
            if key_check is not None and (misfit := key_check(name)) is not None:
                return misfit._replace(place=" key")
            if check_item is not None and (misfit := check_item(one)) is not None:
                return misfit._replace(place=f"[{quoted(name, _SHOWN)}]{misfit.place}")
        return None

    return check


def _check_fields(kind: type) -> _Check:
    assert is_dataclass(kind), "only a dataclass has fields"
    hints = get_type_hints(kind, include_extras=True)
    checks = [(field.name, _check_of(hints[field.name])) for field in fields(kind)]
    told = _told(kind)

    def check(value: Any) -> _Misfit | None:
        if not isinstance(value, kind):
            return _Misfit("", value, told)
        for name, one in checks:
            if one is not None and (misfit := one(getattr(value, name))) is not None:
                return misfit._replace(place=f".{name}{misfit.place}")
        return None

    return check


def _told(expected: Any, *, many: bool = False) -> str:
    """Describe an annotated type: "a text", or "texts" if there are many."""
    origin, inner = get_origin(expected), get_args(expected)
    if origin is Annotated:
        return _told(inner[0], many=many)
    if origin in (Union, UnionType):
        return _any_of(inner, many=many)
    kind = origin or expected
    if kind in _NAMES:
        return f"{_NAMES[kind].removeprefix('a ')}s" if many else _NAMES[kind]
    if kind in (Sequence, Iterable, list):
        return "lists" if many else f"a list{_told_inside(inner)}"
    if kind is tuple:
        return "tuples" if many else f"a tuple{_told_inside(inner)}"
    if kind is Mapping:
        return "mappings" if many else "a mapping"
    if kind is Callable:
        return "functions" if many else "a function"
    name = getattr(kind, "__name__", str(kind))
    name = "numpy array" if name == "ndarray" else name
    if many:
        return f"{name} objects"
    return f"an {name}" if name[:1] in "AEIO" else f"a {name}"


def _any_of(choices: tuple[Any, ...], *, many: bool = False) -> str:
    *others, last = (_told(one, many=many) for one in choices)
    return f"{', '.join(others)} or {last}" if others else last


def _told_inside(inner: tuple[Any, ...]) -> str:
    named = [one for one in inner if one is not Any and (isinstance(one, type) or get_origin(one))]
    return f" of {_told(named[0], many=True)}" if named else ""
