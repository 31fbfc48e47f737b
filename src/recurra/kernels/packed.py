"""Weights packed for the native kernels and kept between calls."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_post_hook

from recurra.kernels.extension import instruction_set

_optimizer_steps = 0


def _count_step(*_: Any) -> None:
    global _optimizer_steps
    _optimizer_steps += 1


# Fused optimisers change weights in place without updating their version counters.
register_optimizer_step_post_hook(_count_step)


class _Mark(NamedTuple):
    """The address and version of a weight; holding the tensor keeps its memory from being reused."""

    tensor: Tensor
    address: int
    version: int
    shape: torch.Size
    stride: tuple[int, ...]

    @classmethod
    def of(cls, tensor: Tensor) -> "_Mark":
        alias = tensor.detach()
        return cls(alias, alias.data_ptr(), tensor._version, alias.shape, alias.stride())

    def holds(self, tensor: Tensor) -> bool:
        return (
            tensor.data_ptr() == self.address
            and tensor._version == self.version
            and tensor.shape == self.shape
            and tensor.stride() == self.stride
        )


class KeptPack:
    """A cache of the packed form of some weights, valid until the weights change.

    It detects steps of torch's optimisers, `load_state_dict`, and all in-place operations that torch counts.
    It does not detect writes that bypass torch's version counters: through `weight.data` (as in
    `vector_to_parameters`), through an array that shares the memory, by another process, or by a collective
    of torch.distributed. Weights that are recomputed for each call, as with parametrizations, are repacked.
    A pickled or deep copy starts empty.
    """

    def __init__(self) -> None:
        # The source weights, the kind and the packed result; replaced together once packing has succeeded.
        self._held: tuple[tuple[_Mark | None, ...], tuple[Any, ...], Any] = ((), (), None)

    def of(self, weights: Sequence[Tensor | None], kind: tuple[Any, ...], pack: Callable[[], Any]) -> Any:
        """Return the packed weights, from the cache or from `pack`; `kind` holds all else they depend on.

        Shapes: any.
        """
        now = (*kind, _optimizer_steps, instruction_set())
        marks, before, packed = self._held
        if before == now and all(
            tensor is None if mark is None else tensor is not None and mark.holds(tensor)
            for tensor, mark in zip(weights, marks, strict=True)
        ):
            return packed
        if any(tensor is not None and tensor.is_inference() for tensor in weights):
            return pack()  # inference tensors have no version counter
        marks = tuple(None if each is None else _Mark.of(each) for each in weights)
        packed = pack()
        self._held = (marks, now, packed)
        return packed

    def __reduce__(self) -> tuple[type["KeptPack"], tuple[()]]:
        return KeptPack, ()
