"""The native kernels against torch.nn, against the float64 reference and against finite differences.

Every cell and option, on every instruction set that this processor has.
"""

from dataclasses import replace
from itertools import product

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from native_twins import KINKS, Case, assert_agrees, computed, draw
from torch import nn

from recurra.cells import (
    NONLINEARITIES,
    OUTPUT_ACTIVATIONS,
    OUTPUT_FUNCTIONS,
    PEEPHOLES,
    RESETS,
    GRUEquation,
    JordanEquation,
    LSTMEquation,
    RNNEquation,
)
from recurra.kernels import native
from recurra.layers import GRU, LSTM, RNN

pytestmark = pytest.mark.needs_native

RECURRENT = {
    **{f"rnn_{g}": RNNEquation(g) for g in NONLINEARITIES},
    **{f"gru_{reset}": GRUEquation(reset=reset) for reset in RESETS},
    **{
        f"lstm_{peepholes}_{coupled}_{output}": LSTMEquation(
            peepholes, coupled_gates=coupled, output_activation=output
        )
        for peepholes, coupled, output in product(PEEPHOLES, (False, True), OUTPUT_ACTIVATIONS)
    },
    **{
        f"lstm_{peepholes}_relevance_{output}": LSTMEquation(
            peepholes, relevance_gate=True, output_activation=output
        )
        for peepholes, output in product(PEEPHOLES, OUTPUT_ACTIVATIONS)
    },
}
PROJECTED = {
    **{f"jordan_{g}_{g2}": JordanEquation(g, g2) for g, g2 in product(NONLINEARITIES, OUTPUT_FUNCTIONS)},
    **{name: each for name, each in RECURRENT.items() if name.startswith("lstm") and "relevance" not in name},
}
NORMALISED = {name: replace(each, layer_norm=True) for name, each in RECURRENT.items()}
NORMALISED_PROJECTED = {name: NORMALISED[name] for name in PROJECTED if name in NORMALISED}
SETS = native.extension().instruction_sets() if native.available() else []
MOST = 12_000  # hidden state numbers of one layer; each may hit a kink


@pytest.fixture(params=SETS, scope="module")
def instruction_set(request):
    module = native.extension()
    before = module.instruction_set()
    assert module.use_instruction_set(request.param)
    yield request.param
    module.use_instruction_set(before)


flags = st.booleans()
recurrent_cases = st.builds(
    Case,
    T=st.sampled_from([1, 2, 57]),
    B=st.sampled_from([1, 3, 20]),
    I=st.sampled_from([1, 5, 33]),
    H=st.sampled_from([1, 7, 33, 200]),
    P=st.just(0),
    bias=flags,
    packed=flags,
    reverse=flags,
    zoneout=flags,
    every_cell=flags,
)
seeds = st.integers(0, 999)
exact = settings(max_examples=5, deadline=None, derandomize=True)


def without_a_kink(equation, case):
    """Fewer rows if g has kinks, so that a draw without numbers near a kink can be found."""
    if getattr(equation, "nonlinearity", "tanh") in ("tanh", "sigmoid"):
        return case
    return case._replace(B=max(1, min(case.B, MOST // (case.T * case.H))))


@pytest.mark.parametrize("name", RECURRENT)
@exact
@given(case=recurrent_cases, seed=seeds)
@example(Case(T=57, B=3, I=5, H=33, packed=True, reverse=True, zoneout=True, every_cell=True), 1)
@example(Case(T=2, B=20, I=33, H=200, every_cell=True), 2)
def test_every_cell_agrees_with_the_reference(instruction_set, name, case, seed):
    equation = RECURRENT[name]
    assert_agrees(equation, without_a_kink(equation, case), seed)


@pytest.mark.parametrize("name", PROJECTED)
@settings(max_examples=3, deadline=None, derandomize=True)
@given(case=recurrent_cases, outputs=st.sampled_from([2, 3, 19, 50]), seed=seeds)
@example(Case(T=57, B=3, I=5, H=33, packed=True, reverse=True, zoneout=True, every_cell=True), 19, 1)
def test_every_projected_cell_agrees_with_the_reference(instruction_set, name, case, outputs, seed):
    equation = PROJECTED[name]
    if isinstance(equation, JordanEquation):
        case = case._replace(zoneout=False)
    elif outputs >= case.H:  # a projection is narrower
        case = case._replace(H=outputs + 3)
    assert_agrees(equation, without_a_kink(equation, case._replace(P=outputs)), seed)


@pytest.mark.parametrize("name", NORMALISED)
@settings(max_examples=3, deadline=None, derandomize=True)
@given(case=recurrent_cases, seed=seeds)
@example(Case(T=57, B=3, I=5, H=33, packed=True, reverse=True, zoneout=True, every_cell=True), 1)
@example(Case(T=2, B=20, I=33, H=200, every_cell=True), 2)
def test_every_normalised_cell_agrees_with_the_reference(instruction_set, name, case, seed):
    # Two numbers, or multiples of one number, may have a tiny variance: ill-conditioned in any float32.
    case = case._replace(I=max(case.I, 5), H=max(case.H, 7))
    assert_agrees(NORMALISED[name], without_a_kink(NORMALISED[name], case), seed)


@pytest.mark.parametrize("name", NORMALISED)
def test_one_unit_is_normalised(instruction_set, name):
    assert_agrees(NORMALISED[name], Case(T=3, B=2, I=3, H=1, every_cell=True), 1)


@pytest.mark.parametrize("name", NORMALISED_PROJECTED)
def test_every_normalised_projection_agrees_with_the_reference(instruction_set, name):
    options = {"packed": True, "reverse": True, "zoneout": True, "every_cell": True}
    assert_agrees(NORMALISED_PROJECTED[name], Case(T=57, B=3, I=5, H=33, P=19, **options), 1)
    assert_agrees(NORMALISED_PROJECTED[name], Case(T=3, B=20, I=5, H=23, P=2), 2)


@pytest.mark.parametrize("name", ["rnn_tanh", "gru_after", "gru_before", "lstm_True_False_tanh"])
def test_wide_layers_agree_with_the_reference(instruction_set, name):
    assert_agrees(RECURRENT[name], Case(T=2, B=3, I=33, H=650), 3)
    if instruction_set == SETS[0]:
        assert_agrees(RECURRENT[name], Case(T=57, B=20, I=19, H=650), 4)


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize(
    "name", ["rnn_tanh", "gru_before", "lstm_True_False_tanh", "lstm_False_relevance_tanh"]
)
def test_several_threads_agree_with_the_reference(name, threads):
    for case in (Case(57, 20, I=33, H=200, packed=True, reverse=True), Case(57, 1, I=33, H=200)):
        assert_agrees(RECURRENT[name], case, 5, threads)


TORCHS = {
    "rnn_tanh": (RNN, nn.RNN, {}),
    "rnn_relu": (RNN, nn.RNN, {"nonlinearity": "relu"}),
    "gru": (GRU, nn.GRU, {}),
    "lstm": (LSTM, nn.LSTM, {}),
    "lstm_proj": (LSTM, nn.LSTM, {"proj_size": 3}),
}


@pytest.mark.parametrize("name", TORCHS)
@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    T=st.sampled_from([1, 2, 57]),
    B=st.sampled_from([1, 3, 20]),
    H=st.sampled_from([7, 33, 200]),
    layers=st.integers(1, 2),
    both_ways=flags,
    bias=flags,
    seed=seeds,
)
def test_layers_agree_with_torchs_in_float64(instruction_set, name, T, B, H, layers, both_ways, bias, seed):
    ours, oracle, fixed = TORCHS[name]
    if name == "rnn_relu":
        B = max(1, min(B, MOST // (T * H * 4)))
    torch.manual_seed(seed)
    options = {"num_layers": layers, "bidirectional": both_ways, "bias": bias, **fixed}
    layer, expected = ours(5, H, backend="native", **options), oracle(5, H, dtype=torch.float64, **options)
    expected.load_state_dict(layer.state_dict())
    x, results = torch.randn(T, B, 5), []
    for each, dtype in ((layer, torch.float32), (expected, torch.float64)):
        given_x = x.to(dtype, copy=True).requires_grad_()
        output, final = each(given_x)
        tensors = [output, *([final] if isinstance(final, torch.Tensor) else final)]
        generator = torch.Generator().manual_seed(5)
        loss = sum((t * torch.randn(t.shape, generator=generator).to(dtype)).sum() for t in tensors)
        gradients = torch.autograd.grad(loss, [given_x, *each.parameters()])
        results.append([*(tensor.detach() for tensor in tensors), *gradients])
    assert layer.backend_used == "native"
    for got, want in zip(*results, strict=True):
        assert (got.double() - want).abs().max() <= max(1e-4 * float(want.abs().max()), 2e-6)


EVERY = {**RECURRENT, **PROJECTED}
SMOOTH = [name for name, each in EVERY.items() if getattr(each, "nonlinearity", "tanh") not in KINKS]


@pytest.mark.parametrize("name", SMOOTH)
def test_gradients_are_the_slopes_of_the_kernels_own_results(name):
    """Finite differences of the float32 kernels, along one direction per input."""
    equation = EVERY[name]
    case = Case(T=3, B=2, I=3, H=7, P=4 * name.startswith("jordan"), packed=True)
    numbers = draw(equation, case, 8).to(torch.float32)
    gradients = computed(native.scan, equation, case, numbers)
    step = 1e-2
    for place, (leaf_name, leaf) in enumerate(numbers.leaves().items()):
        direction = torch.randn(leaf.shape, generator=torch.Generator().manual_seed(place))
        losses = []
        for sign in (1, -1):
            with torch.no_grad():
                leaf.add_(direction, alpha=sign * step)
            results = computed(native.scan, equation, case, numbers)
            with torch.no_grad():
                leaf.sub_(direction, alpha=sign * step)
            generator = torch.Generator().manual_seed(7)
            losses.append(
                sum(
                    float((r.double() * torch.randn(r.shape, generator=generator)).sum())
                    for key, r in results.items()
                    if key.startswith("result")
                )
            )
        slope = (losses[0] - losses[1]) / (2 * step)
        gradient = gradients[f"gradient of {leaf_name}"]
        expected = float((gradient.double() * direction).sum())
        assert abs(slope - expected) <= 0.02 * float((gradient * direction).abs().sum()) + 1e-3, leaf_name
