"""Checks of the arguments of cells and layers. Each error is one sentence that names the remedy."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any, cast

import torch
from torch import Tensor

from recurra.cells.state import LSTMState, State
from recurra.errors import ArgumentTypeError, ConfigError, NotATensorError, ShapeError


class WrongType(str):
    """The message for an argument of the wrong type: `refuse` raises it as a TypeError."""


def refuse(faults: Iterable[str]) -> None:
    """Raise one error that lists all faults: ArgumentTypeError if a type is among them, else ConfigError."""
    lines = list(faults)
    if any(isinstance(line, WrongType) for line in lines):
        raise ArgumentTypeError("\n".join(lines))
    if lines:
        raise ConfigError("\n".join(lines))


def check_sizes(
    sizes: Mapping[str, object], flags: Mapping[str, object], faults: Iterable[str] = (), least: int = 1
) -> None:
    """Raise one ConfigError listing each size below `least`, each flag that is not a bool, and `faults`."""
    lines = [fault for name, size in sizes.items() for fault in size_faults(name, size, least)]
    refuse([*lines, *option_faults(flags, {}), *faults])


def size_faults(name: str, size: Any, least: int = 1) -> list[str]:
    """Return the faults of a size: none if it is an integer (Python's or numpy's) >= `least`."""
    sentence = f"{name}: got {size!r}, expected a whole number >= {least}"
    if isinstance(size, bool) or not isinstance(size, Integral):
        return [WrongType(sentence)]
    return [sentence] if int(size) < least else []


def dtype_faults(dtype: object) -> list[str]:
    """Return the faults of a weight dtype: none if it is None, floating-point or complex."""
    sentence = f"dtype: got {dtype!r}, expected a floating-point or complex type such as torch.float32"
    if dtype is None:
        return []
    if not isinstance(dtype, torch.dtype):
        return [WrongType(sentence)]
    return [] if dtype.is_floating_point or dtype.is_complex else [sentence]


def truth_of(name: str, given: object, stacklevel: int) -> bool:
    """Return the truth value of a flag, as torch.nn does; warn if it is not a bool."""
    if not isinstance(given, bool):
        taken = f"{name}: got {given!r}, which counts as {bool(given)}; pass True or False"
        warnings.warn(taken, stacklevel=stacklevel)
    return bool(given)


def option_faults(
    flags: Mapping[str, object], choices: Mapping[str, tuple[object, Iterable[object]]]
) -> list[str]:
    """Return one message per flag that is not a bool and per (value, choices) where value is not a choice."""
    lines: list[str] = [
        WrongType(f"{name}: got {flag!r}, expected True or False")
        for name, flag in flags.items()
        if not isinstance(flag, bool)
    ]
    for name, (got, allowed) in choices.items():
        allowed = list(allowed)
        if not any(type(got) is type(choice) and got == choice for choice in allowed):
            lines.append(f"{name}: got {got!r}, expected one of {', '.join(map(repr, allowed))}")
    return lines


def check_options(
    flags: Mapping[str, object], choices: Mapping[str, tuple[object, Iterable[object]]]
) -> None:
    """Raise one ConfigError that lists each flag that is not a bool and each value that is not a choice."""
    refuse(option_faults(flags, choices))


def shape_error(what: str, got: object, expected: str, remedy: str) -> ShapeError:
    """Return a ShapeError that names the argument, the value it got, the expected value and the remedy."""
    return ShapeError(f"{what}: got {got}, expected {expected}; {remedy}")


def autocasts(x: Tensor) -> bool:
    """Return whether torch.autocast is enabled for the device of x, so that dtypes may differ.

    Shapes: any.
    """
    kind = x.device.type
    return torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)  # "meta" has no autocast


def check_tensor(what: str, given: object) -> None:
    """Raise a NotATensorError unless `given` is a tensor.

    Shapes: any.
    """
    if not isinstance(given, Tensor):
        got, remedy = f"a {type(given).__name__}", "convert it with torch.as_tensor(..., dtype=torch.float32)"
        raise NotATensorError(f"{what}: got {got}, expected a tensor; {remedy}")


def check_ids(what: str, given: Tensor, count: int) -> None:
    """Raise a ShapeError unless a tensor has ids 0 … count - 1.

    Shapes: given (B, T).
    """
    if given.dim() != 2 or given.dtype not in (torch.int64, torch.int32):
        got = f"{given.dtype} of shape {tuple(given.shape)}"
        raise shape_error(what, got, "torch.int64 of shape (B, T)", "pass one row of ids per text")
    if given.numel():
        least, most = given.aminmax()
        if least < 0 or most >= count:
            raise shape_error(
                what, f"ids from {least} to {most}", f"ids from 0 to {count - 1}", "encode with the tokenizer"
            )


def check_dense(what: str, given: Tensor) -> None:
    """Raise a ShapeError if a tensor is sparse.

    Shapes: any.
    """
    if given.layout is not torch.strided:
        raise shape_error(what, f"a tensor of layout {given.layout}", "a dense one", "take its .to_dense()")


def check_kind(input: Tensor, weight: Tensor) -> None:
    """Raise a ShapeError unless the input has the weights' device and, without autocast, their dtype.

    Shapes: any.
    """
    if input.dtype != weight.dtype and not autocasts(input):
        remedy = f"convert it with .to({weight.dtype})"
        if input.dtype.is_floating_point:
            remedy += f", or the model with .to({input.dtype})"
        raise shape_error("input", input.dtype, f"the weights' {weight.dtype}", remedy)
    if input.device != weight.device:
        remedy = "move one of them with .to(...)"
        raise shape_error("input", f"device {input.device}", f"the weights' {weight.device}", remedy)


def checked_state(
    given: Any, shapes: Sequence[tuple[int, ...]], axes: str, device: torch.device, dtype: torch.dtype | None
) -> State:
    """Return `given` as a State after checking its shapes (one, or two for the LSTM), device and dtype.

    Shapes: `shapes`; `axes` describes them in the error message. With a dtype of None any dtype passes.
    Raises: ShapeError where something differs.
    """
    if len(shapes) == 1:
        _check_tensor("hx", given, shapes[0], axes, device, dtype)
        return cast(Tensor, given)
    if not isinstance(given, tuple | list) or len(given) != 2:
        got = f"{len(given)} tensors" if isinstance(given, tuple | list) else f"a {type(given).__name__}"
        raise NotATensorError(
            f"hx: got {got}, expected the pair (hidden, cell); pass LSTMState(hidden, cell)"
        )
    for name, part, shape in zip(LSTMState._fields, given, shapes, strict=True):
        _check_tensor(f"hx.{name}", part, shape, axes, device, dtype)
    return LSTMState(*given)


def _check_tensor(
    what: str, given: Any, shape: tuple[int, ...], axes: str, device: torch.device, dtype: torch.dtype | None
) -> None:
    remedy = "pass the state of this batch, or omit it to start from zeros"
    if not isinstance(given, Tensor):
        got = f"a {type(given).__name__}"
        raise NotATensorError(f"{what}: got {got}, expected a tensor of shape {shape}, {axes}; {remedy}")
    check_dense(what, given)
    if given.shape != shape:
        raise shape_error(what, f"shape {tuple(given.shape)}", f"a tensor of shape {shape}, {axes}", remedy)
    if given.device != device:
        raise shape_error(what, f"device {given.device}", f"the input's {device}", "move it with .to(...)")
    if dtype is not None and given.dtype != dtype:
        raise shape_error(what, given.dtype, f"the input's {dtype}", f"convert it with .to({dtype})")
