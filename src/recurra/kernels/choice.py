"""Which way of computing a call takes: the fastest that can run it, or the one that was asked for."""

from typing import Any

from recurra.cells import Equation
from recurra.errors import BackendUnavailable
from recurra.kernels import native, torch_fused

BACKENDS = ("auto", "native", "torch", "reference")


def choose(backend: str, equation: Equation[Any, Any]) -> str:
    """Return the backend that runs `equation`: "native", "torch" or "reference".

    "auto" is native where it can run, else torch's fused function where torch has the cell, else the
    reference loop. A backend that is asked for by name is never replaced by another one.
    Raises: BackendUnavailable if the backend asked for cannot run, and why.
    """
    if backend == "reference":
        return backend
    if backend != "torch":
        blocked = native.reason()
        if blocked is None:
            return "native"
        if backend == "native":
            raise BackendUnavailable(f"backend='native', but {blocked}; use 'auto'")
    blocked = torch_fused.reason(equation)
    if blocked is None:
        return "torch"
    if backend == "torch":
        raise BackendUnavailable(f"backend='torch', but {blocked}; use 'auto' or 'reference'")
    return "reference"
