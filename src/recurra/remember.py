"""A cache of a function's results that can be pickled and copied with a model."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")


class Remembered(Generic[Value]):
    """A function with a cache of its last `size` results; often a method of the object that holds it.

    functools.lru_cache as an attribute can be neither pickled nor copied. A pickled or deep copy of this
    object starts empty and calls the method of the copied object.
    """

    def __init__(self, function: Callable[..., Value], size: int) -> None:
        self._function, self._size = function, size
        self._kept = lru_cache(maxsize=size)(function)

    def __call__(self, *given: Any) -> Value:
        """Return the function's result; the arguments must be hashable."""
        return self._kept(*given)

    def __reduce__(self) -> tuple[Any, ...]:
        return Remembered, (self._function, self._size)
