"""The options of a stack, against stacks built by hand from torch.nn's layers."""

import pytest
import torch
from paired_layers import assert_same, everything, random_state
from torch import nn

from recurra.layers import GRU, LSTM, RNN, JordanRNN, map_state

KINDS = {"rnn": (RNN, nn.RNN), "gru": (GRU, nn.GRU), "lstm": (LSTM, nn.LSTM)}
every_kind = pytest.mark.parametrize("kind", KINDS)
every_backend = pytest.mark.parametrize("backend", ["torch", "reference"])
DOUBLE = {"dtype": torch.float64}
T, B, INPUT, HIDDEN = 5, 3, 4, 4


class ByHand(nn.Module):
    """torch.nn layers of one direction, combined by `skip` and `merge`; parameter names as in ours."""

    def __init__(self, oracle, layer):
        super().__init__()
        self.skip, self.merge, self.layers = layer.skip, layer.merge, layer.num_layers
        self.ways = layer.num_directions
        self.cells = nn.ModuleDict()
        for number in range(layer.num_layers):
            for suffix in ("", "_reverse")[: self.ways]:
                width = getattr(layer, f"weight_ih_l{number}{suffix}").shape[1]
                cell = oracle(width, layer.hidden_size, **DOUBLE)
                for name, _ in list(cell.named_parameters()):
                    ours = getattr(layer, name.removesuffix("_l0") + f"_l{number}{suffix}")
                    setattr(cell, name, ours)
                self.cells[f"l{number}{suffix}"] = cell
        self.ours = [layer]

    def named_parameters(self):
        return self.ours[0].named_parameters()

    def forward(self, x, state):
        given, outputs, finals = x, [], []
        state = [state] if isinstance(state, torch.Tensor) else state
        for number in range(self.layers):
            entering = torch.cat([x, given], dim=-1) if number and self.skip == "graves" else x
            joined = []
            for way in range(self.ways):
                start = [part[[number * self.ways + way]] for part in state]
                cell = self.cells[f"l{number}{('', '_reverse')[way]}"]
                turned = entering.flip(0) if way else entering
                output, final = cell(turned, start[0] if len(start) == 1 else tuple(start))
                joined.append(output.flip(0) if way else output)
                finals.append(final)
            if self.merge == "concat":
                merged = torch.cat(joined, dim=-1)
            else:
                merged = sum(joined) / (len(joined) if self.merge == "mean" else 1)
            x = x + merged if self.skip == "residual" and x.shape == merged.shape else merged
            outputs.append(x)
        output = torch.cat(outputs, dim=-1) if self.skip == "graves" else x
        if isinstance(finals[0], torch.Tensor):
            return output, torch.cat(finals)
        return output, tuple(torch.cat(parts) for parts in zip(*finals, strict=True))


@pytest.mark.filterwarnings("ignore:merge")
@every_backend
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("merge", ["concat", "sum", "mean"])
@pytest.mark.parametrize("skip", ["none", "residual", "graves"])
@every_kind
def test_skips_and_merges(kind, skip, merge, bidirectional, backend):
    torch.manual_seed(0)
    ours, oracle = KINDS[kind]
    layer = ours(
        INPUT, HIDDEN, 3, bidirectional=bidirectional, skip=skip, merge=merge, backend=backend, **DOUBLE
    )
    state = random_state(layer, B)
    x = torch.randn(T, B, INPUT, requires_grad=True, **DOUBLE)
    got = everything(layer, x, state)
    assert_same(got, everything(ByHand(oracle, layer), x, state))
    assert got["output"].shape[-1] == layer.output_size
    assert layer.backend_used == backend


def test_graves_by_the_formula():
    """h_t^n from x_t, h_t^{n-1} and h_{t-1}^n; a linear layer after it computes Σ_n W_n h_t^n."""
    torch.manual_seed(0)
    layer = RNN(2, 3, num_layers=2, skip="graves", **DOUBLE)
    head, x = nn.Linear(6, 1, **DOUBLE), torch.randn(T, B, 2, **DOUBLE)
    got = head(layer(x)[0])
    h1 = h2 = torch.zeros(B, 3, **DOUBLE)
    from_below, from_input = layer.weight_ih_l1.split([3, 2], dim=1)
    for t in range(T):
        h1 = torch.tanh(
            x[t] @ layer.weight_ih_l0.T + h1 @ layer.weight_hh_l0.T + layer.bias_ih_l0 + layer.bias_hh_l0
        )
        h2 = torch.tanh(
            x[t] @ from_input.T
            + h1 @ from_below.T
            + h2 @ layer.weight_hh_l1.T
            + layer.bias_ih_l1
            + layer.bias_hh_l1
        )
        w1, w2 = head.weight.split(3, dim=1)
        torch.testing.assert_close(got[t], h1 @ w1.T + h2 @ w2.T + head.bias)


def by_cell(layer, x, zoned):
    """Steps of torch's cell; each state is mixed with the previous one by `zoned(part, old, new)`."""
    cell = (nn.LSTMCell if isinstance(layer, LSTM) else nn.GRUCell)(INPUT, HIDDEN, **DOUBLE)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    state = [torch.zeros(B, HIDDEN, **DOUBLE)] * (2 if isinstance(layer, LSTM) else 1)
    outputs = []
    for t in range(len(x)):
        stepped = cell(x[t], tuple(state) if len(state) == 2 else state[0])
        stepped = [stepped] if len(state) == 1 else stepped
        state = [zoned(part, t, old, new) for part, (old, new) in enumerate(zip(state, stepped, strict=True))]
        outputs.append(state[0])
    return torch.stack(outputs)


@pytest.mark.parametrize("kind", [GRU, LSTM])
def test_zoneout_in_evaluation_is_the_expectation(kind):
    torch.manual_seed(0)
    share = (0.3, 0.6) if kind is LSTM else (0.3,)
    layer = kind(INPUT, HIDDEN, zoneout=share if kind is LSTM else 0.3, **DOUBLE).eval()
    x = torch.randn(T, B, INPUT, **DOUBLE)
    want = by_cell(layer, x, lambda part, t, old, new: share[part] * old + (1 - share[part]) * new)
    torch.testing.assert_close(layer(x)[0], want)


@pytest.mark.parametrize("zoneout", [0.0, (0.0, 0.0)])
def test_zoneout_of_nothing_changes_nothing(zoneout):
    torch.manual_seed(0)
    layer, plain = LSTM(INPUT, HIDDEN, zoneout=zoneout), LSTM(INPUT, HIDDEN)
    layer.load_state_dict(plain.state_dict())
    x = torch.randn(T, B, INPUT)
    assert torch.equal(layer(x)[0], plain(x)[0])


def test_zoneout_of_everything_keeps_the_state():
    layer = GRU(INPUT, HIDDEN, zoneout=1.0)
    start = torch.randn(1, B, HIDDEN)
    output, final = layer(torch.randn(T, B, INPUT), start)
    torch.testing.assert_close(output, start.expand(T, -1, -1))
    torch.testing.assert_close(final, start)


def test_zoneout_in_training_keeps_or_steps():
    """Each number is the old one or the cell's; p is the share kept, separately for hidden and cell state."""
    torch.manual_seed(0)
    rows, width = 40, 50
    layer = LSTM(INPUT, width, zoneout=(0.2, 0.7), **DOUBLE)
    x, start = torch.randn(6, rows, INPUT, **DOUBLE), map_state(torch.randn_like, layer.initial_state(rows))
    _, _, every = layer(x, start, every_state=True)
    cell = nn.LSTMCell(INPUT, width, **DOUBLE)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    kept = [[], []]
    before = [part[0] for part in start]
    for t in range(6):
        stepped = cell(x[t], tuple(before))
        after = [part[0, t] for part in every]
        for part in range(2):
            stays = after[part] == before[part]
            torch.testing.assert_close(after[part][~stays], stepped[part][~stays])
            kept[part].append(stays)
        before = after
    for part, share in enumerate((0.2, 0.7)):
        stays = torch.stack(kept[part]).double()
        assert abs(stays.mean() - share) < 0.02
        assert stays.std(dim=0).any(dim=1).all()  # a new draw at each step
    assert (torch.stack(kept[0]) != torch.stack(kept[1])).any()


@every_backend
def test_weight_drop_is_a_run_with_dropped_weights(backend):
    torch.manual_seed(0)
    layer = GRU(INPUT, 30, num_layers=2, weight_drop=0.4, backend=backend, **DOUBLE)
    plain = GRU(INPUT, 30, num_layers=2, **DOUBLE)
    x = torch.randn(T, B, INPUT, **DOUBLE)
    torch.manual_seed(5)
    output, _ = layer(x)
    output.sum().backward()
    torch.manual_seed(5)
    dropped = {
        name: nn.functional.dropout(value.detach(), 0.4) if name.startswith("weight_hh") else value.detach()
        for name, value in layer.named_parameters()
    }
    plain.load_state_dict(dropped)
    want, _ = plain(x)
    want.sum().backward()
    torch.testing.assert_close(output, want)
    for number in range(2):
        zero = dropped[f"weight_hh_l{number}"] == 0
        assert 0.3 < zero.double().mean() < 0.5
        got = getattr(layer, f"weight_hh_l{number}").grad
        assert not got[zero].any()
        torch.testing.assert_close(got, getattr(plain, f"weight_hh_l{number}").grad * ~zero / 0.6)
    plain.load_state_dict(layer.state_dict())
    torch.testing.assert_close(layer.eval()(x)[0], plain(x)[0])


@pytest.mark.parametrize("lengths", [None, [5, 0, 2, 4]])
@every_backend
def test_a_variational_mask_is_one_for_all_steps_of_a_row(backend, lengths):
    """Layer 1 passes x on and layer 2 has the identity as input weights, so the output shows the mask."""
    torch.manual_seed(0)
    width = 200
    layer = RNN(1, width, 2, "relu", variational_dropout=0.3, bias=False, backend=backend, **DOUBLE)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.zero_()
        layer.weight_ih_l0.fill_(1.0)  # h¹ = x at each step
        layer.weight_ih_l1.copy_(torch.eye(width))  # h² = mask * h¹
    output, _ = layer(torch.ones(5, 4, 1, **DOUBLE), lengths=lengths)
    masks = []
    for row, steps in enumerate(lengths or [5] * 4):
        assert (output[:steps, row] == output[:1, row]).all()
        if steps:
            masks.append(output[0, row])
    masks = torch.stack(masks)
    assert set(masks.unique().tolist()) == {0.0, 1 / 0.7}
    assert abs((masks == 0).double().mean() - 0.3) < 0.06
    assert (masks[0] != masks[1]).any()
    assert (layer.eval()(torch.ones(5, 4, 1, **DOUBLE))[0] == 1).all()


def test_residual_dropout_leaves_the_way_past_a_layer_whole():
    layer = RNN(3, 3, 2, "relu", skip="residual", dropout=1.0, bias=False, **DOUBLE)
    alone = RNN(3, 3, 1, "relu", skip="residual", bias=False, **DOUBLE)
    alone.load_state_dict({name: layer.state_dict()[name] for name in alone.state_dict()})
    x = torch.randn(T, B, 3, **DOUBLE)
    torch.testing.assert_close(layer(x)[0], alone(x)[0])


@pytest.mark.parametrize("kind", [GRU, LSTM])
@pytest.mark.parametrize("lengths", [None, [5, 0, 2]])
def test_a_learnt_initial_state_is_a_state_handed_in(kind, lengths):
    torch.manual_seed(0)
    layer = kind(INPUT, HIDDEN, 2, bidirectional=True, learn_initial_state=True, **DOUBLE)
    plain = kind(INPUT, HIDDEN, 2, bidirectional=True, **DOUBLE)
    starts = [value for name, value in layer.named_parameters() if name.startswith("initial")]
    assert not any(start.any() for start in starts)
    for start in starts:
        nn.init.normal_(start)
    plain.load_state_dict({name: layer.state_dict()[name] for name in plain.state_dict()})
    x = torch.randn(T, B, INPUT, **DOUBLE)
    handed = [start.detach().unsqueeze(1).repeat(1, B, 1).requires_grad_() for start in starts]
    got, got_final = layer(x, lengths=lengths)
    want, want_final = plain(x, handed[0] if len(handed) == 1 else tuple(handed), lengths)
    torch.testing.assert_close(got, want)
    torch.testing.assert_close(got_final, want_final)
    (got * x.sum()).sum().backward()
    (want * x.sum()).sum().backward()
    for start, given in zip(starts, handed, strict=True):
        torch.testing.assert_close(start.grad, given.grad.sum(dim=1))
    zeros = map_state(torch.zeros_like, want_final)
    torch.testing.assert_close(layer(x, zeros, lengths)[0], plain(x, None, lengths)[0])


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("lengths", [None, [2, 5, 0]])
@pytest.mark.parametrize("g2", ["identity", "tanh", "sigmoid", "softmax"])
def test_a_jordan_network_teaches_itself_its_own_outputs(g2, lengths, batch_first):
    torch.manual_seed(0)
    layer = JordanRNN(INPUT, HIDDEN, 2, output_activation=g2, batch_first=batch_first, **DOUBLE)
    shape = (B, T) if batch_first else (T, B)
    x, start = torch.randn(*shape, INPUT, **DOUBLE), torch.randn(1, B, 2, **DOUBLE)
    output, final = layer(x, start, lengths)
    targets = output.detach().clone()
    if lengths:
        for row, steps in enumerate(lengths):
            (targets if batch_first else targets.transpose(0, 1))[row, steps:] = float("nan")
    got, got_final, every = layer(x, start, lengths, targets, every_state=True)
    torch.testing.assert_close(got, output)
    torch.testing.assert_close(got_final, final)
    torch.testing.assert_close(every[0], output.transpose(0, 1) if batch_first else output)


def test_a_jordan_network_by_the_formula():
    torch.manual_seed(0)
    layer = JordanRNN(INPUT, HIDDEN, 2, "sigmoid", "tanh", **DOUBLE)
    x, targets = torch.randn(T, B, INPUT, **DOUBLE), torch.randn(T, B, 2, **DOUBLE)
    for given in (None, targets):
        output, final = layer(x, targets=given)
        y = torch.zeros(B, 2, **DOUBLE)
        for t in range(T):
            h = torch.sigmoid(
                x[t] @ layer.weight_ih_l0.T + layer.bias_ih_l0 + y @ layer.weight_hh_l0.T + layer.bias_hh_l0
            )
            y = torch.tanh(h @ layer.weight_ho_l0.T + layer.bias_ho_l0)
            torch.testing.assert_close(output[t], y)
            y = y if given is None else given[t]
        torch.testing.assert_close(final[0], y)
