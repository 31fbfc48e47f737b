"""Weights packed for the native kernels, kept from call to call."""

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


# Fused optimisers change weights in place without telling their version counters.
register_optimizer_step_post_hook(_count_step)


class _Mark(NamedTuple):
    """Where a weight lies and how often it was changed; the tensor keeps its memory from being reused."""

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
    """What the kernels packed from some weights, for as long as the weights stay what they are.

    Seen are steps of torch's optimisers, `load_state_dict`, and all operations in place that torch counts.
    Not seen is what is written past torch's counters: through `weight.data` (as `vector_to_parameters` does)
    or an array that shares its memory, by another process, by a collective of torch.distributed. Weights
    that are computed anew for each call, as parametrizations do, are packed anew, too.
    A copy, pickled or deep, begins empty.
    """

    def __init__(self) -> None:
        # What it was packed from and for, and what was packed: replaced together, once it is whole.
        self._held: tuple[tuple[_Mark | None, ...], tuple[Any, ...], Any] = ((), (), None)

    def of(self, weights: Sequence[Tensor | None], kind: tuple[Any, ...], pack: Callable[[], Any]) -> Any:
        """Return what was packed from these weights, or what `pack` packs; `kind` tells of all else it needs.

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
            return pack()  # nobody counts how often they are changed
        marks = tuple(None if each is None else _Mark.of(each) for each in weights)
        packed = pack()
        self._held = (marks, now, packed)
        return packed

    def __reduce__(self) -> tuple[type["KeptPack"], tuple[()]]:
        return KeptPack, ()
