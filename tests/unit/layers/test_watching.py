"""The recorded internals of a layer in use, against formulas, step by step."""

import itertools

import pytest
import torch
from torch import nn

import recurra as rc
from recurra.cells import LSTMState
from recurra.errors import ConfigError
from recurra.layers import run_with_resets
from recurra.layers.attention import Attention
from recurra.layers.attentive import AttentiveLayer

T, B, INPUT, HIDDEN = 6, 3, 4, 5
LENGTHS = torch.tensor([6, 2, 4])


def by_hand(kind: str, x: torch.Tensor, state: list[torch.Tensor], weights: list[torch.Tensor]):
    """One step of torch.nn's equations: the gates by name, and the new state."""
    w_ih, w_hh, b_ih, b_hh = weights
    of_x, of_h = x @ w_ih.T + b_ih, state[0] @ w_hh.T + b_hh
    if kind == "LSTM":
        i, f, g, o = (of_x + of_h).chunk(4, -1)
        gates = {
            "input_gate": i.sigmoid(),
            "forget_gate": f.sigmoid(),
            "candidate": g.tanh(),
            "output_gate": o.sigmoid(),
        }
        cell = gates["forget_gate"] * state[1] + gates["input_gate"] * gates["candidate"]
        return gates, [gates["output_gate"] * cell.tanh(), cell]
    if kind == "GRU":
        (r_x, z_x, n_x), (r_h, z_h, n_h) = of_x.chunk(3, -1), of_h.chunk(3, -1)
        r, z = (r_x + r_h).sigmoid(), (z_x + z_h).sigmoid()
        n = (n_x + r * n_h).tanh()
        return {"reset_gate": r, "update_gate": z, "candidate": n}, [(1 - z) * n + z * state[0]]
    new = (of_x + of_h).tanh()
    return {"candidate": new}, [new]


def oracle(kind, layer, x, start, lengths, resets):
    """Gates by name, (L*D, T, B, H), computed by loops over layers, directions, rows and steps."""
    directions = 2 if layer.bidirectional else 1
    found: dict[str, torch.Tensor] = {}
    entering = x
    for number in range(layer.num_layers):
        outputs = []
        for direction in range(directions):
            place = number * directions + direction
            suffix = f"_l{number}{'_reverse' if direction else ''}"
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            weights = [getattr(layer, name + suffix) for name in names]
            output = torch.zeros(T, B, HIDDEN)
            for b in range(B):
                begins = [0, *(t for t in range(1, lengths[b]) if resets[t, b]), int(lengths[b])]
                for low, high in itertools.pairwise(begins):
                    anew = low > 0 or bool(resets[0, b])
                    state = [torch.zeros(HIDDEN) if anew else part[place, b] for part in start]
                    steps = range(low, high) if not direction else range(high - 1, low - 1, -1)
                    for t in steps:
                        gates, state = by_hand(kind, entering[t, b], state, weights)
                        output[t, b] = state[0]
                        for name, gate in gates.items():
                            shape = (layer.num_layers * directions, T, B, HIDDEN)
                            found.setdefault(name, torch.zeros(shape))[place, t, b] = gate
            outputs.append(output)
        merged = torch.cat(outputs, -1)
        residual = layer.skip == "residual" and merged.shape[-1] == entering.shape[-1]
        entering = merged + entering if residual else merged
    return found


class Network(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.recurrent = layer

    def forward(self, *given, **named):
        return self.recurrent(*given, **named)


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_layers": 2, "bidirectional": True},
        {"num_layers": 3, "skip": "residual", "batch_first": True},
    ],
    ids=["one", "both ways", "residual"],
)
@pytest.mark.parametrize("cut", [False, True], ids=["whole", "resets"])
def test_gates_are_those_of_the_equations(kind, options, cut):
    if cut and options.get("bidirectional"):
        pytest.skip("a layer of both directions has no resets")
    torch.manual_seed(1)
    network = Network(getattr(rc, kind)(INPUT, HIDDEN, **options))
    layer = network.recurrent
    x = torch.randn(T, B, INPUT)
    count = layer.num_layers * (2 if layer.bidirectional else 1)
    start = [torch.randn(count, B, HIDDEN) for _ in range(2 if kind == "LSTM" else 1)]
    hx = LSTMState(*start) if kind == "LSTM" else start[0]
    resets = torch.zeros(T, B, dtype=torch.bool)
    if cut:
        resets[3, 0] = resets[4, 0] = resets[0, 1] = resets[2, 2] = True
    given = x.transpose(0, 1) if layer.batch_first else x
    with rc.watch(network) as seen, torch.no_grad():
        if cut:
            marks = resets.t() if layer.batch_first else resets
            plain = run_with_resets(layer, given, hx, marks, LENGTHS)
        else:
            plain = network(given, hx, lengths=LENGTHS)
    (call,) = seen["recurrent"]
    expected = oracle(kind, layer, x, start, LENGTHS, resets)
    assert call.gates.keys() == expected.keys()
    for name, gate in expected.items():
        torch.testing.assert_close(call.gates[name], gate, msg=lambda text, name=name: f"{name}: {text}")
    hidden = call.states.hidden if kind == "LSTM" else call.states
    own = hidden[-count // layer.num_layers :].transpose(0, 1).flatten(0, 0)
    last = torch.cat(list(own.transpose(0, 1)), dim=-1)
    if layer.skip == "none":
        torch.testing.assert_close(last, plain[0])
    assert not layer.watchers
    assert not layer._forward_pre_hooks


@pytest.mark.parametrize(
    "options",
    [
        {"peepholes": True},
        {"peepholes": "previous"},
        {"coupled_gates": True},
        {"relevance_gate": True},
        {"layer_norm": True},
    ],
    ids=str,
)
def test_gates_of_every_variant_make_the_memory(options):
    torch.manual_seed(2)
    layer = rc.LSTM(INPUT, HIDDEN, **options)
    with rc.watch(layer) as seen:
        layer(torch.randn(T, B, INPUT))
    (call,) = seen[""]
    gates, cells = call.gates, call.states.cell
    before = torch.cat([torch.zeros(1, 1, B, HIDDEN), cells[:, :-1]], dim=1)
    torch.testing.assert_close(
        gates["forget_gate"] * before + gates["input_gate"] * gates["candidate"], cells
    )
    assert ("relevance_gate" in gates) == ("relevance_gate" in options)
    if options.get("coupled_gates"):
        torch.testing.assert_close(gates["input_gate"], 1 - gates["forget_gate"])


@pytest.mark.parametrize("reset", ["after", "before", "none"])
def test_gates_of_every_gru_make_its_state(reset):
    torch.manual_seed(3)
    layer = rc.GRU(INPUT, HIDDEN, reset=reset)
    with rc.watch(layer) as seen:
        layer(torch.randn(T, B, INPUT))
    (call,) = seen[""]
    z, n = call.gates["update_gate"], call.gates["candidate"]
    torch.testing.assert_close((1 - z) * n + z * call.states_before, call.states)
    assert ("reset_gate" in call.gates) == (reset != "none")


def test_a_jordan_network_has_its_candidate():
    torch.manual_seed(4)
    layer = rc.JordanRNN(INPUT, HIDDEN, 2)
    with rc.watch(layer) as seen:
        output, _ = layer(torch.randn(T, B, INPUT))
    hidden = seen[""][0].gates["candidate"][0]
    torch.testing.assert_close(hidden @ layer.weight_ho_l0.T + layer.bias_ho_l0, output)
    with pytest.raises(ConfigError, match="cannot be watched with targets"), rc.watch(layer):
        layer(torch.randn(T, B, INPUT), targets=torch.randn(T, B, 2))


def test_inputs_of_every_form_are_seen_alike():
    torch.manual_seed(5)
    layer = rc.GRU(INPUT, HIDDEN)
    x = torch.randn(T, B, INPUT)
    packed = nn.utils.rnn.pack_padded_sequence(x, LENGTHS, enforce_sorted=False)
    with rc.watch(layer) as seen:
        layer(x, lengths=LENGTHS)
        layer(packed)
        for b, length in enumerate(LENGTHS):
            layer(x[:length, b])
    padded, of_packed, *alone = (call.gates["update_gate"] for call in seen[""])
    torch.testing.assert_close(padded, of_packed)
    for b, length in enumerate(LENGTHS):
        torch.testing.assert_close(alone[b][:, :, 0], padded[:, :length, b])


def test_a_stateful_layer_is_seen_from_where_it_goes_on():
    torch.manual_seed(6)
    layer, x = rc.LSTM(INPUT, HIDDEN, stateful=True), torch.randn(T, B, INPUT)
    whole = rc.LSTM(INPUT, HIDDEN)
    whole.load_state_dict(layer.state_dict())
    with rc.watch(layer) as seen, rc.watch(whole) as seen_whole:
        layer(x[:2])
        layer(x[2:])
        whole(x)
    parts = torch.cat([call.gates["forget_gate"] for call in seen[""]], dim=1)
    torch.testing.assert_close(parts, seen_whole[""][0].gates["forget_gate"])


def test_what_cannot_be_watched_is_said():
    with pytest.raises(ConfigError, match="has no recurrent layer"), rc.watch(nn.Linear(2, 2)):
        pass
    layer = rc.LSTM(INPUT, HIDDEN, num_layers=2, dropout=0.5)
    with rc.watch(layer), pytest.raises(ConfigError, match=r"call network\.eval\(\) first"):
        layer(torch.randn(T, B, INPUT))
    layer.eval()
    with rc.watch(layer) as seen:
        layer(torch.randn(T, B, INPUT))
    assert seen[""][0].gates["forget_gate"].shape == (2, T, B, HIDDEN)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("backend", ["auto", "reference"])
def test_a_decoder_with_attention_is_seen_with_what_it_is_fed(kind, backend):
    """Step t reads [x_t; f_(t-1)], with f the output; two rows of states share a memory."""
    torch.manual_seed(1)
    steps, rows, memory_size, feed = 4, 4, 3, 2
    recurrent = getattr(rc, kind)(INPUT + feed, HIDDEN)
    attention = Attention(HIDDEN, memory_size, "general", size=HIDDEN)
    layer = AttentiveLayer(recurrent, attention, feed, backend=backend).eval()
    memory = attention.remember(torch.randn(2, 6, memory_size), torch.tensor([6, 3]))
    start = tuple(torch.randn(1, rows, HIDDEN) for _ in range(2 if kind == "LSTM" else 1))
    cell = LSTMState(*start) if kind == "LSTM" else start[0]
    x, shared = torch.randn(2, steps, INPUT), torch.tensor([0, 1, 1, 0])
    with torch.no_grad(), rc.watch(layer) as seen:
        found = layer(x, memory, layer.initial_state(cell, memory), shared)
    (call,) = seen["recurrent"]
    weights = [getattr(recurrent, f"{name}_l0") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    state, fed = [part[0] for part in start], torch.zeros(rows, feed)
    with torch.no_grad():
        for t in range(steps):
            gates, state = by_hand(kind, torch.cat([x[shared, t], fed], 1), state, weights)
            for name, gate in gates.items():
                torch.testing.assert_close(call.gates[name][0, t], gate)
            fed = found.output[:, t]
    last = found.state.cell if kind != "LSTM" else found.state.cell.hidden
    torch.testing.assert_close(last[0], state[0], rtol=1e-5, atol=1e-6)
