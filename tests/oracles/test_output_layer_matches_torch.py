"""The native output layer against torch's linear and cross_entropy in double precision."""

import pytest
import torch
import torch.nn.functional as F

from recurra.kernels.extension import extension
from recurra.layers import linear_cross_entropy

pytestmark = pytest.mark.needs_native
AGREES = 1e-4  # relative to the largest number
IGNORED = -100


@pytest.fixture(params=["plain", "avx2", "avx512"])
def instruction_set(request):
    before = extension().instruction_set()
    if not extension().use_instruction_set(request.param):
        pytest.skip(f"this processor has no {request.param}")
    yield request.param
    extension().use_instruction_set(before)


def problem(N, H, V, ignored="some", with_bias=True, scale=1.0):
    generator = torch.Generator().manual_seed(N * 7 + H * 3 + V)
    hidden = torch.randn(N, H, generator=generator) * scale
    weight = torch.randn(V, H, generator=generator) * H**-0.5
    bias = torch.randn(V, generator=generator) if with_bias else None
    targets = torch.randint(V, (N,), generator=generator)
    if ignored == "all":
        targets[:] = IGNORED
    elif ignored == "some":
        targets[torch.rand(N, generator=generator) < 0.3] = IGNORED
    return [each if each is None else each.requires_grad_() for each in (hidden, weight, bias)], targets


def agree(got, want):
    assert (
        (got.double() - want).abs().max() <= AGREES * want.abs().max() + 1e-30
        if want.numel()
        else got.shape == want.shape
    )


def losses_and_gradients(compute, inputs, targets, weights=None, reduction="none"):
    loss = compute(*inputs, targets, reduction)
    given = [each for each in inputs if each is not None]
    return loss.detach(), torch.autograd.grad(loss, given, weights, allow_unused=True)


def ours(hidden, weight, bias, targets, reduction):
    return linear_cross_entropy(hidden, weight, bias, targets, reduction=reduction, backend="native")


def oracle(hidden, weight, bias, targets, reduction):
    return F.cross_entropy(F.linear(hidden, weight, bias), targets, reduction=reduction)


def compare(inputs, targets, weights, reduction):
    doubles = [each if each is None else each.detach().double().requires_grad_() for each in inputs]
    got, found = losses_and_gradients(ours, inputs, targets, weights, reduction)
    double_weights = None if weights is None else weights.double()
    want, expected = losses_and_gradients(oracle, doubles, targets, double_weights, reduction)
    agree(got, want)
    for gradient, right in zip(found, expected, strict=True):
        agree(gradient, right)


@pytest.mark.parametrize("ignored", ["none", "some", "all"])
@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize(
    ("N", "H", "V"),
    [(N, H, V) for N in (0, 1, 3, 57) for H, V in ((1, 7), (7, 1), (33, 33), (200, 1000), (7, 1000))],
)
def test_losses_and_weighted_gradients(instruction_set, N, H, V, with_bias, ignored):
    inputs, targets = problem(N, H, V, ignored, with_bias)
    compare(inputs, targets, torch.linspace(-1, 2, N) if N else torch.empty(0), "none")


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize(
    ("N", "H", "V"), [(1, 1, 7), (3, 7, 1), (57, 33, 33), (57, 200, 1000), (300, 33, 1000)]
)
def test_totals(instruction_set, N, H, V, reduction):
    inputs, targets = problem(N, H, V, "none" if N == 1 else "some")
    compare(inputs, targets, torch.tensor(-2.5), reduction)


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize(("N", "H", "V"), [(57, 200, 1000), (600, 65, 70), (300, 64, 9000)])
@pytest.mark.parametrize("reduction", ["none", "sum"])
def test_threads(threads, N, H, V, reduction):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        inputs, targets = problem(N, H, V)
        compare(inputs, targets, torch.linspace(-1, 2, N) if reduction == "none" else None, reduction)
    finally:
        torch.set_num_threads(before)


def test_many_chunks_and_a_large_vocabulary():
    inputs, targets = problem(300, 9, 40_000)
    compare(inputs, targets, None, "sum")


@pytest.mark.parametrize("size", [1e4, -1e4])
def test_huge_logits(instruction_set, size):
    inputs, targets = problem(5, 7, 33, "none")
    with torch.no_grad():
        inputs[2].mul_(size)
    compare(inputs, targets, torch.linspace(1, 2, 5), "none")
    compare(inputs, targets, None, "sum")


def test_gradients_by_finite_differences():
    inputs, targets = problem(4, 5, 9)
    weights = torch.tensor([1.0, -2.0, 0.5, 3.0])
    _, found = losses_and_gradients(ours, inputs, targets, weights)
    for each, gradient in zip(inputs, found, strict=True):
        direction = torch.randn_like(each)
        moved = [
            [other + sign * 1e-2 * direction if other is each else other for other in inputs]
            for sign in (1, -1)
        ]
        above, below = ((ours(*point, targets, "none").detach() * weights).sum() for point in moved)
        torch.testing.assert_close((above - below) / 2e-2, (gradient * direction).sum(), rtol=2e-3, atol=1e-3)


def test_second_derivatives_match_torch():
    for reduction in ("none", "sum", "mean"):
        results = []
        for compute in (ours, oracle):
            inputs, targets = problem(5, 7, 11)
            loss = compute(*inputs, targets, reduction).pow(2).sum()
            first = torch.autograd.grad(loss, inputs, create_graph=True)
            results.append(torch.autograd.grad(sum(each.pow(2).sum() for each in first), inputs))
        for got, want in zip(*results, strict=True):
            torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)
