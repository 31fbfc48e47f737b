"""The native output layer as torch operators: linear map and cross-entropy fused, without storing all logits.

`recurra::linear_cross_entropy` returns the loss of each token. Its backward, `…_backward`, recomputes the
logits, because the weight of each token's loss is known only then. `recurra::linear_cross_entropy_total`
returns the sum or mean, in which all tokens have the same weight: its gradients are computed together with
the loss from the same logits, and backward only scales them.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from recurra.cells import shape_error
from recurra.kernels.extension import extension, unavailable

_INPUTS = "Tensor hidden, Tensor weight, Tensor? bias, Tensor targets, int ignore_index"
_LIBRARY = torch.library.Library("recurra", "FRAGMENT")
_LIBRARY.define(f"linear_cross_entropy({_INPUTS}) -> (Tensor, Tensor)")
_LIBRARY.define(
    f"linear_cross_entropy_backward({_INPUTS}, Tensor dlosses, Tensor normalisers, bool[] wanted) -> Tensor[]"
)
_LIBRARY.define(
    f"linear_cross_entropy_total({_INPUTS}, bool mean, bool[] wanted) "
    "-> (Tensor, Tensor, Tensor, Tensor, Tensor)"
)


class OutputLayerInputs(NamedTuple):
    """The inputs of all three operators, as described in native/output_layer.h.

    Shapes: hidden (N, H); weight (V, H); bias (V,); targets (N,) int64, each 0..V-1 or ignore_index.
    """

    hidden: Tensor
    weight: Tensor
    bias: Tensor | None
    targets: Tensor
    ignore_index: int

    def differentiable(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return the inputs that have gradients."""
        return self[:3]


def reason(hidden: Tensor, weight: Tensor) -> str | None:
    """Return why the native output layer cannot run a call, or None if it can.

    Shapes: hidden (…, H); weight (V, H).
    """
    blocked = unavailable()
    if blocked is not None:
        return blocked
    if hidden.device.type != "cpu":
        return f"device is {hidden.device.type}, kernels are CPU"
    if torch.is_autocast_enabled("cpu"):
        return "torch.autocast is on, kernels are float32"
    for tensor in (hidden, weight):
        if tensor.dtype != torch.float32:
            return f"dtype is {str(tensor.dtype).removeprefix('torch.')}, kernels are float32"
    if weight.numel() == 0:
        return "the weight is empty"
    if torch.autograd.forward_ad._current_level >= 0 or torch._C._are_functorch_transforms_active():
        return "forward-mode or functional differentiation is on, which needs torch"
    return None


def _checked(inputs: OutputLayerInputs) -> OutputLayerInputs:
    """Return contiguous inputs after checking every shape and dtype.

    Raises: ShapeError where something does not fit.
    """
    if inputs.hidden.dim() != 2 or inputs.weight.dim() != 2 or inputs.weight.numel() == 0:
        got = f"shapes {tuple(inputs.hidden.shape)} and {tuple(inputs.weight.shape)}"
        raise shape_error("hidden and weight", got, "(N, H) and (V, H)", "flatten time and batch")
    (N, H), V = inputs.hidden.shape, inputs.weight.shape[0]
    expected: dict[str, tuple[tuple[int, ...], torch.dtype]] = {
        "hidden": ((N, H), torch.float32),
        "weight": ((V, H), torch.float32),
        "bias": ((V,), torch.float32),
        "targets": ((N,), torch.int64),
    }
    for name, (shape, dtype) in expected.items():
        tensor = getattr(inputs, name)
        if tensor is not None and (tensor.shape != shape or tensor.dtype != dtype):
            got = f"{tensor.dtype} of shape {tuple(tensor.shape)}"
            raise shape_error(
                name, got, f"{dtype} of shape {shape}", "see recurra.layers.linear_cross_entropy"
            )
    return OutputLayerInputs(
        inputs.hidden.contiguous(),
        inputs.weight.contiguous(),
        None if inputs.bias is None else inputs.bias.contiguous(),
        inputs.targets.contiguous(),
        inputs.ignore_index,
    )


def _call(inputs: OutputLayerInputs) -> Any:
    """Return a native call with sizes and inputs set; the caller keeps the tensors alive while it runs."""
    call = extension().OutputLayer()
    (call.N, call.H), call.V = inputs.hidden.shape, inputs.weight.shape[0]
    call.threads, call.ignore_index = torch.get_num_threads(), inputs.ignore_index
    for name in ("hidden", "weight", "bias", "targets"):
        tensor = getattr(inputs, name)
        if tensor is not None:
            setattr(call, name, tensor.data_ptr())
    return call


def _room_for_gradients(call: Any, inputs: OutputLayerInputs, wanted: list[bool]) -> list[Tensor]:
    gradients = []
    for name, tensor, want in zip(OutputLayerInputs._fields, inputs.differentiable(), wanted, strict=False):
        gradients.append(inputs.hidden.new_empty(tensor.shape if want and tensor is not None else (0,)))
        if gradients[-1].numel():
            setattr(call, f"d{name}", gradients[-1].data_ptr())
    return gradients


def _check_targets(call: Any, inputs: OutputLayerInputs) -> None:
    if call.bad_token >= 0:
        got = f"{int(inputs.targets[call.bad_token])} at token {call.bad_token}"
        wanted = f"0..{call.V - 1} or ignore_index {inputs.ignore_index}"
        remedy = "enlarge the vocabulary or correct the targets"
        raise shape_error("targets", got, wanted, remedy)


def _run_forward(
    inputs: OutputLayerInputs, mean: bool, wanted: list[bool]
) -> tuple[Tensor, Tensor, list[Tensor], int]:
    call = _call(inputs)
    call.mean = mean
    losses, normalisers = inputs.hidden.new_empty(call.N), inputs.hidden.new_empty(2, call.N)
    call.losses, call.normalisers = losses.data_ptr(), normalisers.data_ptr()
    gradients = _room_for_gradients(call, inputs, wanted)
    call.forward()
    _check_targets(call, inputs)
    return losses, normalisers, gradients, call.counted


def _losses(*given: Any) -> tuple[Tensor, Tensor]:
    return _run_forward(_checked(OutputLayerInputs(*given)), False, [False] * 3)[:2]


def _total(*given: Any) -> tuple[Tensor, ...]:
    *first, mean, wanted = given
    losses, normalisers, gradients, counted = _run_forward(_checked(OutputLayerInputs(*first)), mean, wanted)
    total = losses.sum()
    return (total / counted if mean else total, normalisers, *gradients)


def _backward(*given: Any) -> list[Tensor]:
    *first, dlosses, normalisers, wanted = given
    inputs = _checked(OutputLayerInputs(*first))
    call = _call(inputs)
    dlosses, normalisers = dlosses.contiguous(), normalisers.contiguous()
    for name, tensor, shape in (("dlosses", dlosses, (call.N,)), ("normalisers", normalisers, (2, call.N))):
        if tensor.shape != shape or tensor.dtype != torch.float32:
            got = f"{tensor.dtype} of shape {tuple(tensor.shape)}"
            raise shape_error(name, got, f"torch.float32 of shape {shape}", "pass the result of forward")
        setattr(call, name, tensor.data_ptr())
    gradients = _room_for_gradients(call, inputs, wanted)
    call.backward()
    _check_targets(call, inputs)
    return gradients


def _gradient_shapes(inputs: OutputLayerInputs, wanted: list[bool]) -> list[Tensor]:
    return [
        inputs.hidden.new_empty(tensor.shape if want and tensor is not None else (0,))
        for tensor, want in zip(inputs.differentiable(), wanted, strict=True)
    ]


def _losses_shapes(*given: Any) -> tuple[Tensor, Tensor]:
    hidden = given[0]
    return hidden.new_empty(hidden.shape[0]), hidden.new_empty(2, hidden.shape[0])


def _total_shapes(*given: Any) -> tuple[Tensor, ...]:
    hidden = given[0]
    gradients = _gradient_shapes(OutputLayerInputs(*given[:5]), given[6])
    return (hidden.new_empty(()), hidden.new_empty(2, hidden.shape[0]), *gradients)


def _backward_shapes(*given: Any) -> list[Tensor]:
    return _gradient_shapes(OutputLayerInputs(*given[:5]), given[7])


def _keep_for_losses(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.save_for_backward(*inputs[:4], output[1])
    ctx.ignore_index = inputs[4]
    ctx.mark_non_differentiable(output[1])
    ctx.set_materialize_grads(False)


def _keep_for_total(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    _, normalisers, *gradients = output
    ctx.save_for_backward(*inputs[:4], normalisers)
    ctx.ignore_index, ctx.mean, ctx.made_for = inputs[4:]
    ctx.gradients = gradients  # not in save_for_backward: the first backward scales them in place
    ctx.mark_non_differentiable(normalisers, *gradients)
    ctx.set_materialize_grads(False)  # otherwise backward allocates zeros as large as the weight


def _is_batch(gradient: Tensor) -> bool:
    """Return whether this is a batch of gradients from torch.autograd.grad(is_grads_batched=True)."""
    return bool(torch._C._functorch.is_legacy_batchedtensor(gradient))


def _wanted(ctx: Any, inputs: OutputLayerInputs) -> list[bool]:
    needed = zip(inputs.differentiable(), ctx.needs_input_grad, strict=False)
    return [tensor is not None and bool(need) for tensor, need in needed]


def _differentiate_losses(ctx: Any, dlosses: Tensor | None, _: Any) -> tuple[Any, ...]:
    if dlosses is None:
        return (None,) * 5
    *tensors, normalisers = ctx.saved_tensors
    inputs = OutputLayerInputs._make((*tensors, ctx.ignore_index))
    return _gradients_by_token(inputs, dlosses, normalisers, _wanted(ctx, inputs))


def _differentiate_total(ctx: Any, dtotal: Tensor | None, *_: Any) -> tuple[Any, ...]:
    if dtotal is None:
        return (None,) * 7
    *tensors, normalisers = ctx.saved_tensors
    inputs, gradients = OutputLayerInputs._make((*tensors, ctx.ignore_index)), ctx.gradients
    wanted = _wanted(ctx, inputs)
    compiling = torch.compiler.is_compiling() or type(dtotal) is not Tensor  # traced: no values yet
    ready = gradients is not None and all(
        made or not want for made, want in zip(ctx.made_for, wanted, strict=True)
    )
    if ready and not _is_batch(dtotal) and (compiling or not torch.is_grad_enabled()):
        if compiling:
            scaled = [gradient * dtotal for gradient in gradients]
        else:
            # They are returned without a copy, to avoid the memory of a second gradient of the weight.
            # If backward runs again (retain_graph), they are recomputed.
            ctx.gradients = None
            scale = float(dtotal)
            scaled = gradients if scale == 1.0 else [gradient.mul_(scale) for gradient in gradients]
        found = [gradient if want else None for gradient, want in zip(scaled, wanted, strict=True)]
        return (*found, *[None] * 4)
    if ctx.mean:
        dtotal = dtotal / (inputs.targets != inputs.ignore_index).sum()
    return (*_gradients_by_token(inputs, dtotal.expand(len(inputs.targets)), normalisers, wanted), None, None)


def _gradients_by_token(
    inputs: OutputLayerInputs, dlosses: Tensor, normalisers: Tensor, wanted: list[bool]
) -> tuple[Any, ...]:
    again = torch.is_grad_enabled() and not torch.compiler.is_compiling()
    if again or _is_batch(dlosses):
        with torch.enable_grad():
            losses = plain(*inputs)
        pairs = zip(inputs.differentiable(), wanted, strict=True)
        sources = [tensor for tensor, want in pairs if want and tensor is not None]
        iterator = iter(torch.autograd.grad(losses, sources, dlosses, create_graph=again))
        found = [next(iterator) if want else None for want in wanted]
    else:
        made = torch.ops.recurra.linear_cross_entropy_backward(*inputs, dlosses, normalisers, wanted)
        found = [gradient if want else None for gradient, want in zip(made, wanted, strict=True)]
    return (*found, None, None)


def plain(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    ignore_index: int,
    reduction: str = "none",
) -> Tensor:
    """Return the same losses from torch's two functions, in at least single precision.

    Shapes: hidden (N, H); weight (V, H); bias (V,); targets (N,); losses (N,), or () if reduced.
    """
    logits = F.linear(hidden, weight, bias)
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    return F.cross_entropy(logits, targets, ignore_index=ignore_index, reduction=reduction)


for _name, _run, _shapes in (
    ("linear_cross_entropy", _losses, _losses_shapes),
    ("linear_cross_entropy_total", _total, _total_shapes),
    ("linear_cross_entropy_backward", _backward, _backward_shapes),
):
    _LIBRARY.impl(_name, _run, "CPU")
    torch.library.register_fake(f"recurra::{_name}", _shapes, lib=_LIBRARY)
for _name, _differentiate, _keep in (
    ("linear_cross_entropy", _differentiate_losses, _keep_for_losses),
    ("linear_cross_entropy_total", _differentiate_total, _keep_for_total),
):
    torch.library.register_autograd(f"recurra::{_name}", _differentiate, setup_context=_keep, lib=_LIBRARY)

losses = torch.ops.recurra.linear_cross_entropy
total = torch.ops.recurra.linear_cross_entropy_total
