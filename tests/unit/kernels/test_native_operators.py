"""The native kernels as torch operators: autograd, in-place changes, tracing, second derivatives."""

import copy
import io
import weakref

import pytest
import torch
from recurrences import EQUATIONS, assert_close, differentiable, loss_of, random_inputs

from recurra.kernels import second_order
from recurra.kernels.calls import DIFFERENTIABLE, Arriving
from recurra.kernels.operators import recurrence
from recurra.layers import GRU, LSTM, RNN

pytestmark = pytest.mark.needs_native
FORMS = {
    "plain": {},
    "packed": {"packed": True, "reverse": True},
    "zoneout": {"zoneout": True, "every_cell": True},
    "no_bias": {"bias": False},
}
each_equation = pytest.mark.parametrize("name", EQUATIONS)
each_form = pytest.mark.parametrize("form", FORMS)


def detached(inputs):
    return inputs._replace(**{n: t.detach() for n, t in differentiable(inputs).items()})


@each_form
@each_equation
def test_torch_finds_nothing_amiss_with_the_operators(name, form):
    inputs = random_inputs(name, **FORMS[form])
    torch.library.opcheck(torch.ops.recurra.recurrence.default, (*inputs, True))
    torch.library.opcheck(torch.ops.recurra.recurrence.default, (*detached(inputs), False))
    y, hT, cT, c_steps, saved = torch.ops.recurra.recurrence(*detached(inputs), True)
    arriving = [torch.randn_like(each) for each in (y, hT)]
    arriving += [torch.randn_like(each) if each.dim() > 1 else None for each in (cT, c_steps)]
    wanted = [tensor is not None for tensor in inputs[: len(DIFFERENTIABLE)]]
    given = (*arriving, *detached(inputs), y, saved, wanted)
    torch.library.opcheck(torch.ops.recurra.recurrence_backward.default, given)


@each_form
@each_equation
def test_the_short_way_and_the_operator_agree_to_the_bit(name, form):
    inputs = random_inputs(name, **FORMS[form])
    leaves = list(differentiable(inputs).values())
    short = recurrence(inputs, True)[:4]
    long = torch.ops.recurra.recurrence(*inputs, True)[:4]
    kept = [(a, b) for a, b in zip(short, long, strict=True) if a is not None]
    assert all(torch.equal(a, b) for a, b in kept)
    assert all(b.numel() == 0 for a, b in zip(short, long, strict=True) if a is None)
    gradients = [torch.autograd.grad(loss_of(each), leaves) for each in zip(*kept, strict=True)]
    assert all(map(torch.equal, *gradients))
    for a, b in zip(kept[0], recurrence(detached(inputs), False)[:1] * 2, strict=True):
        assert torch.equal(a, b)


@each_form
@each_equation
def test_the_reference_computes_the_same(name, form):
    inputs = random_inputs(name, **FORMS[form])
    leaves = list(differentiable(inputs).values())
    got, want = recurrence(inputs, True)[:4], second_order.run(inputs)
    assert [each is None for each in got] == [each is None for each in want]
    pairs = [(a, b) for a, b in zip(got, want, strict=True) if a is not None]
    for a, b in pairs:
        assert_close(a, b)
    gradients = [torch.autograd.grad(loss_of(each), leaves) for each in zip(*pairs, strict=True)]
    for a, b in zip(*gradients, strict=True):
        assert_close(a, b)


@each_equation
def test_unused_outputs_count_as_zero(name):
    inputs = random_inputs(name, every_cell=True)
    leaves = list(differentiable(inputs).values())
    got, want = recurrence(inputs, True)[:4], second_order.run(inputs)
    for a, b in zip(got, want, strict=True):
        if a is None:
            continue
        gradients = [
            torch.autograd.grad(
                loss_of([each]), leaves, retain_graph=True, allow_unused=True, materialize_grads=True
            )
            for each in (a, b)
        ]
        for x, y in zip(*gradients, strict=True):
            assert_close(x, y)


@each_equation
def test_only_what_is_wanted_is_computed(name):
    inputs = random_inputs(name)
    every = differentiable(inputs)
    want = dict(
        zip(every, torch.autograd.grad(loss_of(recurrence(inputs, True)), every.values()), strict=True)
    )
    for chosen in every:
        alone = detached(inputs)
        leaf = getattr(alone, chosen).requires_grad_()
        loss_of(recurrence(alone, True)).backward()
        assert torch.equal(leaf.grad, want[chosen])
        assert all(t.grad is None for t in alone if isinstance(t, torch.Tensor) and t is not leaf)


@each_equation
def test_backward_twice_gives_the_same_bits(name):
    inputs = random_inputs(name)
    leaves, loss = list(differentiable(inputs).values()), loss_of(recurrence(inputs, True))
    first = torch.autograd.grad(loss, leaves, retain_graph=True)
    assert all(map(torch.equal, first, torch.autograd.grad(loss, leaves)))
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(loss, leaves)


def test_changing_what_is_saved_is_refused_as_torch_refuses_it():
    layer, x = GRU(3, 5, backend="native"), torch.randn(4, 2, 3)
    output, _ = layer(x)
    output.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()
    output, _ = layer(x)
    with torch.no_grad():
        layer.weight_hh_l0.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()
    output, final = layer(x)
    final.add_(1)  # the final state is not needed for backward
    (output.sum() + final.sum()).backward()


def test_nothing_is_kept_after_the_results_are_gone():
    inputs = random_inputs("lstm")
    outputs = recurrence(inputs, True)
    watched = [weakref.ref(outputs.y), weakref.ref(inputs.x)]
    saved = outputs.y.grad_fn.saved_tensors
    assert sum(tensor is not None for tensor in saved) == 9  # seven inputs, y and the gates
    del outputs, inputs, saved
    assert [each() for each in watched] == [None, None]


@each_equation
@each_form
def test_second_derivatives_are_those_of_the_reference(name, form):
    inputs = random_inputs(name, **FORMS[form])
    doubled = inputs._replace(
        **{
            n: t.detach().double().requires_grad_(t.requires_grad)
            for n, t in inputs._asdict().items()
            if isinstance(t, torch.Tensor) and n != "batch_sizes"
        }
    )
    results = []
    for given, run in ((inputs, lambda given: recurrence(given, True)[:4]), (doubled, second_order.run)):
        leaves = list(differentiable(given).values())
        first = torch.autograd.grad(loss_of(run(given)), leaves, create_graph=True)
        squares = sum(each.square().sum() for each in first)
        results.append([*first, *torch.autograd.grad(squares, leaves)])
    for got, want in zip(*results, strict=True):
        assert_close(got, want, 1e-3)


@pytest.mark.parametrize("cell", [RNN, GRU, LSTM])
def test_second_derivatives_through_carried_states(cell):
    """The initial state of the second call depends on the same weights as the call itself."""
    torch.manual_seed(0)
    layer, x = cell(3, 5, 2, bidirectional=True, backend="native"), torch.randn(6, 2, 3)
    twin = cell(3, 5, 2, bidirectional=True, backend="reference", dtype=torch.float64)
    twin.load_state_dict(layer.state_dict())
    results = []
    for each, given in ((layer, x), (twin, x.double())):
        first, state = each(given[:3], lengths=[3, 2])
        second, _ = each(given[3:], state)
        assert each.backend_used == each.backend
        leaves = list(each.parameters())
        gradients = torch.autograd.grad((first + second).square().sum(), leaves, create_graph=True)
        results.append(torch.autograd.grad(sum(g.square().sum() for g in gradients), leaves))
    for got, want in zip(*results, strict=True):
        assert_close(got, want, 1e-3)


def test_a_batch_of_gradients_goes_through_the_reference(monkeypatch):
    calls, original = [], second_order.differentiate
    monkeypatch.setattr(second_order, "differentiate", lambda *given: calls.append(1) or original(*given))
    layer, x = LSTM(2, 3, backend="native"), torch.randn(3, 2, 2, requires_grad=True)
    output, _ = layer(x)
    flat = output.flatten()
    want = torch.stack([torch.autograd.grad(each, x, retain_graph=True)[0] for each in flat])
    assert not calls
    (got,) = torch.autograd.grad(flat, x, torch.eye(len(flat)), is_grads_batched=True)
    torch.testing.assert_close(got, want)
    assert calls
    assert layer.backend_used == "native"  # the backend of the forward call


@pytest.mark.parametrize("cell", [RNN, GRU, LSTM])
def test_functional_differentiation_goes_through_the_reference_and_says_so(cell):
    torch.manual_seed(0)
    layer, x = cell(2, 3, bidirectional=True), torch.randn(4, 2, 2)
    v = torch.randn_like(x)
    output, _ = layer(x)
    assert layer.backend_used == "native"
    gradient = torch.func.grad(lambda x: layer(x)[0].square().sum())(x)
    assert layer.backend_used == "reference"
    given = x.clone().requires_grad_()
    (want,) = torch.autograd.grad(layer(given)[0].square().sum(), given)
    assert layer.backend_used == "native"
    torch.testing.assert_close(gradient, want)

    together = torch.func.vmap(lambda x: layer(x)[0])(torch.stack([x, v]))
    assert layer.backend_used == "reference"
    torch.testing.assert_close(together[0], output)

    primal, tangent = torch.func.jvp(lambda x: layer(x)[0].square().sum(), (x,), (v,))
    assert layer.backend_used == "reference"
    torch.testing.assert_close(primal, output.square().sum())
    torch.testing.assert_close(tangent, (want * v).sum(), rtol=1e-4, atol=1e-5)

    layer(x)
    with torch.autograd.forward_ad.dual_level():
        dual = layer(torch.autograd.forward_ad.make_dual(x, v))[0].square().sum()
        tangent = torch.autograd.forward_ad.unpack_dual(dual).tangent
    assert layer.backend_used == "reference"
    torch.testing.assert_close(tangent, (want * v).sum(), rtol=1e-4, atol=1e-5)


@each_equation
def test_where_a_tensor_lies_makes_no_difference(name):
    """Strides, offsets and negated views give the same bits as contiguous tensors."""
    inputs = detached(random_inputs(name, zoneout=True, every_cell=True))
    want = recurrence(inputs, True)

    def reordered(tensor):
        wide = torch.empty(*tensor.shape[:-1], 2 * tensor.shape[-1] + 1)[..., 1::2]
        return wide.copy_(tensor)

    def turned(tensor):
        return tensor.transpose(0, -1).contiguous().transpose(0, -1)

    def negated(tensor):
        return torch._neg_view(-tensor)

    for change in (reordered, turned, negated):
        tensors = {n: change(t) for n, t in inputs._asdict().items() if isinstance(t, torch.Tensor)}
        got = recurrence(inputs._replace(**tensors), True)
        assert all(a is b is None or torch.equal(a, b) for a, b in zip(got[:4], want[:4], strict=True))
    wide = recurrence(inputs._replace(h0=inputs.h0[:1].expand(3, -1)), False)
    same = recurrence(inputs._replace(h0=inputs.h0[:1].repeat(3, 1)), False)
    assert torch.equal(wide.y, same.y)


def test_modules_behave_as_torchs(tmp_path):
    layer, x = LSTM(3, 5, 2, bidirectional=True), torch.randn(4, 2, 3)
    want, _ = layer(x)
    assert layer.backend_used == "native"
    assert torch.equal(copy.deepcopy(layer)(x)[0], want)
    buffer = io.BytesIO()
    torch.save(layer, buffer)
    buffer.seek(0)
    assert torch.equal(torch.load(buffer, weights_only=False)(x)[0], want)
    twin = LSTM(3, 5, 2, bidirectional=True)
    twin.load_state_dict(layer.state_dict())
    assert torch.equal(twin(x)[0], want)
    twin.double()
    torch.testing.assert_close(twin(x.double())[0].float(), want)
    assert twin.backend_used == "torch"
    assert torch.equal(twin.to(torch.float32)(x)[0], want)
    assert twin.backend_used == "native"
    twin.requires_grad_(False)
    assert not twin(x)[0].requires_grad
    with torch.inference_mode():
        assert torch.equal(twin(x)[0], want)
    oracle = torch.nn.LSTM(3, 5, 2, bidirectional=True)
    oracle.load_state_dict(layer.state_dict())
    torch.testing.assert_close(oracle(x)[0], want)


def test_someone_who_watches_operators_sees_one():
    seen = []

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            seen.append(str(function))
            return function(*args, **(kwargs or {}))

    layer, x = GRU(3, 5, backend="native"), torch.randn(4, 2, 3)
    with Watch():
        layer(x)[0].sum().backward()
    assert seen.count("recurra.recurrence.default") == 1
    assert seen.count("recurra.recurrence_backward.default") == 1


def test_a_subclass_of_tensor_and_checkpoints():
    class Named(torch.Tensor):
        pass

    layer, x = GRU(3, 5, backend="native"), torch.randn(4, 2, 3)
    want, _ = layer(x)
    assert torch.equal(layer(x.as_subclass(Named))[0].as_subclass(torch.Tensor), want)
    given = x.clone().requires_grad_()
    torch.utils.checkpoint.checkpoint(lambda x: layer(x)[0], given, use_reentrant=False).sum().backward()
    got, given.grad = given.grad, None
    layer(given)[0].sum().backward()
    assert torch.equal(got, given.grad)


def test_equations_and_their_numbers_are_one_to_one():
    from recurra.kernels.codes import _PROJECTED, _UNPROJECTED, code_of, equation_of

    assert len(_UNPROJECTED) == 2 * (5 + 3 + 12 + 6)  # each with and without layer_norm
    assert len(_PROJECTED) == 20 + 2 * 12
    for table, projected in ((_UNPROJECTED, False), (_PROJECTED, True)):
        for code, equation in table.items():
            assert code_of(equation) == code
            assert equation_of(code, projected) == equation


def test_arriving_gradients_are_those_of_the_outputs():
    assert len(Arriving._fields) == len(torch.ops.recurra.recurrence.default._schema.returns) - 1
