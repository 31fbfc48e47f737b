"""Second derivatives of the native kernels: the reference loop recomputes the recurrence."""

from collections.abc import Sequence

import torch
from torch import Tensor

from recurra.cells import LSTMState
from recurra.kernels import reference
from recurra.kernels.calls import DIFFERENTIABLE, Arriving, Inputs
from recurra.kernels.codes import equation_of
from recurra.kernels.reference import Zoneout

# The names of an equation's weights in `Inputs`, where they differ.
_NAMES = {
    "weight_hr": "projection",
    "weight_ho": "projection",
    "bias_ho": "projection_bias",
    "weight_peephole": "peephole",
}


def differentiate(arriving: Arriving, inputs: Inputs, wanted: Sequence[bool]) -> list[Tensor | None]:
    """Return the gradients of `calls.backward`, computed by differentiable torch operations.

    Shapes: those of the inputs.
    """
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        # Views, so that one input's history never contains another input: h0 may depend on the weights.
        named = inputs._asdict()
        sources = {
            name: named[name].view_as(named[name])
            for name, want in zip(DIFFERENTIABLE, wanted, strict=True)
            if want
        }
        outputs = run(inputs._replace(**sources))
        pairs = [
            (output, gradient)
            for output, gradient in zip(outputs, arriving, strict=True)
            if output is not None and gradient is not None and output.requires_grad
        ]
        found = iter(
            torch.autograd.grad(
                [output for output, _ in pairs],
                list(sources.values()),
                [gradient for _, gradient in pairs],
                create_graph=again,
                allow_unused=True,
            )
            if pairs and sources
            else [None] * len(sources)
        )
    return [next(found) if want else None for want in wanted]


def run(inputs: Inputs) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
    """Return y, hT, cT and c_steps of `calls.Outputs`, computed by the reference loop.

    Shapes: as in `calls.Outputs`; cT is None without a cell state, c_steps None if not requested.
    """
    equation = equation_of(inputs.code, inputs.projection is not None)
    assert equation is not None, "forward has checked the equation"
    named = inputs._asdict()
    weights = {field: named.get(_NAMES.get(field, field)) for field in equation.weights_type._fields}
    no_zoneout = inputs.keep_hidden is None and inputs.keep_cell is None
    y, final, *cells = reference.scan_batch(
        equation,
        inputs.x,
        inputs.h0 if inputs.c0 is None else LSTMState(inputs.h0, inputs.c0),
        equation.weights_type(**weights),
        inputs.batch_sizes,
        reverse=bool(inputs.options[-2]),
        zoneout=None if no_zoneout else Zoneout(inputs.keep_hidden, inputs.keep_cell),
        every_cell=inputs.every_cell and inputs.c0 is not None,
    )
    if not isinstance(final, LSTMState):
        return y, final, None, None
    return y, final.hidden, final.cell, cells[0] if cells else None
