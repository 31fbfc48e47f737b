"""Packed weights kept between calls give the same results, also after every change that torch counts."""

import copy
import pickle
from typing import Any

import pytest
import torch

import recurra
from recurra.kernels import native
from recurra.layers import RecurrentLayer

pytestmark = pytest.mark.needs_native

LAYERS = {
    "gru": lambda: recurra.GRU(5, 7, num_layers=2, bidirectional=True),
    "lstm": lambda: recurra.LSTM(5, 7, proj_size=3),
    "peepholes": lambda: recurra.LSTM(5, 7, num_layers=2, peepholes=True, bias=False),
    "layer_norm": lambda: recurra.GRU(5, 7, layer_norm=True, zoneout=0.2),
    "rnn": lambda: recurra.RNN(5, 7, num_layers=3, skip="graves"),
}


def both(layer: RecurrentLayer, x: torch.Tensor, **options: Any) -> list[torch.Tensor]:
    """Results of a layer with packed weights kept, and without."""
    with torch.no_grad():
        kept = layer(x, **options)
        layer.keep_packed, before = False, layer._packed
        plain = layer(x, **options)
        layer._packed = before
    return [_flat(kept), _flat(plain)]


def _flat(results: Any) -> torch.Tensor:
    if isinstance(results, torch.Tensor):
        return results.flatten()
    return torch.cat([_flat(each) for each in results])


@pytest.fixture(params=LAYERS)
def layer(request: pytest.FixtureRequest) -> RecurrentLayer:
    torch.manual_seed(3)
    made: RecurrentLayer = LAYERS[request.param]().eval()
    made.keep_packed = True
    return made


def test_same_bits_for_any_steps_and_rows(layer: RecurrentLayer) -> None:
    for T, B in ((4, 3), (1, 1), (9, 32), (1, 5)):
        kept, plain = both(layer, torch.randn(T, B, 5))
        assert torch.equal(kept, plain)
    kept, plain = both(layer, torch.randn(4, 3, 5), lengths=[2, 0, 4], every_state=True)
    assert torch.equal(kept, plain)
    assert layer.backend_used == "native"


def test_packs_once(layer: RecurrentLayer) -> None:
    x = torch.randn(2, 3, 5)
    with torch.no_grad():
        layer(x)
        first = [kept._held[2] for kept in layer._packed]
        layer(x)
        second = [kept._held[2] for kept in layer._packed]
    assert None not in first
    assert first == second
    assert len(first) == layer.num_layers * layer.num_directions


def test_sees_changes_of_weights(layer: RecurrentLayer) -> None:
    x = torch.randn(2, 3, 5)
    other = redrawn(layer)
    layer.load_state_dict(other.state_dict())
    assert torch.equal(*both(layer, x))
    layer.load_state_dict(other.state_dict(), assign=True)
    assert torch.equal(*both(layer, x))
    with torch.no_grad():
        next(layer.parameters()).mul_(2)
    assert torch.equal(*both(layer, x))
    layer.weight_hh_l0.data = torch.randn_like(layer.weight_hh_l0)
    assert torch.equal(*both(layer, x))
    square = layer.weight_hh_l0[: layer.weight_hh_l0.shape[1]].shape
    if square == layer.weight_hh_l0.shape:
        layer.weight_hh_l0.data = layer.weight_hh_l0.data.t()
        assert torch.equal(*both(layer, x))


@pytest.mark.parametrize("way", ["fused", "foreach", "single"])
@pytest.mark.parametrize("optimizer", ["SGD", "Adam", "AdamW", "Adagrad"])
def test_sees_steps_of_optimizers(optimizer: str, way: str) -> None:
    layer = recurra.GRU(5, 7).eval()
    layer.keep_packed = True
    x = torch.randn(2, 3, 5)
    ways = {"fused": {"fused": True}, "foreach": {"foreach": True}, "single": {"foreach": False}}
    chosen = getattr(torch.optim, optimizer)(layer.parameters(), lr=0.5, **ways[way])
    before, _ = both(layer, x)
    layer(x)[0].sum().backward()
    chosen.step()
    after, plain = both(layer, x)
    assert torch.equal(after, plain)
    assert not torch.equal(before, after)


def test_sees_another_equation() -> None:
    layer = recurra.RNN(5, 7).eval()
    layer.keep_packed = True
    x = torch.randn(2, 3, 5)
    before, _ = both(layer, x)
    layer.equation = recurra.RNN(5, 7, nonlinearity="relu").equation
    after, plain = both(layer, x)
    assert torch.equal(after, plain)
    assert not torch.equal(before, after)


def test_setting_it_again_forgets_what_was_kept(layer: RecurrentLayer) -> None:
    x = torch.randn(2, 3, 5)
    both(layer, x)
    layer.weight_hh_l0.data.mul_(2)  # unseen
    layer.keep_packed = True
    assert torch.equal(*both(layer, x))


def redrawn(layer: RecurrentLayer) -> RecurrentLayer:
    twin = copy.deepcopy(layer)
    twin.reset_parameters()
    return twin


def test_gradients_are_as_without(layer: RecurrentLayer) -> None:
    x = torch.randn(2, 3, 5, requires_grad=True)
    with torch.no_grad():
        layer(x)
    kept = torch.autograd.grad(layer(x)[0].sum(), x)[0]
    layer.keep_packed = False
    assert torch.equal(kept, torch.autograd.grad(layer(x)[0].sum(), x)[0])


def test_copies_begin_empty_and_agree(layer: RecurrentLayer) -> None:
    x = torch.randn(2, 3, 5)
    with torch.no_grad():
        expected = _flat(layer(x))
        for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
            assert twin.keep_packed
            assert all(kept._held[2] is None for kept in twin._packed)
            assert torch.equal(_flat(twin(x)), expected)


def test_instruction_sets_have_their_own(layer: RecurrentLayer) -> None:
    x = torch.randn(2, 3, 5)
    extension = native.extension()
    best = extension.instruction_set()
    try:
        for name in extension.instruction_sets():
            extension.use_instruction_set(name)
            assert torch.equal(*both(layer, x))
    finally:
        extension.use_instruction_set(best)


def test_inference_tensors_are_packed_each_time() -> None:
    with torch.inference_mode():
        layer = recurra.GRU(3, 4)
        layer.keep_packed = True
        layer.eval()
        x = torch.randn(2, 1, 3)
        before = layer(x)[0]
        layer.weight_hh_l0.mul_(3)
        assert not torch.equal(layer(x)[0], before)
        assert torch.equal(*both(layer, x))


def test_a_call_of_another_layer_is_refused() -> None:
    layers = [recurra.GRU(3, 4).eval(), recurra.GRU(3, 5).eval()]
    for layer in layers:
        layer.keep_packed = True
    with torch.no_grad():
        for layer in layers:
            layer(torch.zeros(1, 1, 3))
        call = native.extension().Recurrence()
        with pytest.raises(ValueError, match="not of the layer"):
            layers[0]._packed[0]._held[2].forward(call)
