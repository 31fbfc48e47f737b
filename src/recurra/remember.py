"""Answers of a function that are kept, in a form that a model can be pickled and copied with."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")


class Remembered(Generic[Value]):
    """A function, often a method of the object that holds this, whose last `size` answers are kept.

    functools.lru_cache is neither pickled nor copied where it is an attribute. A copy of this, pickled or
    deep, begins empty and asks the method of the copy.
    """

    def __init__(self, function: Callable[..., Value], size: int) -> None:
        self._function, self._size = function, size
        self._kept = lru_cache(maxsize=size)(function)

    def __call__(self, *given: Any) -> Value:
        """Return what the function answers; `given` is hashable."""
        return self._kept(*given)

    def __reduce__(self) -> tuple[Any, ...]:
        return Remembered, (self._function, self._size)
