"""The choice of the backend of a call: the fastest one that can run it, or the requested one."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from recurra.cells import Equation
from recurra.errors import BackendUnavailable
from recurra.kernels import native, torch_fused

BACKENDS = ("auto", "native", "torch", "reference")


def choose(backend: str, equation: Equation[Any, Any], x: Tensor, beyond_torch: str | None = None) -> str:
    """Return the backend that runs `equation` over x: "native", "torch" or "reference".

    "auto" is native where it can run and is faster, else torch's fused function where torch has the cell,
    else the reference loop. During torch.onnx.export it is not native, as ONNX has no such operator. A
    backend requested by name is never replaced by another one. `beyond_torch` is an option of the call that
    torch's functions do not have (such as "zoneout"), or None.
    Shapes: x any; only its device and dtype matter.
    Raises: BackendUnavailable, with the reason, if the requested backend cannot run.
    """
    if backend == "reference":
        return backend
    transformed = "torch.func or forward mode is on, which needs the reference" if _transformed() else None
    if backend == "torch":
        blocked = _without_torch(equation, beyond_torch)
        if blocked is not None:
            others = "'auto' or 'reference'"
            if native.reason(equation, x, beyond_torch) is None:
                others = "'auto' or 'native'"
            raise BackendUnavailable(f"backend='torch', but {blocked}; use {others}.")
        return backend
    blocked = native.reason(equation, x, beyond_torch) or transformed
    exporting = _is_exported_to_onnx()
    if backend == "native":
        if blocked is None and exporting:
            blocked = "torch.onnx.export has no operator for the kernels"
            others = "'torch'" if _without_torch(equation, beyond_torch) is None else "'reference'"
            raise BackendUnavailable(f"backend='native', but {blocked}; use {others}.")
        if blocked is not None:
            raise BackendUnavailable(f"backend='native', but {blocked}; use 'auto'.")
        return backend
    if transformed is not None:
        return "reference"
    # Kernels without wide vectors are slower than torch's functions, but faster than the loop.
    native_runs = blocked is None and not exporting
    if native_runs and native.has_wide_vectors():
        return "native"
    if _without_torch(equation, beyond_torch) is None:
        return "torch"
    return "native" if native_runs else "reference"


def _without_torch(equation: Equation[Any, Any], beyond_torch: str | None) -> str | None:
    """Return why torch's functions cannot run a call, or None if they can."""
    blocked = torch_fused.reason(equation)
    if blocked is None and beyond_torch is not None:
        return f"torch's functions have no {beyond_torch}"
    return blocked


def _onnx_export_looks_on() -> bool:
    return torch.onnx.is_in_onnx_export()


# Without this, torch.compile would treat torch's own function as False during torch.onnx.export.
_is_exported_to_onnx: Callable[[], bool] = torch.compiler.assume_constant_result(_onnx_export_looks_on)


def _transformed() -> bool:
    """Return whether forward mode or torch.func is on; both work on plain torch operations only."""
    forward_mode: bool = torch.autograd.forward_ad._current_level >= 0
    return forward_mode or torch._C._are_functorch_transforms_active()
