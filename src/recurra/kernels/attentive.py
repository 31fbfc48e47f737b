"""The native layer with attention: whether it can run a call, the call, and backpropagation through time.

The kernel does the sequential work. torch computes the matrix products over all steps, as for most gradients.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from recurra.cells import Equation, LSTMState, State
from recurra.kernels import native
from recurra.kernels.codes import Code, code_of
from recurra.kernels.extension import extension
from recurra.kernels.packed import KeptPack

_CELLS = {Code(0): 1, Code(1): 3, Code(4): 4}  # tanh RNN, GRU, plain LSTM: their number of gates
_SAVED = {1: 0, 3: 4, 4: 5}  # by number of gates: values per unit and step saved for backward


class AttentiveWeights(NamedTuple):
    """The weights of a layer with attention, with G gates of H units.

    Shapes: feed (G*H, F); hidden (G*H, H); hidden_bias (G*H,) or None; combine (F, H + V); combine_bias (F,);
    with additive scores query (K, H), score (K,) and, with coverage, cover (K,).
    """

    feed: Tensor
    hidden: Tensor
    hidden_bias: Tensor | None
    combine: Tensor
    combine_bias: Tensor
    query: Tensor | None = None
    score: Tensor | None = None
    cover: Tensor | None = None


class AttentiveInputs(NamedTuple):
    """The inputs of a call in addition to the weights: B rows of memory, and R = kB rows that attend to them.

    Shapes: from_input (R, T, G*H), the input's products and biases; values (B, S, V); keys (B, S, K); lengths
    (B,) int64 on the CPU; h0 (R, H); c0 (R, H), LSTM only; f0 (R, F); covered0 (R, S).
    """

    from_input: Tensor
    values: Tensor
    keys: Tensor
    lengths: Tensor
    h0: Tensor
    c0: Tensor | None
    f0: Tensor
    covered0: Tensor


class AttentiveSteps(NamedTuple):
    """The results of a call.

    Shapes: fed (R, T, F); weights (R, T, S); h (R, H); c (R, H) or None; covered (R, S).
    """

    fed: Tensor
    weights: Tensor
    h: Tensor
    c: Tensor | None
    covered: Tensor


def reason(equation: Equation[Any, Any], x: Tensor) -> str | None:
    """Return why the kernels cannot run a layer with attention, or None if they can. Shapes: x any."""
    blocked = native.reason(equation, x)
    if blocked is not None:
        return blocked
    if code_of(equation) not in _CELLS:
        return f"the kernels support attention for the plain cells only, not for {equation}"
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active() or torch._C._is_tracing():
        return "the call is traced or transformed"
    return None


def run(
    equation: Equation[Any, Any],
    inputs: AttentiveInputs,
    weights: AttentiveWeights,
    kept: KeptPack | None = None,
) -> AttentiveSteps:
    """Run all steps of a call. `kept` caches packed weights, for calls without gradients.

    Shapes: see AttentiveInputs and AttentiveSteps.
    """
    code = code_of(equation)
    assert code is not None, "`reason` must be None for this equation"
    given = (*inputs, *weights)
    if torch.is_grad_enabled() and any(each is not None and each.requires_grad for each in given):
        fed, attended, h, c, covered = _Attentive.apply(code.cell, *given)
        return AttentiveSteps(fed, attended, h, c, covered)
    ready = _Ready(code.cell, inputs, weights)
    outputs = ready.outputs(training=False)
    if kept is None:
        ready.with_weights().forward()
    else:
        packed = kept.of(weights, (code.cell, inputs.keys.shape[2]), lambda: ready.with_weights().pack())
        packed.forward(ready.call)
    return ready.steps(outputs)


class _Outputs(NamedTuple):
    hc: Tensor
    f: Tensor
    weights: Tensor
    covered: Tensor
    cT: Tensor | None
    gates: Tensor | None


def _contiguous(tensor: Any) -> Any:
    return None if tensor is None else tensor.contiguous()


class _Ready:
    """A native call with its sizes and inputs set; it keeps the tensors that it reads alive."""

    def __init__(self, cell: int, inputs: AttentiveInputs, weights: AttentiveWeights) -> None:
        self.inputs = AttentiveInputs._make(map(_contiguous, inputs))
        self.weights = weights
        self.call = call = extension().Attentive()
        call.cell, call.threads = cell, torch.get_num_threads()
        call.additive = weights.query is not None
        (call.R, call.T, GH), (call.B, call.S, call.V) = inputs.from_input.shape, inputs.values.shape
        call.H, call.F, call.K = inputs.h0.shape[1], inputs.f0.shape[1], inputs.keys.shape[2]
        self.gates = GH // call.H
        self.set(
            {"gx" if name == "from_input" else name: each for name, each in self.inputs._asdict().items()}
        )

    def with_weights(self) -> Any:
        """Set the weights; return the call."""
        self.weights = AttentiveWeights._make(map(_contiguous, self.weights))
        names = {"feed": "weight_f", "hidden": "weight_h", "hidden_bias": "bias_h"}
        self.set({names.get(name, name): each for name, each in self.weights._asdict().items()})
        return self.call

    def set(self, tensors: Mapping[str, Tensor | None]) -> None:
        """Pass the addresses of tensors to the call."""
        for name, tensor in tensors.items():
            if tensor is not None:
                setattr(self.call, name, tensor.data_ptr())

    def outputs(self, *, training: bool) -> _Outputs:
        """Allocate the outputs of forward."""
        call, new = self.call, self.inputs.from_input.new_empty
        call.training = training
        saved = _SAVED[self.gates] if training else 0
        found = _Outputs(
            new(call.R, call.T, call.H + call.V),
            new(call.R, call.T, call.F),
            new(call.R, call.T, call.S),
            new(call.R, call.S),
            None if self.inputs.c0 is None else new(call.R, call.H),
            new(call.R, call.T, saved * call.H) if saved else None,
        )
        self.set(found._asdict())
        return found

    def steps(self, found: _Outputs) -> AttentiveSteps:
        """Return the outputs that the caller gets."""
        h = found.hc[:, -1, : self.call.H]
        return AttentiveSteps(found.f, found.weights, h, found.cT, found.covered)


_NONE: Any = None  # lengths have no gradient
_INPUTS = len(AttentiveInputs._fields)


class _Attentive(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, cell: int, *given: Any) -> Any:
        ready = _Ready(cell, AttentiveInputs(*given[:_INPUTS]), AttentiveWeights(*given[_INPUTS:]))
        found = ready.outputs(training=True)
        ready.with_weights().forward()
        ctx.cell = cell
        ctx.save_for_backward(*ready.inputs, *ready.weights, *found)
        ctx.set_materialize_grads(False)
        fed, attended, h, c, covered = ready.steps(found)
        return fed, attended, h.clone(), c, covered

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *arriving: Tensor | None) -> Any:
        saved = ctx.saved_tensors
        count = _INPUTS + len(AttentiveWeights._fields)
        inputs, weights = AttentiveInputs(*saved[:_INPUTS]), AttentiveWeights(*saved[_INPUTS:count])
        found = _Outputs(*saved[count:])
        ready = _Ready(ctx.cell, inputs, weights)
        ready.set(found._asdict())
        names = ("df", "dweights", "dhT", "dcT", "dcovered")
        there = {
            name: None if each is None else each.contiguous()
            for name, each in zip(names, arriving, strict=True)
        }
        ready.set(there)
        made = _gradients(ready)
        ready.with_weights().backward()
        return (None, *_products(inputs, weights, found, made))


def _gradients(ready: _Ready) -> dict[str, Tensor]:
    """Allocate the outputs of backward."""
    call, new = ready.call, ready.inputs.from_input.new_empty
    R, T, S, H, F, K, V = call.R, call.T, call.S, call.H, call.F, call.K, call.V
    made = {
        "dz": new(R, T, F),
        "dhc": new(R, T, H + V),
        "ds": new(R, T, S),
        "da": new(R, T, ready.gates * H),
        "dh0": new(R, H),
        "df0": new(R, F),
        "dcovered0": new(R, S),
    }
    if ready.gates == 3:
        made["da_h"] = new(R, T, 3 * H)
    if ready.inputs.c0 is not None:
        made["dc0"] = new(R, H)
    if call.additive:
        made |= {"dq": new(R, T, K), "dkeys": new(call.B, S, K), "dscore": new(K)}
        if ready.weights.cover is not None:
            made["dcover"] = new(K)
    ready.set(made)
    return made


def _products(
    inputs: AttentiveInputs, weights: AttentiveWeights, found: _Outputs, made: dict[str, Tensor]
) -> list[Tensor | None]:
    """Return all gradients, in the order of the inputs and the weights."""
    B, S = inputs.values.shape[:2]
    H = inputs.h0.shape[1]
    h, dcontext = found.hc[:, :, :H], made["dhc"][:, :, H:]

    def of_memory(share: Tensor, what: Tensor) -> Tensor:
        """Return Σ over a memory row's decoder rows and steps. Shapes: (R, T, S), (R, T, N) to (B, S, N)."""
        return share.reshape(B, -1, S).transpose(1, 2) @ what.reshape(B, -1, what.shape[2])

    def over_steps(gradient: Tensor, what: Tensor) -> Tensor:
        """Return Σ over rows and steps. Shapes: (R, T, M), (R, T, N) to (M, N)."""
        return gradient.flatten(0, 1).t() @ what.flatten(0, 1)

    def before(first: Tensor, every: Tensor) -> Tensor:
        """Return the value before each step. Shapes: (R, N), (R, T, N) to (R, T, N)."""
        return torch.cat([first.unsqueeze(1), every[:, :-1]], dim=1)

    da, da_h, dz = made["da"], made.get("da_h", made["da"]), made["dz"]
    additive = weights.query is not None
    of_inputs = AttentiveInputs(
        da,
        of_memory(found.weights, dcontext),
        made["dkeys"] if additive else of_memory(made["ds"], h),
        _NONE,
        made["dh0"],
        made.get("dc0"),
        made["df0"],
        made["dcovered0"],
    )
    of_weights = AttentiveWeights(
        over_steps(da, before(inputs.f0, found.f)),
        over_steps(da_h, before(inputs.h0, h)),
        None if weights.hidden_bias is None else da_h.sum((0, 1)),
        over_steps(dz, found.hc),
        dz.sum((0, 1)),
        over_steps(made["dq"], h) if additive else None,
        made["dscore"] if additive else None,
        made.get("dcover"),
    )
    return [*of_inputs, *of_weights]


def state_of(steps: AttentiveSteps) -> State:
    """Return the cell's last state. Shapes: (R, H), a pair of them for the LSTM."""
    return steps.h if steps.c is None else LSTMState(steps.h, steps.c)
