"""The layer with attention: kernels against float64, equation against torch.nn and finite differences."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from recurra.errors import BackendUnavailable, ConfigError, ShapeError
from recurra.kernels import native
from recurra.layers import GRU, LSTM, RNN, LSTMState
from recurra.layers.attention import Attention
from recurra.layers.attentive import AttentiveLayer, AttentiveState

CELLS = {"gru": GRU, "lstm": LSTM, "rnn": RNN}
SCORES = [("dot", False), ("general", False), ("additive", False), ("additive", True)]
BACKENDS = ["reference", pytest.param("native", marks=pytest.mark.needs_native)]


def a_layer(cell: str, scoring: str, coverage: bool = False, *, H=12, F_=9, I=5, V=10, K=7) -> AttentiveLayer:
    torch.manual_seed(1)
    attention = Attention(H, H if scoring == "dot" else V, scoring, size=K, coverage=coverage)
    return AttentiveLayer(CELLS[cell](I + F_, H, batch_first=True), attention, F_)


def a_call(layer: AttentiveLayer, *, B: int, k: int, T: int, S: int, dtype: torch.dtype) -> dict:
    """Inputs that all require gradients; memory rows have any length, including 0."""
    torch.manual_seed(2)
    H, V, R = layer.attention.query_size, layer.attention.value_size, B * k
    drawn = {
        "values": torch.randn(B, S, V),
        "x": torch.randn(R, T, layer.input_size),
        "h0": torch.randn(1, R, H),
        "c0": torch.randn(1, R, H),
        "feed": torch.randn(R, layer.feed_size),
        "covered": torch.rand(R, S),
    }
    return {name: each.to(dtype).requires_grad_() for name, each in drawn.items()}


def lengths_of(B: int, S: int) -> torch.Tensor:
    return torch.tensor([(S, 0, 1, S - 1)[b % 4] for b in range(B)]).clamp(min=0)


def run(layer: AttentiveLayer, call: dict, lengths: torch.Tensor):
    cell = LSTMState(call["h0"], call["c0"]) if isinstance(layer.recurrent, LSTM) else call["h0"]
    memory = layer.attention.remember(call["values"], lengths)
    return layer(call["x"], memory, AttentiveState(cell, call["feed"], call["covered"]))


def everything(layer: AttentiveLayer, call: dict, lengths: torch.Tensor) -> list[torch.Tensor]:
    """All results of a call, and the gradients of a sum of them."""
    found = run(layer, call, lengths)
    cell = found.state.cell
    parts = list(cell) if isinstance(cell, LSTMState) else [cell]
    outputs = [found.output, found.weights, found.state.covered, *parts]
    torch.manual_seed(3)
    total = sum((each * torch.randn(each.shape).to(each.dtype)).sum() for each in outputs)
    sources = [*call.values(), *layer.parameters()]
    gradients = torch.autograd.grad(total, sources, allow_unused=True)
    filled = [
        torch.zeros_like(source) if each is None else each
        for source, each in zip(sources, gradients, strict=True)
    ]
    return [each.detach() for each in (*outputs, *filled)]


@pytest.mark.needs_native
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("scoring", "coverage"), SCORES)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    "sizes",
    [
        {"H": 12, "F_": 9, "I": 5, "V": 10, "K": 7},
        {"H": 33, "F_": 17, "I": 4, "V": 40, "K": 16},
        {"H": 1, "F_": 1, "I": 1, "V": 1, "K": 1},
    ],
    ids=["odd", "larger", "ones"],
)
@pytest.mark.parametrize("shape", [(4, 1, 5, 6), (3, 4, 1, 7), (1, 1, 3, 1)], ids=["rows", "beam", "one"])
def test_the_kernels_agree_with_the_equation_in_float64(cell, scoring, coverage, sizes, shape, threads):
    layer = a_layer(cell, scoring, coverage, **sizes)
    B, k, T, S = shape
    lengths = lengths_of(B, S)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        layer.backend = "native"
        found = everything(layer, a_call(layer, B=B, k=k, T=T, S=S, dtype=torch.float32), lengths)
        assert layer.backend_used == "native"
        layer.double().backend = "reference"
        exact = everything(layer, a_call(layer, B=B, k=k, T=T, S=S, dtype=torch.float64), lengths)
    finally:
        torch.set_num_threads(before)
    for number, (each, wanted) in enumerate(zip(found, exact, strict=True)):
        allowed = 1e-4 * max(float(wanted.abs().max()), 1e-2)
        assert float((each.double() - wanted).abs().max()) <= allowed, number


@pytest.mark.parametrize(("scoring", "coverage"), SCORES)
@pytest.mark.parametrize("cell", CELLS)
def test_the_equation_has_the_gradients_of_finite_differences(cell, scoring, coverage):
    layer = a_layer(cell, scoring, coverage, H=3, F_=2, I=2, V=4, K=3).double()
    call = a_call(layer, B=2, k=2, T=3, S=3, dtype=torch.float64)
    lengths = torch.tensor([3, 2])

    def outputs(*given):
        found = run(layer, dict(zip(call, given, strict=True)), lengths)
        return found.output, found.weights, found.state.covered

    layer.backend = "reference"
    assert torch.autograd.gradcheck(outputs, tuple(call.values()))


@pytest.mark.parametrize("backend", BACKENDS)
def test_rows_that_share_an_input_read_it_each(backend):
    layer = a_layer("gru", "general")
    layer.backend = backend
    call = a_call(layer, B=2, k=2, T=2, S=3, dtype=torch.float32)
    shared, lengths = torch.tensor([1, 0, 1, 1]), torch.tensor([3, 2])
    memory = layer.attention.remember(call["values"], lengths)
    state = AttentiveState(call["h0"], call["feed"], call["covered"])
    found = layer(call["x"][:2], memory, state, shared)
    wanted = layer(call["x"][:2][shared], memory, state)
    assert torch.allclose(found.output, wanted.output, atol=1e-6)
    (one,) = torch.autograd.grad(found.output.sum(), call["x"])
    (other,) = torch.autograd.grad(wanted.output.sum(), call["x"])
    assert torch.allclose(one, other, atol=1e-5)
    with pytest.raises(ShapeError, match="x: got 3 rows"):
        layer(call["x"][:2], memory, state, shared[:3])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_it_is_torchs_cell_with_luongs_attention(cell, backend):
    layer = a_layer(cell, "general")
    layer.backend = backend
    H, E, B, T, S = 12, 5, 3, 4, 6
    twin = {"gru": nn.GRUCell, "lstm": nn.LSTMCell}[cell](E + layer.feed_size, H)
    own = {name.removesuffix("_l0"): each for name, each in layer.recurrent.state_dict().items()}
    twin.load_state_dict(own)
    call = a_call(layer, B=B, k=1, T=T, S=S, dtype=torch.float32)
    found = run(layer, call, torch.tensor([6, 4, 2]))
    state = call["h0"][0] if cell == "gru" else (call["h0"][0], call["c0"][0])
    feed, values = call["feed"], call["values"]
    bias = torch.where(torch.arange(S) < torch.tensor([[6], [4], [2]]), 0.0, -torch.inf)
    for t in range(T):
        state = twin(torch.cat([call["x"][:, t], feed], dim=1), state)
        h = state if cell == "gru" else state[0]
        # torch's attention computes the product and the softmax.
        query = (h @ layer.attention.value.weight).unsqueeze(1)
        context = F.scaled_dot_product_attention(
            query, values, values, attn_mask=bias.unsqueeze(1), scale=1.0
        ).squeeze(1)
        feed = torch.tanh(layer.combine(torch.cat([h, context], dim=1)))
        assert torch.allclose(found.output[:, t], feed, atol=2e-6)


@pytest.mark.needs_native
@settings(max_examples=40, deadline=None)
@given(
    T=st.integers(1, 7),
    cut=st.integers(0, 7),
    cell=st.sampled_from(list(CELLS)),
    scoring=st.sampled_from(SCORES),
    backend=st.sampled_from(["native", "reference"]),
)
def test_steps_one_by_one_are_all_steps_at_once(T, cut, cell, scoring, backend):
    layer = a_layer(cell, *scoring).eval()
    layer.backend = backend
    call = a_call(layer, B=2, k=3, T=T, S=4, dtype=torch.float32)
    lengths = torch.tensor([4, 2])
    whole = run(layer, call, lengths)
    memory = layer.attention.remember(call["values"], lengths)
    first = dict(call, x=call["x"][:, : min(cut, T)])
    with torch.no_grad():
        before = run(layer, first, lengths) if first["x"].shape[1] else None
        if before is None:
            return
        outputs = [before.output]
        state = before.state
        for t in range(min(cut, T), T):
            found = layer(call["x"][:, t : t + 1], memory, state)
            outputs.append(found.output)
            state = found.state
    assert torch.allclose(torch.cat(outputs, dim=1), whole.output, atol=2e-5)
    assert torch.allclose(state.covered, whole.state.covered, atol=2e-5)


@pytest.mark.needs_native
def test_what_is_in_the_padding_reaches_nothing():
    layer = a_layer("gru", "additive")
    lengths = torch.tensor([2, 4, 0])
    call = a_call(layer, B=3, k=1, T=3, S=4, dtype=torch.float32)
    clean = everything(layer, call, lengths)
    spoilt = dict(call)
    values = call["values"].detach().clone()
    values[0, 2:], values[2] = 1e4, -1e4
    spoilt["values"] = values.requires_grad_()
    for each, other in zip(clean, everything(layer, spoilt, lengths), strict=True):
        assert torch.equal(each, other)


@pytest.mark.needs_native
def test_packed_weights_follow_the_weights():
    layer = a_layer("gru", "general").eval()
    call = a_call(layer, B=2, k=1, T=2, S=3, dtype=torch.float32)
    lengths = torch.tensor([3, 3])
    with torch.no_grad():
        first = run(layer, call, lengths).output
        layer.combine.weight.mul_(0.5)
        second = run(layer, call, lengths).output
        layer.backend = "reference"
        assert torch.allclose(second, run(layer, call, lengths).output, atol=2e-6)
    assert not torch.allclose(first, second)


def test_what_cannot_be_is_named():
    attention = Attention(4, 6, "general")
    with pytest.raises(ConfigError, match="needs one forward layer"):
        AttentiveLayer(GRU(8, 4, 2), attention, 3)
    with pytest.raises(ConfigError, match="the query size is 4, but the layer's output size is 5"):
        AttentiveLayer(GRU(8, 5), attention, 3)
    with pytest.raises(ConfigError, match="backend: got 'torch'"):
        AttentiveLayer(GRU(8, 4), attention, 3, backend="torch")
    layer = AttentiveLayer(GRU(8, 4, reset="before"), attention, 3, backend="native")
    memory = attention.remember(torch.randn(2, 3, 6), torch.tensor([3, 2]))
    state = layer.initial_state(torch.zeros(1, 2, 4), memory)
    why = "plain cells only" if native.available() else "use 'auto'"
    with pytest.raises(BackendUnavailable, match=why):
        layer(torch.randn(2, 1, 5), memory, state)
    with pytest.raises(ShapeError, match="x: got shape"):
        layer(torch.randn(2, 1, 6), memory, state)
    with pytest.raises(ShapeError, match="x: got 3 rows"):
        layer(torch.randn(3, 1, 5), memory, state)
