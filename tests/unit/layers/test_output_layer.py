"""Contracts of the output layer: shapes, errors, frozen weights, NaN, memory, torch.compile."""

import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F

from recurra.errors import BackendUnavailable, ConfigError, ShapeError
from recurra.kernels import output_operators
from recurra.kernels.extension import extension
from recurra.layers import linear_cross_entropy


@pytest.fixture
def inputs():
    torch.manual_seed(0)
    return torch.randn(4, 6, 5), torch.randn(9, 5), torch.randn(9), torch.randint(9, (4, 6))


@pytest.mark.parametrize("backend", ["torch", pytest.param("native", marks=pytest.mark.needs_native)])
def test_any_leading_shape(inputs, backend):
    hidden, weight, bias, targets = inputs
    targets[1, 2:] = -100
    want = F.cross_entropy(F.linear(hidden, weight, bias).flatten(0, 1), targets.flatten(), reduction="none")
    got = linear_cross_entropy(hidden, weight, bias, targets, backend=backend)
    torch.testing.assert_close(got, want.view(4, 6))
    assert (got[1, 2:] == 0).all()
    for reduction, expected in (("sum", want.sum()), ("mean", want.sum() / 20)):
        torch.testing.assert_close(
            linear_cross_entropy(hidden, weight, bias, targets, reduction=reduction, backend=backend),
            expected,
        )
    one = linear_cross_entropy(hidden[0, 0], weight, bias, targets[0, 0], backend=backend)
    assert one.shape == ()


@pytest.mark.needs_native
def test_hidden_need_not_be_contiguous(inputs):
    hidden, weight, bias, targets = inputs
    turned = hidden.transpose(0, 1).contiguous().transpose(0, 1)
    got = linear_cross_entropy(turned, weight.T.contiguous().T, bias, targets, backend="native")
    torch.testing.assert_close(got, linear_cross_entropy(hidden, weight, bias, targets, backend="torch"))


@pytest.mark.needs_native
@pytest.mark.parametrize("bad", [9, -1, 2**40, -(2**60)])
@pytest.mark.parametrize("reduction", ["none", "sum"])
def test_a_target_outside_the_vocabulary(inputs, bad, reduction):
    *first, targets = inputs
    targets[2, 3] = bad
    with pytest.raises(
        ShapeError, match=rf"targets: got {bad} at token 15, expected 0\.\.8 or ignore_index -100"
    ):
        linear_cross_entropy(*first, targets, reduction=reduction, backend="native")
    if bad == -1:
        linear_cross_entropy(*first, targets, ignore_index=-1, backend="native")


def test_errors(inputs):
    hidden, weight, bias, targets = inputs
    with pytest.raises(ShapeError, match="hidden and weight: got shapes"):
        linear_cross_entropy(hidden[..., :4], weight, bias, targets)
    with pytest.raises(ShapeError, match="bias: got shape"):
        linear_cross_entropy(hidden, weight, bias[:3], targets)
    with pytest.raises(ShapeError, match=r"targets: got shape \(4, 5\)"):
        linear_cross_entropy(hidden, weight, bias, targets[:, :5])
    with pytest.raises(ShapeError, match=r"convert them with \.long"):
        linear_cross_entropy(hidden, weight, bias, targets.int())
    with pytest.raises(ConfigError, match="reduction: got 'total'"):
        linear_cross_entropy(hidden, weight, bias, targets, reduction="total")
    with pytest.raises(ConfigError, match="backend: got 'cuda'"):
        linear_cross_entropy(hidden, weight, bias, targets, backend="cuda")


@pytest.mark.needs_native
def test_native_says_why_it_cannot_run(inputs, monkeypatch):
    hidden, weight, bias, targets = inputs
    with pytest.raises(BackendUnavailable, match="dtype is float64"):
        linear_cross_entropy(hidden.double(), weight.double(), bias.double(), targets, backend="native")
    with torch.autocast("cpu", torch.bfloat16), pytest.raises(BackendUnavailable, match="autocast is on"):
        linear_cross_entropy(hidden, weight, bias, targets, backend="native")
    assert (
        linear_cross_entropy(hidden.double(), weight.double(), bias.double(), targets).dtype == torch.float64
    )


@pytest.mark.needs_native
def test_the_operators_refuse_what_does_not_fit(inputs):
    hidden, weight, bias, targets = inputs[0].flatten(0, 1), *inputs[1:3], inputs[3].flatten()
    for bad in (
        (hidden[0], weight, bias, targets),
        (hidden, weight[:, :3], bias, targets),
        (hidden.double(), weight, bias, targets),
        (hidden, weight, bias[1:], targets),
        (hidden, weight, bias, targets[1:]),
        (hidden, weight, bias, targets.int()),
    ):
        with pytest.raises(ShapeError):
            output_operators.losses(*bad, -100)
    with pytest.raises(ShapeError, match="normalisers"):
        torch.ops.recurra.linear_cross_entropy_backward(
            hidden, weight, bias, targets, -100, torch.ones(24), torch.ones(2, 3), [True] * 3
        )


@pytest.mark.needs_native
@pytest.mark.parametrize("reduction", ["none", "sum"])
def test_a_frozen_weight_gets_no_gradient(inputs, reduction):
    hidden, weight, bias, targets = inputs
    hidden.requires_grad_()
    loss = linear_cross_entropy(hidden, weight, bias, targets, reduction=reduction, backend="native").sum()
    want = linear_cross_entropy(hidden, weight, bias, targets, reduction=reduction, backend="torch").sum()
    loss.backward()
    torch.testing.assert_close(hidden.grad, torch.autograd.grad(want, hidden)[0])
    assert weight.grad is None


@pytest.mark.needs_native
def test_backward_may_run_twice(inputs):
    hidden, weight, bias, targets = inputs
    weight.requires_grad_()
    loss = 3 * linear_cross_entropy(hidden, weight, bias, targets, reduction="mean", backend="native")
    first = torch.autograd.grad(loss, weight, retain_graph=True)[0].clone()
    second = torch.autograd.grad(loss, weight)[0]
    torch.testing.assert_close(first, second)


@pytest.mark.needs_native
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_nan_stays_where_it_is(inputs, reduction):
    hidden, weight, bias, targets = (each.clone() for each in inputs)
    hidden[1, 2] = float("nan")
    hidden.requires_grad_()
    losses = linear_cross_entropy(hidden, weight, bias, targets, backend="native")
    assert losses.isnan().nonzero().tolist() == [[1, 2]]
    linear_cross_entropy(
        hidden, weight, bias, targets, reduction=reduction, backend="native"
    ).sum().backward()
    assert hidden.grad[1, 2].isnan().all()
    assert hidden.grad[0].isfinite().all()
    targets[1, 2] = -100
    assert linear_cross_entropy(hidden, weight, bias, targets, backend="native").isfinite().all()


@pytest.mark.needs_native
def test_nothing_counts(inputs):
    hidden, weight, bias, targets = inputs
    weight.requires_grad_()
    targets[:] = -100
    linear_cross_entropy(hidden, weight, bias, targets, reduction="sum", backend="native").backward()
    assert (weight.grad == 0).all()
    assert linear_cross_entropy(hidden, weight, bias, targets, reduction="mean", backend="native").isnan()


@pytest.mark.needs_native
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_torch_compile_sees_one_graph(inputs, reduction):
    hidden, weight, bias, targets = inputs

    def loss(hidden, weight, bias):
        return (
            linear_cross_entropy(hidden, weight, bias, targets, reduction=reduction, backend="native").sum()
            * 2
        )

    results = []
    for run in (loss, torch.compile(loss, fullgraph=True, backend="aot_eager")):
        given = [each.detach().clone().requires_grad_() for each in (hidden, weight, bias)]
        value = run(*given)
        results.append((value.detach(), torch.autograd.grad(value, given)))
    torch.testing.assert_close(*results)


@pytest.mark.needs_native
@pytest.mark.parametrize("with_bias", [True, False])
def test_operators_are_well_made(inputs, with_bias):
    hidden, weight = inputs[0].flatten(0, 1).requires_grad_(), inputs[1].requires_grad_()
    bias, targets = inputs[2].requires_grad_() if with_bias else None, inputs[3].flatten()
    given = (hidden, weight, bias, targets, -100)
    torch.library.opcheck(torch.ops.recurra.linear_cross_entropy.default, given)
    wanted = [True, True, with_bias]
    torch.library.opcheck(torch.ops.recurra.linear_cross_entropy_total.default, (*given, False, wanted))
    plain = [each if each is None or isinstance(each, int) else each.detach() for each in given]
    _, normalisers = torch.ops.recurra.linear_cross_entropy(*plain)
    torch.library.opcheck(
        torch.ops.recurra.linear_cross_entropy_backward.default, (*plain, torch.rand(24), normalisers, wanted)
    )


def kernel_workspace_mib(N, H, V, threads, gradients):
    call = extension().OutputLayer()
    call.N, call.H, call.V, call.threads = N, H, V, threads
    kept = [torch.randn(N, H), torch.randn(V, H), torch.randint(V, (N,)), torch.empty(N), torch.empty(2, N)]
    call.hidden, call.weight, call.targets, call.losses, call.normalisers = (each.data_ptr() for each in kept)
    if gradients:
        kept += [torch.empty(N, H), torch.empty(V, H)]
        call.dhidden, call.dweight = (each.data_ptr() for each in kept[-2:])
    call.forward()
    return call.workspace / 2**20


@pytest.mark.needs_native
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("N", "H"), [(700, 200), (1120, 650)])
def test_temporaries_stay_within_8_mib(N, H, threads):
    assert kernel_workspace_mib(N, H, 10_000, threads, gradients=True) <= 8
    assert kernel_workspace_mib(N, H, 10_000, threads, gradients=False) <= 2


PEAK = """
import resource, torch
from recurra.layers import linear_cross_entropy
torch.set_num_threads(1)
N, H, V = 2000, 32, 10_000
hidden, weight = torch.randn(N, H, requires_grad=True), torch.randn(V, H, requires_grad=True)
targets = torch.randint(V, (N,))
linear_cross_entropy(hidden[:9], weight, None, targets[:9], reduction="sum", backend="native").backward()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
losses = linear_cross_entropy(hidden, weight, None, targets, reduction="{reduction}", backend="native")
losses.sum().backward()
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.needs_native
@pytest.mark.parametrize("reduction", ["none", "sum"])
def test_peak_memory_of_a_process(reduction):
    # All logits would be 76 MiB; the gradients are 1.5 MiB.
    done = subprocess.run(
        [sys.executable, "-c", PEAK.format(reduction=reduction)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert float(done.stdout) <= 16


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_a_masked_vocabulary(reduction):
    torch.manual_seed(0)
    hidden, weight, bias = torch.randn(5, 8), torch.randn(300, 8), torch.randn(300)
    bias[:200] = -torch.inf  # whole blocks of the kernels have no finite logit
    targets = torch.randint(200, 300, (5,))
    given = [tensor.requires_grad_() for tensor in (hidden, weight, bias)]
    loss = linear_cross_entropy(hidden, weight, bias, targets, reduction=reduction)
    want = F.cross_entropy(F.linear(hidden, weight, bias), targets, reduction=reduction)
    torch.testing.assert_close(loss, want)
    for got, expected in zip(*(torch.autograd.grad(each.sum(), given) for each in (loss, want)), strict=True):
        torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("reduction", ["none", "sum"])
def test_a_batch_of_gradients(inputs, reduction):
    hidden, weight, bias, targets = inputs
    given = [weight.requires_grad_(), bias.requires_grad_()]
    loss = linear_cross_entropy(hidden, weight, bias, targets, reduction=reduction)
    cotangents = torch.randn(3, *loss.shape)
    together = torch.autograd.grad(loss, given, cotangents, is_grads_batched=True, retain_graph=True)
    for row, cotangent in enumerate(cotangents):
        for got, want in zip(
            together, torch.autograd.grad(loss, given, cotangent, retain_graph=True), strict=True
        ):
            torch.testing.assert_close(got[row], want, atol=1e-5, rtol=1e-4)
