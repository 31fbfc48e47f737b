"""The backend that a call uses, and the message if it cannot run."""

import pytest
import torch

from recurra.cells import Equation, GRUEquation, JordanEquation, LSTMEquation, RNNEquation
from recurra.errors import BackendUnavailable
from recurra.kernels import BACKENDS, choose, extension, native, torch_fused
from recurra.layers import GRU, RNN

PLAIN = [RNNEquation(), RNNEquation("relu"), GRUEquation(), LSTMEquation()]
ONLY_HERE = [
    *[RNNEquation(g) for g in ("leaky_relu", "sigmoid", "hardtanh")],
    JordanEquation(),
    GRUEquation(reset="before"),
    LSTMEquation(peepholes=True),
    GRUEquation(layer_norm=True),
    LSTMEquation(relevance_gate=True, layer_norm=True),
]
NOWHERE = {
    LSTMEquation(relevance_gate=True, coupled_gates=True, layer_norm=norm): (
        "the kernels do not support relevance_gate together with coupled_gates"
    )
    for norm in (False, True)
}
X = torch.zeros(4, 1, 2)


@pytest.fixture
def no_native(monkeypatch):
    monkeypatch.setenv("RECURRA_NO_NATIVE", "1")


@pytest.mark.needs_native
@pytest.mark.parametrize("equation", PLAIN + ONLY_HERE)
def test_auto_takes_the_kernels_where_they_have_the_cell(equation):
    assert choose("auto", equation, X) == "native"
    assert choose("native", equation, X) == "native"


@pytest.mark.needs_native
@pytest.mark.parametrize("equation", NOWHERE)
def test_what_the_kernels_have_not_is_said(equation):
    assert choose("auto", equation, X) == "reference"
    with pytest.raises(BackendUnavailable, match=f"backend='native', but {NOWHERE[equation]}; use 'auto'"):
        choose("native", equation, X)


@pytest.mark.needs_native
@pytest.mark.parametrize(
    ("x", "sentence"),
    [
        (X.double(), "dtype is float64, kernels are float32"),
        (X.half(), "dtype is float16, kernels are float32"),
        (X.to("meta"), "device is meta, kernels are CPU"),
    ],
)
def test_other_dtypes_and_devices_go_to_torch(x, sentence):
    assert choose("auto", GRUEquation(), x) == "torch"
    assert choose("auto", GRUEquation(reset="none"), x) == "reference"
    with pytest.raises(BackendUnavailable, match=sentence):
        choose("native", GRUEquation(), x)


@pytest.mark.needs_native
def test_under_autocast_the_choice_goes_to_torch():
    with torch.autocast("cpu", torch.bfloat16):
        assert choose("auto", GRUEquation(), X) == "torch"
        with pytest.raises(BackendUnavailable, match=r"torch.autocast is on, kernels are float32"):
            choose("native", GRUEquation(), X)


@pytest.mark.needs_native
def test_options_of_a_call_that_only_some_have():
    for option in ("zoneout", "every_state"):
        assert choose("auto", GRUEquation(), X, option) == "native"
        with pytest.raises(BackendUnavailable, match=f"torch's functions have no {option}"):
            choose("torch", GRUEquation(), X, option)
        assert choose("auto", GRUEquation(), X.double(), option) == "reference"
    assert choose("auto", JordanEquation(), X, "zoneout") == "reference"
    with pytest.raises(BackendUnavailable, match="do not support zoneout of a Jordan network"):
        choose("native", JordanEquation(), X, "zoneout")


@pytest.mark.needs_native
def test_without_wide_vectors_torch_wins_where_it_has_the_cell(monkeypatch):
    monkeypatch.setattr(extension, "_has_wide_vectors", False)
    for equation in PLAIN:
        assert choose("auto", equation, X) == "torch"
        assert choose("auto", equation, X, "zoneout") == "native"
        assert choose("native", equation, X) == "native"
    for equation in ONLY_HERE:
        assert choose("auto", equation, X) == "native"


@pytest.mark.parametrize("equation", PLAIN)
def test_auto_takes_torch_where_torch_has_the_cell(equation, no_native):
    assert choose("auto", equation, X) == "torch"
    assert choose("auto", equation, X, "zoneout") == "reference"


@pytest.mark.parametrize("equation", ONLY_HERE)
def test_auto_takes_the_reference_where_it_has_not(equation, no_native):
    assert choose("auto", equation, X) == "reference"


@pytest.mark.parametrize("equation", [*PLAIN, *ONLY_HERE, *NOWHERE])
def test_the_reference_runs_everything(equation):
    assert choose("reference", equation, X) == "reference"


@pytest.mark.parametrize("equation", PLAIN)
def test_functional_transforms_go_to_the_reference(equation):
    chosen = []

    def function(x):
        chosen.append(choose("auto", equation, x))
        with pytest.raises(BackendUnavailable, match=r"torch\.func or forward mode is on|RECURRA_NO_NATIVE"):
            choose("native", equation, x)
        return x.sum()

    torch.func.grad(function)(X)
    torch.func.vmap(function)(X)
    torch.func.jvp(function, (X,), (X,))
    assert chosen == ["reference"] * 3


@pytest.mark.parametrize("equation", ONLY_HERE[:3])
def test_torch_by_force_says_what_it_has_not(equation):
    sentence = f"backend='torch', but torch's functions have tanh and relu, not {equation.nonlinearity}"
    with pytest.raises(BackendUnavailable, match=sentence):
        choose("torch", equation, X)


def test_an_equation_unknown_to_torch_and_the_kernels_is_named(monkeypatch):
    class Novel(Equation):
        def step(self, x, state, weights): ...

        def initial_state(self, batch_size, weights): ...

        gates = ("h",)

    assert torch_fused.reason(Novel()) == "torch has no function for Novel"
    assert choose("auto", Novel(), X) == "reference"
    if native.available():
        assert native.reason(Novel(), X) == "the kernels do not support Novel"


def test_native_is_off_when_the_environment_says_so(no_native):
    assert not native.available()
    assert native.instruction_set() is None
    assert native.processor_features() == []
    with pytest.raises(BackendUnavailable, match="backend='native', but RECURRA_NO_NATIVE=1 is set"):
        choose("native", GRUEquation(), X)


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
    monkeypatch.setattr(extension, "_loaded", extension.load(fail))
    with pytest.raises(BackendUnavailable, match=reason):
        choose("native", GRUEquation(), X)
    assert choose("auto", GRUEquation(), X) == "torch"


def test_the_choice_is_made_at_each_call():
    layer, x = GRU(2, 3), torch.zeros(4, 1, 2)
    for backend in ("torch", "reference", *(["native"] if native.available() else [])):
        layer.backend = backend
        layer(x)
        assert layer.backend_used == backend
        layer(x[:0])
        assert layer.backend_used == "reference"  # a call without steps runs no kernel
    with pytest.raises(BackendUnavailable):
        RNN(2, 3, nonlinearity="sigmoid", backend="torch")(x)
    assert BACKENDS == ("auto", "native", "torch", "reference")
