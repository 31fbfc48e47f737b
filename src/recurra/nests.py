"""Nests of tensors: a tensor, None, or a named tuple, tuple, list or dictionary of nests.

What a network carries from step to step is one, whatever it is made of.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, cast

from torch import Tensor

N = TypeVar("N")


def map_nest(function: Callable[..., Any], nest: N, *others: N) -> N:
    """Apply `function` to each tensor of a nest; of several nests, to those that have the same place.

    Shapes: as `function` maps them.
    Raises: TypeError for what is no nest; ValueError if the nests differ in structure.
    """
    return cast(N, _mapped(function, nest, others))


def _mapped(function: Callable[..., Any], nest: Any, others: Sequence[Any]) -> Any:
    if isinstance(nest, Tensor):
        return function(nest, *others)
    if nest is None:
        return None
    if any(type(other) is not type(nest) or len(other) != len(nest) for other in others):
        raise ValueError(f"nests: got {[type(each).__name__ for each in (nest, *others)]}, expected one kind")
    if isinstance(nest, dict):
        return {key: _mapped(function, each, [o[key] for o in others]) for key, each in nest.items()}
    if not isinstance(nest, tuple | list):
        raise TypeError(f"nests: got {type(nest).__name__}, expected a nest of tensors")
    parts = [_mapped(function, each, [o[i] for o in others]) for i, each in enumerate(nest)]
    return type(nest)(*parts) if hasattr(nest, "_fields") else type(nest)(parts)


def flatten(nest: Any) -> list[Tensor]:
    """The tensors of a nest, in order. Shapes: as they are."""
    found: list[Tensor] = []
    map_nest(found.append, nest)
    return found


def unflatten(like: N, tensors: Sequence[Tensor]) -> N:
    """A nest of the structure of `like` with these tensors in place of its own.

    Shapes: as the tensors'.
    Raises: ValueError if there are more or fewer of them.
    """
    left: Iterator[Tensor] = iter(tensors)
    count = len(flatten(like))
    if count != len(tensors):
        raise ValueError(f"nests: got {len(tensors)} tensors, expected {count}")
    return map_nest(lambda _: next(left), like)
