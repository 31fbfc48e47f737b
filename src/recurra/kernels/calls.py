"""Calls of the native kernels: checks the input tensors and returns new tensors, without autograd.

A kernel gets only addresses, so every shape, dtype, device and number is checked first: a misfit raises a
ShapeError and never crashes.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from recurra.cells import shape_error
from recurra.errors import ShapeError
from recurra.kernels.codes import LSTM, Code, equation_of
from recurra.kernels.extension import extension


class Inputs(NamedTuple):
    """The inputs of forward and backward, as described in native/recurrence.h and with the same names.

    Shapes: x (T, B, I), or with batch_sizes packed (N, I); h0 (B, P); c0 (B, H) for the LSTM; weight_ih
    (G*H, I); weight_hh (G*H, P); biases (G*H,); projection (P, H) and its bias (P,); peephole (3*H,), coupled
    (2*H,); with layer_norm gain_ih, gain_hh (G*H,), and gain_cell, shift_cell (H,) for the LSTM; keep_hidden
    (T, B, P) or (N, P) and keep_cell (T, B, H) or (N, H), the zoneout fractions; batch_sizes (T,) int64,
    descending. `options` are the numbers of a `Code`, then reverse and every_cell.
    """

    x: Tensor
    h0: Tensor
    c0: Tensor | None
    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Tensor | None
    bias_hh: Tensor | None
    projection: Tensor | None
    projection_bias: Tensor | None
    peephole: Tensor | None
    gain_ih: Tensor | None
    gain_hh: Tensor | None
    gain_cell: Tensor | None
    shift_cell: Tensor | None
    keep_hidden: Tensor | None
    keep_cell: Tensor | None
    batch_sizes: Tensor | None
    options: list[int]

    @property
    def code(self) -> Code:
        """The numbers of the equation."""
        return Code(*self.options[:-2])

    @property
    def every_cell(self) -> bool:
        """Whether the cell state after each step is requested."""
        return bool(self.options[-1])


class Arriving(NamedTuple):
    """The gradients of the outputs of forward; None means zero.

    Shapes: dy like y; dhT (B, P); dcT (B, H); dc_steps like c_steps.
    """

    dy: Tensor | None
    dhT: Tensor | None
    dcT: Tensor | None
    dc_steps: Tensor | None


class Outputs(NamedTuple):
    """The outputs of forward, and the values that it saves for backward.

    Shapes: y (T, B, P) or packed (N, P); hT (B, P); for the LSTM cT (B, H) and, with every_cell, c_steps
    (T, B, H) or (N, H); saved (N, floats per row), None if nothing needs to be saved.
    """

    y: Tensor
    hT: Tensor
    cT: Tensor | None
    c_steps: Tensor | None
    saved: Tensor | None


DIFFERENTIABLE = Inputs._fields[: Inputs._fields.index("shift_cell") + 1]
_FLOATS = Inputs._fields[: Inputs._fields.index("batch_sizes")]
_OPTIONAL = {"bias_ih", "bias_hh", "projection", "projection_bias", "keep_hidden", "keep_cell"}
_NEEDED = {*_FLOATS} - _OPTIONAL  # if the cell has them
_SETTINGS = (*Code._fields, "reverse")

# From this many floats on, `saved` uses memory that the native part keeps for the next call: torch gets new
# memory from the system each time, page by page, which costs more than borrowing (about 60 µs).
_LARGE = 4 << 20

Shape = tuple[int, ...]


class Sizes(NamedTuple):
    """The sizes of a call under the header's names, and the step axes of x, (T, B) or (N,)."""

    T: int
    B: int
    N: int
    I: int
    H: int
    P: int
    steps: Shape

    @classmethod
    def of(cls, inputs: Inputs) -> "Sizes":
        """Return the sizes of a call; x, h0 and projection must have the right number of axes."""
        B, P = inputs.h0.shape
        *steps, I = inputs.x.shape
        H = P if inputs.projection is None else inputs.projection.shape[1]
        T, N = (steps[0], steps[0] * B) if inputs.batch_sizes is None else (len(inputs.batch_sizes), steps[0])
        return cls(T, B, N, I, H, P, tuple(steps))

    def shape_of_y(self) -> Shape:
        """Return the shape of the hidden state after each step."""
        return (*self.steps, self.P)

    def shape_of_cells(self) -> Shape:
        """Return the shape of the cell state after each step."""
        return (*self.steps, self.H)


def forward(inputs: Inputs, training: bool, packed: Any = None) -> Outputs:
    """Run one direction of one layer over all its steps; in training, save the values that backward needs.

    `packed` are the same weights, already packed; not in training.
    Raises: ShapeError where something does not fit.
    """
    sizes = checked_sizes(inputs)
    call, kept = _call(inputs, sizes, training)
    new, is_lstm = inputs.x.new_empty, inputs.c0 is not None
    y, hT = new(sizes.shape_of_y()), new((sizes.B, sizes.P))
    call.y, call.hT = y.data_ptr(), hT.data_ptr()
    cT = c_steps = saved = None
    if is_lstm:
        cT = new((sizes.B, sizes.H))
        call.cT = cT.data_ptr()
        if inputs.every_cell:
            c_steps = new(sizes.shape_of_cells())
            call.c_steps = c_steps.data_ptr()
    if training:
        floats = call.saved_floats_a_row()
        if floats:
            if sizes.N * floats >= _LARGE:
                saved = extension().borrow_matrix(sizes.N, floats)
            elif inputs.code.layer_norm:
                # Normalised cells do not write the padding of their slots, which opcheck would detect.
                # numpy fills it: torch uses several threads, and a forked child would wait for them forever.
                saved = torch.from_numpy(np.zeros((sizes.N, floats), np.float32))
            else:
                saved = new((sizes.N, floats))
            call.saved = saved.data_ptr()
    if packed is None:
        call.forward()
    else:
        packed.forward(call)
    del kept
    return Outputs(y, hT, cT, c_steps, saved)


def backward(
    arriving: Arriving, inputs: Inputs, y: Tensor, saved: Tensor | None, wanted: list[bool]
) -> list[Tensor | None]:
    """Run backpropagation through time; return a gradient per `DIFFERENTIABLE` input, None if not wanted.

    y and `saved` are the results of a forward call in training with the same inputs.
    Raises: ShapeError where something does not fit.
    """
    sizes = checked_sizes(inputs)
    call, kept = _call(inputs, sizes, training=True)
    floats = call.saved_floats_a_row()
    _set(call, "y", y, sizes.shape_of_y(), kept)
    if saved is not None:
        _set(call, "saved", saved, (sizes.N, floats), kept)
    elif floats:
        raise _misfit("saved", None, (sizes.N, floats))
    states, is_lstm = (sizes.B, sizes.H), inputs.c0 is not None
    shapes = {"dy": sizes.shape_of_y(), "dhT": (sizes.B, sizes.P)}
    if is_lstm:
        shapes |= {"dcT": states, "dc_steps": sizes.shape_of_cells()}
    for name, gradient in zip(arriving._fields, arriving, strict=True):
        if gradient is not None:
            _set(call, name, gradient, shapes.get(name), kept)
    if len(wanted) != len(DIFFERENTIABLE):
        raise shape_error("wanted", f"{len(wanted)} flags", f"{len(DIFFERENTIABLE)}", "pass one per input")
    gradients: list[Tensor | None] = []
    for name, tensor, want in zip(DIFFERENTIABLE, inputs, wanted, strict=False):
        gradient = inputs.x.new_empty(tensor.shape) if want and isinstance(tensor, Tensor) else None
        if gradient is not None:
            setattr(call, f"d{name}", gradient.data_ptr())
        gradients.append(gradient)
    if sizes.N:
        call.backward()
    else:
        _hand_through(arriving, gradients)
    return gradients


def _hand_through(arriving: Arriving, gradients: list[Tensor | None]) -> None:
    """Set the gradients of a call without steps: the final state's go to the initial state, others are 0."""
    handed = {"h0": arriving.dhT, "c0": arriving.dcT}
    for name, gradient in zip(DIFFERENTIABLE, gradients, strict=True):
        source = handed.get(name)
        if gradient is not None:
            gradient.zero_() if source is None else gradient.copy_(source)


def saved_floats(inputs: Inputs, sizes: Sizes) -> int:
    """Return how many floats forward saves per row of steps in training; the tensors may have no memory."""
    call = extension().Recurrence()
    for name, number in zip(_SETTINGS, inputs.options, strict=False):
        setattr(call, name, number)
    call.H, call.P, call.training = int(sizes.H), int(sizes.P), True
    call.projection = int(inputs.projection is not None)  # only its presence matters here
    call.keep_hidden = int(inputs.keep_hidden is not None)
    return int(call.saved_floats_a_row())


def described(inputs: Inputs) -> tuple[Any, list[Tensor]]:
    """Return a native call with all inputs but no outputs set, and the copies that it points to.

    Raises: ShapeError where something does not fit.
    """
    return _call(inputs, checked_sizes(inputs), training=False)


def checked_sizes(inputs: Inputs) -> Sizes:
    """Return the sizes of a call after checking its axes and batch_sizes; `_call` checks the rest.

    Raises: ShapeError where something does not fit.
    """
    axes = 3 if inputs.batch_sizes is None else 2
    if inputs.x.dim() != axes:
        remedy = "(T, B, I), or packed (N, I) with batch_sizes"
        raise shape_error("x", f"shape {tuple(inputs.x.shape)}", f"{axes} axes", remedy)
    for name, tensor in (("h0", inputs.h0), ("projection", inputs.projection)):
        if tensor is not None and tensor.dim() != 2:
            raise shape_error(name, f"shape {tuple(tensor.shape)}", "two axes", "flatten it to a matrix")
    _check_batch_sizes(inputs)
    return Sizes.of(inputs)


def _check_batch_sizes(inputs: Inputs) -> None:
    sizes, N, B = inputs.batch_sizes, inputs.x.shape[0], inputs.h0.shape[0]
    if sizes is None:
        if inputs.x.shape[1] != B:
            raise shape_error(
                "h0", f"{B} rows", f"{inputs.x.shape[1]}, as in x", "pass one per row of the batch"
            )
        return
    if sizes.dtype != torch.int64 or sizes.dim() != 1 or not sizes.is_cpu:
        got = f"{sizes.dtype} of shape {tuple(sizes.shape)} on {sizes.device.type}"
        raise shape_error(
            "batch_sizes", got, "torch.int64 of shape (steps,) on the CPU", "see PackedSequence"
        )
    rows = sizes.tolist()
    falling = sorted(rows, reverse=True) == rows
    if not falling or sum(rows) != N or (rows and (rows[0] != B or rows[-1] < 1)):
        wanted = f"descending numbers that start at {B} and sum to {N}"
        raise shape_error("batch_sizes", rows, wanted, "sort the rows by length, the longest first")


class _Expected(NamedTuple):
    """The expected shape of one of `_FLOATS`, or None if it must be absent."""

    name: str
    shape: Shape | None
    needed: bool


@lru_cache(maxsize=1024)
def _expected(options: tuple[int, ...], projected: bool, sizes: Sizes) -> tuple[_Expected, ...]:
    """Return the expectation for each of `_FLOATS`, after checking that the options name an equation."""
    code = Code(*options[:-2]) if len(options) == len(_SETTINGS) + 1 else None
    if code is None or equation_of(code, projected) is None or not {*options[-2:]} <= {0, 1}:
        wanted = "the numbers of an equation of recurra.kernels.codes, then two flags"
        remedy = f"with{'' if projected else 'out'} a projection there is no such equation"
        raise shape_error("options", list(options), wanted, remedy)
    if 0 in (sizes.B, sizes.I, sizes.H, sizes.P):
        got = f"sizes B={sizes.B}, I={sizes.I}, H={sizes.H}, P={sizes.P}"
        raise shape_error("x", got, "each at least 1", "an empty batch needs no kernel")
    is_lstm = code.cell == LSTM
    blocks = 4 - code.coupled_gates + code.relevance_gate if is_lstm else (1, 3, 3, 2)[code.cell]
    rows, cells = (blocks * sizes.H,), (sizes.B, sizes.H)
    norm = code.layer_norm
    shapes: dict[str, Shape | None] = {
        "x": (*sizes.steps, sizes.I),
        "h0": (sizes.B, sizes.P),
        "c0": cells if is_lstm else None,
        "weight_ih": (*rows, sizes.I),
        "weight_hh": (*rows, sizes.P),
        "bias_ih": rows,
        "bias_hh": rows,
        "projection": (sizes.P, sizes.H),
        "projection_bias": (sizes.P,) if projected and not is_lstm else None,
        "peephole": ((3 - code.coupled_gates) * sizes.H,) if code.peepholes else None,
        "gain_ih": rows if norm else None,
        "gain_hh": rows if norm else None,
        "gain_cell": cells[1:] if norm and is_lstm else None,
        "shift_cell": cells[1:] if norm and is_lstm else None,
        "keep_hidden": sizes.shape_of_y() if is_lstm or not projected else None,
        "keep_cell": sizes.shape_of_cells() if is_lstm else None,
    }
    return tuple(
        _Expected(name, shapes[name], shapes[name] is not None and name in _NEEDED) for name in _FLOATS
    )


def _call(inputs: Inputs, sizes: Sizes, training: bool) -> tuple[Any, list[Tensor]]:
    """Return a native call with options and inputs set, and copies that must stay alive while it runs."""
    expected = _expected((*inputs.options,), inputs.projection is not None, sizes)
    call = extension().Recurrence()
    for name, number in zip(_SETTINGS, inputs.options, strict=False):
        setattr(call, name, number)
    call.T, call.B, call.N, call.I, call.H, call.P, _ = sizes
    call.training, call.threads = training, torch.get_num_threads()
    kept: list[Tensor] = []
    for (name, shape, needed), tensor in zip(expected, inputs, strict=False):
        if isinstance(tensor, Tensor):
            _set(call, name, tensor, shape, kept)
        elif needed:
            raise _misfit(name, None, shape)
    if inputs.batch_sizes is not None:
        kept.append(inputs.batch_sizes.contiguous())
        call.batch_sizes = kept[-1].data_ptr()
    return call, kept


def _set(call: Any, name: str, tensor: Tensor, shape: Shape | None, kept: list[Tensor]) -> None:
    """Pass the address of a checked tensor to a call, or that of a copy, which is added to `kept`."""
    if tensor.shape != shape or tensor.dtype is not torch.float32 or not tensor.is_cpu:
        raise _misfit(name, tensor, shape)
    if tensor.is_neg() or not tensor.is_contiguous():
        tensor = tensor.resolve_neg().contiguous()
        kept.append(tensor)
    setattr(call, name, tensor.data_ptr())


def _misfit(name: str, tensor: Tensor | None, shape: Shape | None) -> ShapeError:
    got = "none"
    if tensor is not None:
        got = f"{tensor.dtype} of shape {tuple(tensor.shape)} on {tensor.device.type}"
    wanted = "none" if shape is None else f"torch.float32 of shape {tuple(shape)} on cpu"
    return shape_error(name, got, wanted, "see recurra.kernels.calls.Inputs")
