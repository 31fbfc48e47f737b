"""Nests of tensors: a tensor, None, or a named tuple, tuple, list or dictionary of nests.

The state of a network is a nest.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, cast

from torch import Tensor

N = TypeVar("N")


def map_nest(function: Callable[..., Any], nest: N, *others: N) -> N:
    """Apply `function` to each tensor of a nest; with several nests, to the tensors at the same place.

    Shapes: as `function` maps them.
    Raises: TypeError if an argument is not a nest; ValueError if the nests differ in structure.
    """
    return cast(N, _mapped(function, nest, others))


def _mapped(function: Callable[..., Any], nest: Any, others: Sequence[Any]) -> Any:
    if isinstance(nest, Tensor):
        return function(nest, *others)
    if nest is None:
        return None
    if any(type(other) is not type(nest) or len(other) != len(nest) for other in others):
        kinds = [type(each).__name__ for each in (nest, *others)]
        raise ValueError(f"nests: got {kinds}, expected the same structure")
    if isinstance(nest, dict):
        return {key: _mapped(function, each, [o[key] for o in others]) for key, each in nest.items()}
    if not isinstance(nest, tuple | list):
        raise TypeError(f"nests: got {type(nest).__name__}, expected a nest of tensors")
    parts = [_mapped(function, each, [o[i] for o in others]) for i, each in enumerate(nest)]
    return type(nest)(*parts) if hasattr(nest, "_fields") else type(nest)(parts)


def flatten(nest: Any) -> list[Tensor]:
    """Return the tensors of a nest, in order. Shapes: unchanged."""
    found: list[Tensor] = []
    map_nest(found.append, nest)
    return found


def unflatten(like: N, tensors: Sequence[Tensor]) -> N:
    """Return a nest with the structure of `like` and the given tensors.

    Shapes: those of the tensors.
    Raises: ValueError if the number of tensors differs from that of `like`.
    """
    left: Iterator[Tensor] = iter(tensors)
    count = len(flatten(like))
    if count != len(tensors):
        raise ValueError(f"nests: got {len(tensors)} tensors, expected {count}")
    return map_nest(lambda _: next(left), like)
