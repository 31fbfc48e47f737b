"""The native kernels as torch operators, and the dispatch of a call.

`recurra::recurrence` runs one direction of one layer over all its steps; `recurra::recurrence_backward` is
its backpropagation through time. Each is one opaque operator for torch.compile, torch.export and the like.
If nothing traces, a call uses the faster autograd function `_Recurrence`, or calls the kernel directly if no
gradient is needed.
"""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

from recurra.cells import shape_error
from recurra.kernels import second_order
from recurra.kernels.calls import (
    DIFFERENTIABLE,
    Arriving,
    Inputs,
    Outputs,
    Sizes,
    backward,
    described,
    forward,
    saved_floats,
)
from recurra.kernels.packed import KeptPack

_KINDS = {Tensor: "Tensor", Tensor | None: "Tensor?", list[int]: "int[]"}
_INPUTS = ", ".join(f"{_KINDS[kind]} {name}" for name, kind in Inputs.__annotations__.items())
_ARRIVING = ", ".join(f"{_KINDS[kind]} {name}" for name, kind in Arriving.__annotations__.items())
_LIBRARY = torch.library.Library("recurra", "FRAGMENT")
_LIBRARY.define(f"recurrence({_INPUTS}, bool training) -> (Tensor, Tensor, Tensor, Tensor, Tensor)")
_LIBRARY.define(
    f"recurrence_backward({_ARRIVING}, {_INPUTS}, Tensor y, Tensor saved, bool[] wanted) -> Tensor[]"
)
_GIVEN = len(Inputs._fields)
_TENSORS = _GIVEN - 1
# The inputs that are packed: the weights, but not the data or the values drawn or set for each call.
_PACKED = slice(Inputs._fields.index("weight_ih"), Inputs._fields.index("shift_cell") + 1)
_EQUATION = -2  # the options before reverse and every_cell
_PLAIN = {Tensor, torch.nn.Parameter, type(None)}


def recurrence(inputs: Inputs, training: bool, kept: KeptPack | None = None) -> Outputs:
    """Run a call; with `training` its results can be differentiated.

    `kept` caches packed weights, for calls without gradients.
    Shapes: those of Inputs and Outputs; `saved` is None.
    Raises: ShapeError, one sentence, where something does not fit.
    """
    if _is_watched(inputs):
        y, hT, cT, c_steps, _ = torch.ops.recurra.recurrence.default(*inputs, training)
        is_lstm = inputs.c0 is not None
        return Outputs(
            y, hT, cT if is_lstm else None, c_steps if is_lstm and inputs.every_cell else None, None
        )
    if not training:
        return forward(inputs, training, None if kept is None else _packed(kept, inputs))
    # Only the tensors present: each additional argument of a Function costs a microsecond, even None.
    present = [place for place, tensor in enumerate(inputs[:_TENSORS]) if tensor is not None]
    tensors = [inputs[place] for place in present]
    return Outputs._make((*_Recurrence.apply(present, inputs.options, *tensors), None))


def _packed(kept: KeptPack, inputs: Inputs) -> Any:
    def pack() -> Any:
        call, copies = described(inputs)
        packed = call.pack()
        del copies  # they must stay alive until packing is done
        return packed

    weights = cast("tuple[Tensor | None, ...]", inputs[_PACKED])
    return kept.of(weights, (*inputs.options[:_EQUATION],), pack)


def _is_watched(inputs: Inputs) -> bool:
    """Return whether operators are traced, intercepted or transformed, so the call must be an operator."""
    return (
        torch.compiler.is_compiling()
        or not _PLAIN.issuperset(map(type, inputs[:_TENSORS]))
        or _modes_are_on()
    )


def _modes_are_on() -> bool:
    return bool(
        torch._C._len_torch_dispatch_stack()
        or torch._C._len_torch_function_stack()
        or torch._C._are_functorch_transforms_active()
        or torch._C._is_tracing()
    )


class _Recurrence(torch.autograd.Function):
    """The operators' forward and backward without the dispatcher, on the tensors that are present."""

    @staticmethod
    def forward(ctx: Any, present: list[int], options: list[int], *tensors: Tensor) -> Any:
        """Compute y, hT, cT and c_steps."""
        *outputs, saved = forward(_placed(present, tensors, options), True)
        ctx.present, ctx.options = present, options
        ctx.save_for_backward(*tensors, outputs[0], saved)
        ctx.set_materialize_grads(False)
        return tuple(outputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> Any:
        """Return the gradients of the tensors that were passed to forward."""
        *tensors, y, saved = ctx.saved_tensors
        inputs = _placed(ctx.present, tensors, ctx.options)
        wanted = [False] * _TENSORS
        for place, want in zip(ctx.present, ctx.needs_input_grad[2:], strict=True):
            wanted[place] = want
        found = _differentiate(inputs, y, saved, gradients, wanted[: len(DIFFERENTIABLE)])
        found += [None] * (_TENSORS - len(found))
        return (None, None, *[found[place] for place in ctx.present])


def _placed(present: list[int], tensors: Sequence[Tensor], options: list[int]) -> Inputs:
    given: list[Any] = [None] * _TENSORS
    for place, tensor in zip(present, tensors, strict=True):
        given[place] = tensor
    return Inputs._make((*given, options))


def _keep_for_backward(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    y, *_, saved = output
    ctx.save_for_backward(*inputs[:_TENSORS], y, saved)
    ctx.options = inputs[_TENSORS]
    ctx.mark_non_differentiable(saved)
    ctx.set_materialize_grads(False)


def _differentiate_operator(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
    *tensors, y, saved = ctx.saved_tensors
    wanted = list(ctx.needs_input_grad[: len(DIFFERENTIABLE)])
    found = _differentiate(Inputs._make((*tensors, ctx.options)), y, saved, gradients, wanted)
    return (*found, *[None] * (_GIVEN + 1 - len(found)))


def _differentiate(
    inputs: Inputs,
    y: Tensor,
    saved: Tensor | None,
    gradients: Sequence[Tensor | None],
    wanted: list[bool],
) -> list[Tensor | None]:
    arriving = _there(gradients)
    if _needs_plain_operations(arriving):
        return second_order.differentiate(arriving, inputs, wanted)
    if not _is_watched(inputs) and _PLAIN.issuperset(map(type, arriving)):
        return backward(arriving, inputs, y, _or_none(saved), wanted)
    saved = y.new_empty(0) if saved is None else saved
    every = torch.ops.recurra.recurrence_backward.default(*arriving, *inputs, y, saved, wanted)
    return [gradient if want else None for gradient, want in zip(every, wanted, strict=True)]


def _needs_plain_operations(arriving: Arriving) -> bool:
    """Return whether the gradients will be differentiated again or are batched."""
    if torch.is_grad_enabled() and not torch.compiler.is_compiling():
        return True
    is_batch = torch._C._functorch.is_legacy_batchedtensor  # of torch.autograd.grad, is_grads_batched
    return torch._C._are_functorch_transforms_active() or any(
        each is not None and is_batch(each) for each in arriving
    )


def _or_none(tensor: Tensor | None) -> Tensor | None:
    """Return None for the placeholder of an absent tensor: it has one axis, real tensors have more."""
    return None if tensor is None or tensor.dim() == 1 else tensor


def _there(gradients: Sequence[Tensor | None]) -> Arriving:
    return Arriving(*map(_or_none, gradients[: len(Arriving._fields)]))


def _forward(*given: Any) -> tuple[Tensor, ...]:
    inputs = _required(Inputs(*given[:_GIVEN]))
    outputs = forward(inputs, given[_GIVEN])
    return tuple(inputs.x.new_empty(0) if each is None else each for each in outputs)


def _forward_shapes(*given: Any) -> tuple[Tensor, ...]:
    inputs, training = Inputs(*given[:_GIVEN]), given[_GIVEN]
    sizes, is_lstm, new = Sizes.of(inputs), inputs.c0 is not None, inputs.x.new_empty
    floats = saved_floats(inputs, sizes) if training else 0
    return (
        new(sizes.shape_of_y()),
        new((sizes.B, sizes.P)),
        new((sizes.B, sizes.H)) if is_lstm else new(0),
        new(sizes.shape_of_cells()) if inputs.every_cell and is_lstm else new(0),
        new((sizes.N, floats)) if floats else new(0),
    )


def _backward(*given: Any) -> list[Tensor]:
    arriving, inputs = _split(given)
    y, saved, wanted = given[-3:]
    found = backward(_there(arriving), _required(inputs), y, _or_none(saved), wanted)
    return [y.new_empty(0) if each is None else each for each in found]


def _backward_shapes(*given: Any) -> list[Tensor]:
    _, inputs = _split(given)
    return [
        inputs.x.new_empty(tensor.shape if want and isinstance(tensor, Tensor) else 0)
        for tensor, want in zip(inputs[: len(DIFFERENTIABLE)], given[-1], strict=True)
    ]


def _required(inputs: Inputs) -> Inputs:
    """Raise a ShapeError if x or h0 is None; the dispatcher accepts None where the schema has a tensor."""
    for name in ("x", "h0"):
        if getattr(inputs, name) is None:
            raise shape_error(name, "none", "a tensor", "every call needs it")
    return inputs


def _split(given: tuple[Any, ...]) -> tuple[Arriving, Inputs]:
    count = len(Arriving._fields)
    return Arriving(*given[:count]), Inputs(*given[count : count + _GIVEN])


_LIBRARY.impl("recurrence", _forward, "CPU")
_LIBRARY.impl("recurrence_backward", _backward, "CPU")
torch.library.register_fake("recurra::recurrence", _forward_shapes, lib=_LIBRARY)
torch.library.register_fake("recurra::recurrence_backward", _backward_shapes, lib=_LIBRARY)
torch.library.register_autograd(
    "recurra::recurrence", _differentiate_operator, setup_context=_keep_for_backward, lib=_LIBRARY
)
