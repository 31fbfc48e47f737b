"""A layer frozen for streaming gives the same results as the layer, step by step, with numpy arrays."""

import copy

import numpy as np
import pytest
import torch

import recurra as rc
from recurra.errors import BackendUnavailable, ConfigError, ShapeError

pytestmark = pytest.mark.needs_native

I, H = 5, 19
LAYERS = {
    "rnn_relu": lambda: rc.RNN(I, H, nonlinearity="relu"),
    "gru": lambda: rc.GRU(I, H, 2),
    "gru_before_graves": lambda: rc.GRU(I, H, 3, reset="before", skip="graves"),
    "gru_simplified": lambda: rc.GRU(I, 1, 2, reset="none", bias=False),
    "lstm": lambda: rc.LSTM(I, H),
    "lstm_residual_peepholes": lambda: rc.LSTM(H, H, 3, skip="residual", peepholes=True),
    "lstm_coupled": lambda: rc.LSTM(I, H, coupled_gates=True, peepholes="previous"),
    "lstm_relevance": lambda: rc.LSTM(I, H, relevance_gate=True, output_activation="identity"),
    "lstm_projection_zoneout": lambda: rc.LSTM(I, H, 2, proj_size=7, zoneout=(0.3, 0.2)),
    "gru_zoneout": lambda: rc.GRU(I, H, zoneout=0.25),
    "jordan": lambda: rc.JordanRNN(I, H, 9, output_activation="softmax"),
    "rnn_norm": lambda: rc.RNN(I, H, layer_norm=True),
    "gru_norm": lambda: rc.GRU(I, H, 2, skip="residual", layer_norm=True),
    "lstm_norm_projection_zoneout": lambda: rc.LSTM(I, H, 2, proj_size=7, zoneout=0.3, layer_norm=True),
    "lstm_norm_relevance": lambda: rc.LSTM(I, H, relevance_gate=True, peepholes=True, layer_norm=True),
    "learnt_start": lambda: rc.LSTM(I, H, 2, learn_initial_state=True),
}


def made(name):
    torch.manual_seed(3)
    layer = LAYERS[name]().eval()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.4)
    return layer


def parts_of(state):
    return [state] if isinstance(state, torch.Tensor) else list(state)


@pytest.mark.parametrize("name", LAYERS)
def test_steps_give_what_the_layer_gives(name):
    layer = made(name)
    x = torch.randn(6, 1, layer.input_size)
    with torch.no_grad():
        want, final = layer(x)
    step = rc.StreamingStep(layer)
    got = np.stack([step(row) for row in x[:, 0].numpy()])
    np.testing.assert_allclose(got, want[:, 0].numpy(), atol=1e-6, rtol=1e-5)
    for ours, theirs in zip(parts_of(step.state), parts_of(final), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", ["gru", "lstm_projection_zoneout", "learnt_start"])
def test_several_steps_in_one_call_are_the_same_bits(name):
    step = rc.StreamingStep(made(name))
    x = np.random.default_rng(0).standard_normal((7, step.input_size), np.float32)
    single = np.stack([step(row) for row in x])
    step.reset()
    assert np.array_equal(step.run(x), single)
    assert step.run(x[:0]).shape == (0, step.output_size)


def test_a_state_goes_on_elsewhere():
    layer = made("lstm")
    first, second = rc.StreamingStep(layer), rc.StreamingStep(layer)
    x = np.random.default_rng(1).standard_normal((4, I), np.float32)
    first.run(x[:2])
    second.state = first.state
    assert np.array_equal(first.run(x[2:]), second.run(x[2:]))
    with torch.no_grad():
        _, state = layer(torch.from_numpy(x[:2]).unsqueeze(1))
    second.state = state
    assert second(x[2]).shape == (H,)


def test_the_weights_are_copied():
    layer = made("gru")
    step, x = rc.StreamingStep(layer), np.ones(I, np.float32)
    before = step(x)
    with torch.no_grad():
        layer.weight_hh_l0.zero_()
        layer.bias_ih_l0.add_(3.0)
    del layer
    step.reset()
    assert np.array_equal(step(x), before)


def test_an_output_is_an_array_of_its_own():
    step = rc.StreamingStep(made("gru"))
    first = step(np.ones(I, np.float32))
    kept = first.copy()
    step(np.zeros(I, np.float32))
    assert np.array_equal(first, kept)


def test_a_strided_step_is_taken_as_it_is_meant():
    step = rc.StreamingStep(made("gru"))
    wide = np.random.default_rng(2).standard_normal((2 * I,), np.float32)
    strided = step(wide[::2])
    step.reset()
    assert np.array_equal(strided, step(wide[::2].copy()))


@pytest.mark.parametrize(
    "x", [np.ones(I + 1, np.float32), np.ones(I), np.ones((1, I), np.float32), np.ones(0, np.float32)]
)
def test_a_step_that_does_not_fit_is_named(x):
    step = rc.StreamingStep(made("gru"))
    with pytest.raises(ShapeError, match=r"expected float32 of shape \(5,\)"):
        step(x)


def test_what_does_not_fit_is_named():
    step = rc.StreamingStep(made("lstm"))
    with pytest.raises(ShapeError, match=r"expected float32 of shape \(T, 5\)"):
        step.run(np.ones(I, np.float32))
    with pytest.raises(ShapeError, match="state"):
        step.state = torch.zeros(1, 1, H)
    with pytest.raises(ConfigError, match="bidirectional"):
        rc.StreamingStep(rc.GRU(I, H, bidirectional=True))
    with pytest.raises(BackendUnavailable, match="float64"):
        rc.StreamingStep(rc.GRU(I, H).double())
    with pytest.raises(ConfigError, match="got a GRU, expected a layer of recurra"):
        rc.StreamingStep(torch.nn.GRU(I, H))
    with pytest.raises(ShapeError, match="state: got a NoneType"):
        step.state = None
    with pytest.raises(TypeError, match="cannot be copied or pickled"):
        copy.deepcopy(step)


@pytest.mark.parametrize(
    ("x", "mend"),
    [([1.0] * I, "wrap it in np.float32"), (torch.ones(I), "detach"), (np.ones(I), r"astype\(np.float32\)")],
)
def test_what_is_no_array_of_floats_is_told_how_to_become_one(x, mend):
    with pytest.raises(ShapeError, match=mend):
        rc.StreamingStep(made("gru"))(x)


def test_without_kernels_it_says_so(monkeypatch):
    monkeypatch.setenv("RECURRA_NO_NATIVE", "1")
    with pytest.raises(BackendUnavailable, match="RECURRA_NO_NATIVE=1 is set; call the layer itself"):
        rc.StreamingStep(made("gru"))
