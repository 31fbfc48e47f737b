"""A call of the native kernels and its float64 twin: the reference loop on the same numbers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

import torch
from torch.nn.utils.rnn import pack_sequence

from recurra.cells import NONLINEARITIES, Equation, LSTMState
from recurra.kernels import native, reference
from recurra.kernels.reference import Zoneout

KINKS = {"relu": (0.0,), "leaky_relu": (0.0,), "hardtanh": (-1.0, 1.0)}
NEAR = 1e-5


class Case(NamedTuple):
    """Sizes and options of a call; P = 0 means no projection. Lengths are random if `packed`."""

    T: int
    B: int
    I: int
    H: int
    P: int = 0
    bias: bool = True
    packed: bool = False
    reverse: bool = False
    zoneout: bool = False
    every_cell: bool = False


class Numbers(NamedTuple):
    """The inputs of a call: tensors of one dtype, by name."""

    x: torch.Tensor
    states: list[torch.Tensor]
    weights: dict[str, torch.Tensor]
    zoneout: Zoneout | None
    batch_sizes: torch.Tensor | None

    def to(self, dtype):
        def leaf(tensor):
            return tensor.detach().to(dtype).requires_grad_()

        return Numbers(
            leaf(self.x),
            [leaf(state) for state in self.states],
            {name: leaf(weight) for name, weight in self.weights.items()},
            self.zoneout and Zoneout(*(part if part is None else part.to(dtype) for part in self.zoneout)),
            self.batch_sizes,
        )

    def leaves(self):
        states = {f"state {place}": state for place, state in enumerate(self.states)}
        return {"x": self.x, **states, **self.weights}


def draw(equation: Equation, case: Case, seed: int) -> Numbers:
    """Random numbers; weights shrink with the width, so that long sequences neither explode nor vanish.

    Gains are around 0.4: near 1, a normalised sequence of 57 steps is chaotic, and float32 loses it in torch
    as well.
    """
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=generator)

    shapes = equation.weight_shapes(case.I, case.H, case.bias, case.P)
    scale = 0.8 / max(case.H, case.P) ** 0.5
    widths = equation.state_widths(case.H, case.P)
    steps, batch_sizes = (case.T, case.B), None
    if case.packed:
        lengths = torch.randint(1, case.T + 1, (case.B,), generator=generator).sort(descending=True).values
        lengths[0] = case.T
        batch_sizes = pack_sequence([torch.zeros(length) for length in lengths.tolist()]).batch_sizes
        steps = (int(batch_sizes.sum()),)
    shares = [(normal(*steps, width) < -0.5).float() * 0.9 for width in widths] if case.zoneout else None
    return Numbers(
        normal(*steps, case.I),
        [normal(case.B, width) for width in widths],
        {name: normal(*shape) * scale + 0.4 * name.startswith("gain") for name, shape in shapes.items()},
        shares and Zoneout(*shares),
        batch_sizes,
    )


def computed(scan: Any, equation: Equation, case: Case, numbers: Numbers) -> dict[str, torch.Tensor]:
    """Outputs, final states and every gradient of a loss with a different weight for each number."""
    state = numbers.states[0] if len(numbers.states) == 1 else LSTMState(*numbers.states)
    output, final, *cells = scan(
        equation,
        numbers.x,
        state,
        equation.weights_type(**numbers.weights),
        numbers.batch_sizes,
        case.reverse,
        numbers.zoneout,
        case.every_cell and len(numbers.states) == 2,
    )
    finals = [final] if isinstance(final, torch.Tensor) else [*final]
    results = [output, *finals, *cells]
    generator = torch.Generator().manual_seed(7)
    loss = sum((r * torch.randn(r.shape, generator=generator).to(r.dtype)).sum() for r in results)
    leaves = numbers.leaves()
    gradients = torch.autograd.grad(loss, list(leaves.values()))
    return {
        **{f"result {place}": result.detach() for place, result in enumerate(results)},
        **{f"gradient of {name}": each for name, each in zip(leaves, gradients, strict=True)},
    }


def near_a_kink(equation: Equation, case: Case, numbers: Numbers) -> bool:
    """Whether an argument of g is too near to a kink for the two precisions to agree on its side.

    Exactly at the kink both agree by convention; the padding of a packed batch lies there.
    """
    name = getattr(equation, "nonlinearity", None)
    if name not in KINKS:
        return False
    sums, g = [], NONLINEARITIES[name]

    def watched(a):
        sums.append(a.detach())
        return g(a)

    with patch.dict(NONLINEARITIES, {name: watched}):
        computed(reference.scan_batch, equation, case, numbers)
    gaps = [(a - kink).abs() for a in sums for kink in KINKS[name]]
    return any(bool(((gap > 0) & (gap < NEAR)).any()) for gap in gaps)


@contextmanager
def running_on(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def assert_agrees(equation: Equation, case: Case, seed: int, threads: int = 1) -> None:
    """max|a-b| <= 1e-4 max|b| per tensor; 2e-6 allows for the rounding of terms of size one that cancel out.

    A normalised network may magnify rounding errors, in rare draws a hundredfold. There, ten times the
    float32 error of the loop of torch operations is also allowed.
    """
    for attempt in range(50):
        numbers = draw(equation, case, seed + 1000 * attempt)
        twin = numbers.to(torch.float64)
        if not near_a_kink(equation, case, twin):
            break
    else:
        raise AssertionError("every draw came near a kink: make the case smaller")
    with running_on(threads):
        got = computed(native.scan, equation, case, numbers.to(torch.float32))
    want = computed(reference.scan_batch, equation, case, twin)
    assert got.keys() == want.keys()
    loop = {}
    if getattr(equation, "layer_norm", False):
        loop = computed(reference.scan_batch, equation, case, numbers.to(torch.float32))
    for name, right in want.items():
        gap, most = float((got[name].double() - right).abs().max()), float(right.abs().max())
        loops = float((loop[name].double() - right).abs().max()) if name in loop else 0.0
        assert gap <= max(1e-4 * most, 2e-6, 10 * loops), f"{name}: {gap} of {most}, seed {seed}"
