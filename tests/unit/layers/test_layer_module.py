"""A layer as a torch.nn.Module: options, printing, copies, moves, states, functional calls."""

import copy
import inspect

import numpy as np
import pytest
import torch
from torch import nn

from recurra.errors import ConfigError
from recurra.layers import GRU, LSTM, RNN, JordanRNN, LSTMState, detach_state, map_state

PAIRS = [(RNN, nn.RNN), (GRU, nn.GRU), (LSTM, nn.LSTM)]
every_pair = pytest.mark.parametrize(("layer", "oracle"), PAIRS)
OPTIONS = {"num_layers": 2, "bias": False, "batch_first": True, "dropout": 0.5, "bidirectional": True}


@every_pair
def test_positional_arguments_are_in_torchs_order(layer, oracle):
    ours = [name for name in inspect.signature(layer).parameters if name != "backend"]
    assert ours[:3] == ["input_size", "hidden_size", "num_layers"]
    positional = [3, 5, 2, *(["relu"] if layer is RNN else []), False, True, 0.5, True]
    positional += [2] if layer is LSTM else []
    got, want = layer(*positional), oracle(*positional)
    for name in ("num_layers", "bias", "batch_first", "dropout", "bidirectional", "proj_size"):
        assert getattr(got, name) == getattr(want, name)
    assert inspect.signature(layer).parameters["backend"].kind is inspect.Parameter.KEYWORD_ONLY


@every_pair
def test_it_prints_as_torchs(layer, oracle):
    assert repr(layer(3, 5)) == repr(oracle(3, 5))
    assert repr(layer(3, 5, **OPTIONS)) == repr(oracle(3, 5, **OPTIONS))
    assert repr(layer(3, 5, backend="reference")) == f"{layer.__name__}(3, 5, backend=reference)"


def test_it_prints_what_torch_leaves_out():
    assert repr(LSTM(3, 5, proj_size=2)) == repr(nn.LSTM(3, 5, proj_size=2))
    assert repr(RNN(3, 5, nonlinearity="relu")) == "RNN(3, 5, nonlinearity=relu)"


@every_pair
def test_an_input_need_not_be_contiguous(layer, oracle):
    module = layer(3, 5)
    x = torch.randn(4, 3, 6).permute(2, 0, 1)
    torch.testing.assert_close(module(x)[0], module(x.contiguous())[0])


@every_pair
def test_a_hole_in_the_state_dict_is_named(layer, oracle):
    weights = oracle(3, 5).state_dict()
    del weights["weight_hh_l0"]
    with pytest.raises(RuntimeError, match="weight_hh_l0"):
        layer(3, 5).load_state_dict(weights)


@every_pair
def test_it_moves_and_converts_and_forgets_nothing(layer, oracle):
    module = layer(3, 5, num_layers=2)
    module.double()
    output, state = module(torch.zeros(4, 2, 3, dtype=torch.float64))
    assert output.dtype == torch.float64
    assert map_state(torch.zeros_like, state) is not state
    on_meta = layer(3, 5, device="meta", dtype=torch.bfloat16)
    assert on_meta.weight_ih_l0.device.type == "meta"
    assert on_meta.weight_ih_l0.dtype == torch.bfloat16
    module.flatten_parameters()
    assert copy.copy(module).hidden_size == 5


@every_pair
def test_weights_that_are_put_in_for_a_call_are_used(layer, oracle):
    module, x = layer(3, 5), torch.randn(4, 2, 3)
    other = layer(3, 5)
    got = torch.func.functional_call(module, dict(other.named_parameters()), (x,))[0]
    torch.testing.assert_close(got, other(x)[0])
    module.weight_hh_l0 = other.weight_hh_l0
    module.load_state_dict(other.state_dict())
    torch.testing.assert_close(module(x)[0], other(x)[0])


def test_parametrized_weights_are_used():
    module, x = GRU(3, 5), torch.randn(4, 2, 3)
    want = module(x)[0]
    nn.utils.parametrizations.weight_norm(module, "weight_hh_l0")
    torch.testing.assert_close(module(x)[0], want)


@every_pair
def test_a_weight_may_be_deleted_and_computed_anew(layer, oracle):
    """As in weight-drop modules written for torch.nn; meanwhile the layer is moved and copied."""
    module, x = layer(3, 5), torch.randn(4, 2, 3)
    want, weight = module(x)[0], module.weight_hh_l0
    del module.weight_hh_l0
    assert module._flat_weights[1] is None
    module.flatten_parameters()
    copy.deepcopy(module.double().float())
    module.weight_hh_l0 = weight.detach() * 1.0
    torch.testing.assert_close(module(x)[0], want)
    assert "weight_hh_l0" not in module.state_dict()


@every_pair
def test_flat_weights_that_are_set_are_used(layer, oracle):
    module, other, x = layer(3, 5), layer(3, 5), torch.randn(4, 2, 3)
    with pytest.raises(TypeError):
        module._flat_weights[0] = (
            other.weight_ih_l0
        )  # in a list, the assignment would silently have no effect
    module._flat_weights = other._flat_weights
    assert module.weight_hh_l0 is other.weight_hh_l0
    dropped = [weight * 0.5 for weight in other._flat_weights]
    module._flat_weights = dropped
    oracle_module = oracle(3, 5)
    oracle_module._flat_weights = dropped
    torch.testing.assert_close(module(x)[0], oracle_module(x)[0])
    module(x)[0].sum().backward()
    assert other.weight_hh_l0.grad is not None


@every_pair
def test_what_weights_are_computed_of_is_drawn_anew(layer, oracle):
    module = nn.utils.parametrizations.weight_norm(layer(3, 5), "weight_hh_l0")
    nn.init.zeros_(module.parametrizations.weight_hh_l0.original1)
    module.reset_parameters()
    assert all(weight.abs().max() > 0 for weight in module.parameters())


@pytest.mark.parametrize("proj_size", [0, 2])
def test_the_initial_state_is_zeros_of_the_right_shapes(proj_size):
    state = LSTM(
        3, 5, num_layers=2, bidirectional=True, proj_size=proj_size, dtype=torch.float64
    ).initial_state(4)
    assert isinstance(state, LSTMState)
    assert state.hidden.shape == (4, 4, proj_size or 5)
    assert state.cell.shape == (4, 4, 5)
    assert state.cell.dtype == torch.float64
    assert not state.hidden.any()
    assert GRU(3, 5).initial_state(4).shape == (1, 4, 5)


def test_an_lstm_takes_any_pair_and_gives_an_lstm_state():
    module, x = LSTM(3, 5), torch.randn(4, 2, 3)
    h, c = torch.randn(2, 1, 2, 5)
    want, (hidden, cell) = module(x, LSTMState(hidden=h, cell=c))
    for pair in ((h, c), [h, c]):
        got, state = module(x, pair)
        assert torch.equal(got, want)
        assert torch.equal(state.hidden, hidden)
        assert torch.equal(state.cell, cell)


def test_map_and_detach_a_state():
    h, c = torch.ones(2, requires_grad=True), torch.zeros(2, requires_grad=True)
    state = LSTMState(hidden=h * 2, cell=c)
    detached = detach_state(state)
    assert isinstance(detached, LSTMState)
    assert not detached.hidden.requires_grad
    assert torch.equal(detached.hidden, state.hidden)
    assert not detach_state(h).requires_grad
    assert [part.requires_grad for part in detach_state((h, c))] == [False, False]
    deep = detach_state([state, (h, None)])
    assert isinstance(deep[0], LSTMState)
    assert not deep[1][0].requires_grad
    both = map_state(torch.add, state, LSTMState(hidden=h, cell=c + 1))
    assert both.hidden.tolist() == [3.0, 3.0]
    assert both.cell.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("kind", [RNN, GRU, LSTM])
def test_shapes_can_be_had_without_numbers(kind):
    layer = kind(3, 4, 2, bidirectional=True, device="meta")
    assert layer(torch.empty(5, 2, 3, device="meta"))[0].shape == (5, 2, 8)


@pytest.mark.parametrize("kind", [RNN, GRU, LSTM])
def test_another_default_device_changes_nothing(kind):
    layer, x = kind(3, 4), torch.randn(5, 2, 3)
    want, _ = layer(x, lengths=[5, 2])
    torch.set_default_device("meta")
    try:
        got, _ = layer(x, lengths=torch.tensor([5, 2], device="cpu"))
    finally:
        torch.set_default_device(None)
    torch.testing.assert_close(got, want)


def test_sizes_may_be_numpys():
    assert str(GRU(np.int64(5), np.int32(7))) == "GRU(5, 7)"


@pytest.mark.parametrize(
    "options", [{}, {"reset": "before"}, {"reset": "none"}, {"peepholes": True}, {"relevance_gate": True}]
)
@pytest.mark.parametrize("hidden_size", [3, 16, 21])
def test_an_infinite_input_reaches_only_what_it_must(options, hidden_size):
    torch.manual_seed(0)
    layer = (GRU if "reset" in options else LSTM)(5, hidden_size, **options)
    x = torch.randn(4, 2, 5)
    x[2, 0, 0] = torch.inf
    found = {}
    for backend in ("auto", "reference"):
        layer.backend, own = backend, x.clone().requires_grad_()
        gradients = torch.autograd.grad(layer(own)[0].sum(), [own, *layer.parameters()])
        found[backend] = [bool(gradient.isnan().any()) for gradient in gradients]
    for got, allowed in zip(*found.values(), strict=True):
        assert got <= allowed, found


@every_pair
@pytest.mark.parametrize("size", [20.0, 5e4, 1.7e9])
def test_sums_that_saturate_have_the_gradients_of_torchs(layer, oracle, size):
    """There tanh rounds to exactly 1; any remaining derivative would be multiplied by the large input."""
    torch.manual_seed(0)
    theirs = oracle(3, 16)
    ours = layer(3, 16)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(20, 8, 3)
    x[..., 2] = size
    for module in (ours, theirs):
        module(x)[0].sum().backward()
    torch.testing.assert_close(ours.weight_ih_l0.grad, theirs.weight_ih_l0.grad, rtol=1e-3, atol=1e-3)


@every_pair
@pytest.mark.parametrize(
    "call", [lambda m: m(torch.randn(4, 0, 3)), lambda m: m(torch.randn(4, 2, 3), lengths=[0, 0])]
)
def test_a_batch_without_steps_passes_gradients_from_its_state(layer, oracle, call):
    module = layer(3, 5)
    _, state = call(module)
    (state.cell if isinstance(state, LSTMState) else state).sum().backward()
    assert not module.weight_ih_l0.grad.any()


def test_a_batch_without_steps_hands_out_a_state_of_its_own():
    start = torch.zeros(1, 2, 5)
    _, end = GRU(3, 5)(torch.randn(4, 2, 3), start, lengths=[0, 0])
    end += 1
    assert not start.any()


@every_pair
def test_other_orders_of_memory_change_nothing(layer, oracle):
    """Conversions that torch's modules support, and non-contiguous inputs and states."""
    theirs = oracle(3, 5)
    ours = layer(3, 5)
    ours.load_state_dict(theirs.state_dict())
    ours.to(memory_format=torch.channels_last)
    x, wide = torch.randn(2, 6, 3).transpose(0, 1), torch.randn(5, 2, 2).permute(2, 1, 0)[:1]
    state = (wide, wide) if layer is LSTM else wide
    assert not wide.is_contiguous()
    torch.testing.assert_close(ours(x, state), theirs(x, state))


@pytest.mark.parametrize(("layer", "oracle"), [(RNN, nn.RNN), (GRU, nn.GRU)])
def test_proj_size_has_its_place_among_the_arguments(layer, oracle):
    given = (3, 5, 2, *(["relu"] if layer is RNN else []), True, True, 0.0, True, 0, "cpu", torch.float64)
    got, want = layer(*given), oracle(*given)
    assert list(got.state_dict()) == list(want.state_dict())
    assert got.weight_ih_l0.dtype == torch.float64


def test_a_nonlinearity_that_is_set_later_is_used():
    ours, theirs = RNN(3, 5), nn.RNN(3, 5)
    ours.load_state_dict(theirs.state_dict())
    ours.mode = theirs.mode = "RNN_RELU"
    x = torch.randn(4, 2, 3)
    torch.testing.assert_close(ours(x)[0], theirs(x)[0])
    assert (ours.nonlinearity, ours.mode) == ("relu", "RNN_RELU")


def test_a_jordan_networks_nonlinearity_is_used_once_it_is_set():
    torch.manual_seed(0)
    first = JordanRNN(3, 5, 4)
    torch.manual_seed(0)
    other = JordanRNN(3, 5, 4, "sigmoid")
    x = torch.randn(4, 2, 3)
    first.nonlinearity = "sigmoid"
    assert torch.equal(first(x)[0], other(x)[0])


def test_a_reset_gate_cannot_be_moved_once_its_weights_are_made():
    layer = GRU(3, 5)
    with pytest.raises(AttributeError):
        layer.reset = "none"
    assert layer.reset == "after"


@pytest.mark.parametrize("given", [None, 0, 2])
def test_a_projection_that_is_named_is_refused_with_what_was_given(given):
    with pytest.raises(
        ConfigError, match=f"proj_size: got {given}, expected none: only LSTM has a projection"
    ):
        GRU(3, 5, proj_size=given)


def test_zoneout_of_one_keeps_every_bit():
    for size in (1.0, 1e3, 1e8):
        layer = RNN(1, 4, nonlinearity="relu", zoneout=1.0)
        torch.nn.init.ones_(layer.weight_ih_l0)
        start = torch.rand(1, 2, 4)
        assert torch.equal(layer(torch.full((3, 2, 1), size), start)[1], start)
