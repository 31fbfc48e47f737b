"""Check the arguments of public functions by their annotations, with one sentence for a wrong type."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from numbers import Integral, Real
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from recurra.errors import ArgumentTypeError
from recurra.plain import quoted

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])
_SHOWN = 40
_NAMES = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "a bool",
    Path: "a path",
    NoneType: "None",
}


def checks_arguments(function: FunctionT) -> FunctionT:
    """Check the arguments of each call against annotations of texts, numbers, paths and lists of texts.

    Other annotations are not checked. Raises: ArgumentTypeError naming the function and the argument.
    """
    signature = inspect.signature(function)
    hints: dict[str, Any] = {}

    @wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if not hints:
            hints.update(get_type_hints(function))
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError:
            return function(*args, **kwargs)  # raises Python's own error
        for name, value in given.items():
            expected = hints.get(name)
            if expected is not None and not _fits(value, expected):
                raise ArgumentTypeError(
                    f"{function.__name__}: {name}: got {quoted(value, _SHOWN)}, expected {_told(expected)}."
                )
        return function(*args, **kwargs)

    return checked  # type: ignore[return-value]


def _fits(value: Any, expected: Any) -> bool:
    """Whether a value is of an annotated type; true for annotations that are not checked."""
    origin = get_origin(expected)
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in get_args(expected))
    if origin in (Sequence, Iterable, list) and get_args(expected) == (str,):
        if isinstance(value, str | bytes) or not isinstance(value, Iterable):
            return False
        return not isinstance(value, Sequence) or all(isinstance(one, str) for one in value)
    if origin is Mapping:
        return isinstance(value, Mapping)
    if expected is bool:
        return isinstance(value, bool)
    if expected is int:
        return isinstance(value, Integral) and not isinstance(value, bool)
    if expected is float:
        return isinstance(value, Real) and not isinstance(value, bool)
    return isinstance(value, expected) if expected in _NAMES else True


def _told(expected: Any) -> str:
    """Describe an annotated type."""
    origin = get_origin(expected)
    if origin in (Union, UnionType):
        return " or ".join(_told(one) for one in get_args(expected))
    if origin in (Sequence, Iterable, list):
        return "a list of texts"
    if origin is Mapping:
        return "a mapping"
    return _NAMES.get(expected, getattr(expected, "__name__", str(expected)))
