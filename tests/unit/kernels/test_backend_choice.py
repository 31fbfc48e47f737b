"""Which backend a call takes, and what is said of one that cannot run."""

import pytest
import torch

from recurra.cells import GRUEquation, LSTMEquation, RNNEquation
from recurra.errors import BackendUnavailable
from recurra.kernels import BACKENDS, choose, native, torch_fused
from recurra.layers import GRU, RNN

PLAIN = [RNNEquation(), RNNEquation("relu"), GRUEquation(), LSTMEquation()]
ONLY_HERE = [RNNEquation("leaky_relu"), RNNEquation("sigmoid"), RNNEquation("hardtanh")]


@pytest.mark.parametrize("equation", PLAIN)
def test_auto_takes_torch_where_torch_has_the_cell(equation, monkeypatch):
    monkeypatch.setenv("RECURRA_NO_NATIVE", "1")
    assert choose("auto", equation) == "torch"


@pytest.mark.parametrize("equation", ONLY_HERE)
def test_auto_takes_the_reference_where_it_has_not(equation, monkeypatch):
    monkeypatch.setenv("RECURRA_NO_NATIVE", "1")
    assert choose("auto", equation) == "reference"


@pytest.mark.parametrize("equation", PLAIN + ONLY_HERE)
def test_the_reference_runs_everything(equation):
    assert choose("reference", equation) == "reference"


@pytest.mark.parametrize("equation", ONLY_HERE)
def test_torch_by_force_says_what_it_has_not(equation):
    sentence = f"backend='torch', but torch's functions have tanh and relu, not {equation.nonlinearity}"
    with pytest.raises(BackendUnavailable, match=sentence):
        choose("torch", equation)


def test_an_equation_unknown_to_torch_is_named():
    class Novel(GRUEquation.__base__):
        def step(self, x, state, weights): ...

        def initial_state(self, batch_size, weights): ...

    assert torch_fused.reason(Novel()) == "torch has no function for Novel"


def test_native_is_off_when_the_environment_says_so(monkeypatch):
    monkeypatch.setenv("RECURRA_NO_NATIVE", "1")
    assert not native.available()
    with pytest.raises(BackendUnavailable, match="backend='native', but RECURRA_NO_NATIVE=1 is set"):
        choose("native", GRUEquation())


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ModuleNotFoundError(), "no compiler was found when the package was installed"),
        (ImportError("wrong processor"), r"does not load \(wrong processor\)"),
    ],
)
def test_native_tells_an_absent_extension_from_a_broken_one(error, reason, monkeypatch):
    def fail(name):
        raise error

    monkeypatch.delenv("RECURRA_NO_NATIVE", raising=False)
    monkeypatch.setattr(native, "import_module", fail)
    native._why_not_loaded.cache_clear()
    try:
        with pytest.raises(BackendUnavailable, match=reason):
            choose("native", GRUEquation())
    finally:
        native._why_not_loaded.cache_clear()


def test_the_choice_is_made_at_each_call():
    layer, x = GRU(2, 3), torch.zeros(4, 1, 2)
    for backend in ("torch", "reference"):
        layer.backend = backend
        layer(x)
        assert layer.backend_used == backend
    with pytest.raises(BackendUnavailable):
        RNN(2, 3, nonlinearity="sigmoid", backend="torch")(x)
    assert BACKENDS == ("auto", "native", "torch", "reference")
