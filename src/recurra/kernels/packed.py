"""Weights packed for the native kernels, kept from call to call."""

from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from recurra.kernels.calls import Inputs, described
from recurra.kernels.extension import instruction_set

# What a layer packs: all that its call reads but its data, and what is set anew for each of them.
_WEIGHTS = slice(Inputs._fields.index("weight_ih"), Inputs._fields.index("shift_cell") + 1)


class _Mark(NamedTuple):
    """Where a weight lies and how often it was changed; the tensor keeps its memory from being reused."""

    tensor: Tensor
    address: int
    version: int
    shape: torch.Size

    @classmethod
    def of(cls, tensor: Tensor) -> "_Mark":
        alias = tensor.detach()
        return cls(alias, alias.data_ptr(), tensor._version, alias.shape)


class _Kept(NamedTuple):
    packed: Any
    instruction_set: str | None
    marks: tuple[_Mark | None, ...]

    def holds(self, weights: tuple[Tensor | None, ...]) -> bool:
        """Tell whether these are still the weights that were packed."""
        for tensor, mark in zip(weights, self.marks, strict=True):
            if tensor is None or mark is None:
                if tensor is not None or mark is not None:
                    return False
            elif (
                tensor.data_ptr() != mark.address
                or tensor._version != mark.version
                or tensor.shape != mark.shape
            ):
                return False
        return self.instruction_set == instruction_set()


class PackedWeights:
    """The packed weights of a layer's directions, each for as long as its weights stay what they are.

    Changes are those that torch counts: by optimisers, `load_state_dict`, any operation in place. What is
    written past it, through `weight.data` or an array that shares its memory, is not seen.
    A copy, pickled or deep, begins empty.
    """

    def __init__(self) -> None:
        self._kept: dict[int, _Kept] = {}

    def of(self, place: int, inputs: Inputs) -> Any:
        """Return the packed weights of the layer and direction at `place`; None where they cannot be kept.

        Shapes: those of Inputs.
        """
        weights = cast("tuple[Tensor | None, ...]", inputs[_WEIGHTS])
        kept = self._kept.get(place)
        if kept is None or not kept.holds(weights):
            if any(tensor is not None and tensor.is_inference() for tensor in weights):
                return None  # nobody counts how often they are changed
            call, copies = described(inputs)
            marks = tuple(None if tensor is None else _Mark.of(tensor) for tensor in weights)
            kept = _Kept(call.pack(), instruction_set(), marks)
            del copies  # they had to stay until here
            self._kept[place] = kept
        return kept.packed

    def clear(self) -> None:
        """Forget them all."""
        self._kept.clear()

    def __reduce__(self) -> tuple[type["PackedWeights"], tuple[()]]:
        return PackedWeights, ()
