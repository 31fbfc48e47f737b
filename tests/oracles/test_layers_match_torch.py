"""Our layers against torch.nn's: outputs, final states and all gradients, for all combinations of options."""

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from paired_layers import CELLS, INPUT, assert_same, everything, paired_layers, random_state
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

BACKENDS = ["torch", "reference"]
T, B = 4, 3


def an_input(form, batch_first):
    if form == "unbatched":
        return torch.randn(T, INPUT, dtype=torch.float64, requires_grad=True)
    x = torch.randn(*((B, T) if batch_first else (T, B)), INPUT, dtype=torch.float64, requires_grad=True)
    if form == "batched":
        return x
    lengths = [4, 2, 1] if form == "packed" else [2, 4, 1]
    return pack_padded_sequence(x, lengths, batch_first=batch_first, enforce_sorted=form == "packed")


@pytest.mark.parametrize("form", ["batched", "unbatched", "packed", "packed unsorted"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("cell", CELLS)
def test_layer_matches_torch(cell, num_layers, bidirectional, backend, form):
    torch.manual_seed(0)
    for bias, batch_first, with_state in product([True, False], repeat=3):
        layer, oracle = paired_layers(
            cell,
            backend,
            num_layers=num_layers,
            bidirectional=bidirectional,
            bias=bias,
            batch_first=batch_first,
        )
        state = random_state(layer, B) if with_state else None
        if with_state and form == "unbatched":
            parts = [part[:, 0].detach().requires_grad_() for part in ([state] if cell[0] != "l" else state)]
            state = parts[0] if len(parts) == 1 else tuple(parts)
        x = an_input(form, batch_first)
        try:
            assert_same(everything(layer, x, state), everything(oracle, x, state), exactly=backend == "torch")
        except AssertionError as error:
            error.add_note(f"bias={bias}, batch_first={batch_first}, with_state={with_state}")
            raise
        assert layer.backend_used == backend


@settings(max_examples=40, deadline=None)
@given(
    cell=st.sampled_from(sorted(CELLS)),
    backend=st.sampled_from(BACKENDS),
    num_layers=st.integers(1, 3),
    bidirectional=st.booleans(),
    bias=st.booleans(),
    batch_first=st.booleans(),
    with_state=st.booleans(),
    input_size=st.integers(1, 6),
    hidden_size=st.integers(4, 9),
    lengths=st.lists(st.integers(0, 6), min_size=1, max_size=5),
    extra_steps=st.integers(0, 2),
    seed=st.integers(0, 2**31),
)
def test_lengths_match_torch_on_each_row_alone(
    cell,
    backend,
    num_layers,
    bidirectional,
    bias,
    batch_first,
    with_state,
    input_size,
    hidden_size,
    lengths,
    extra_steps,
    seed,
):
    torch.manual_seed(seed)
    layer, oracle = paired_layers(
        cell,
        backend,
        input_size,
        hidden_size,
        num_layers=num_layers,
        bidirectional=bidirectional,
        bias=bias,
        batch_first=batch_first,
    )
    steps, rows = max(lengths) + extra_steps, len(lengths)
    x = torch.randn(*((rows, steps) if batch_first else (steps, rows)), input_size, dtype=torch.float64)
    x.requires_grad_()
    state = random_state(layer, rows) if with_state else None
    got = everything(layer, x, state, lengths=torch.tensor(lengths))
    assert_same(got, everything(RowByRow(oracle, layer, lengths), x, state))


class RowByRow(torch.nn.Module):
    """The reference for `lengths=`: torch.nn's layer runs on each row separately, without padding."""

    def __init__(self, oracle, layer, lengths):
        super().__init__()
        self.oracle, self.zeros, self.lengths = oracle, layer.initial_state(len(lengths)), lengths
        self.width = layer.output_size

    def named_parameters(self):
        return self.oracle.named_parameters()

    def forward(self, x, state):
        state = self.zeros if state is None else state
        state = [state] if isinstance(state, torch.Tensor) else list(state)
        steps_first = x.transpose(0, 1) if self.oracle.batch_first else x
        steps, rows, _ = steps_first.shape
        output = x.new_zeros(steps, rows, self.width)
        finals = [part.clone() for part in state]
        for row, length in enumerate(self.lengths):
            if length == 0:
                continue
            start = [part[:, row] for part in state]
            alone, end = self.oracle(steps_first[:length, row], start[0] if len(start) == 1 else tuple(start))
            output[:length, row] = alone
            for final, part in zip(finals, [end] if isinstance(end, torch.Tensor) else end, strict=True):
                final[:, row] = part
        output = output.transpose(0, 1) if self.oracle.batch_first else output
        return output, finals[0] if len(finals) == 1 else tuple(finals)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_dropout_masks_are_torchs(cell, bidirectional, packed):
    torch.manual_seed(0)
    x = an_input("packed" if packed else "batched", batch_first=True)
    for backend in ["torch"] if packed else BACKENDS:
        layer, oracle = paired_layers(
            cell, backend, num_layers=3, dropout=0.4, bidirectional=bidirectional, batch_first=True
        )
        torch.manual_seed(7)
        got = everything(layer, x)
        torch.manual_seed(7)
        want = everything(oracle, x)
        assert_same(got, want, exactly=backend == "torch")
        assert_same(everything(layer.eval(), x), everything(oracle.eval(), x), exactly=backend == "torch")


@pytest.mark.parametrize("dropout", [0.0, 1.0])
@pytest.mark.parametrize("cell", CELLS)
def test_dropout_at_its_bounds(cell, dropout):
    layer, oracle = paired_layers(cell, "reference", num_layers=2, dropout=dropout)
    x = an_input("batched", batch_first=False)
    assert_same(everything(layer, x), everything(oracle, x))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_same_seed_same_weights_and_state_dict_both_ways(cell, bias, bidirectional, dtype):
    ours, theirs, fixed = CELLS[cell]
    options = {"num_layers": 2, "bias": bias, "bidirectional": bidirectional, "dtype": dtype, **fixed}
    torch.manual_seed(3)
    layer = ours(4, 6, **options)
    torch.manual_seed(3)
    oracle = theirs(4, 6, **options)
    got, want = layer.state_dict(), oracle.state_dict()
    assert list(got) == list(want)
    for name in want:
        assert torch.equal(got[name], want[name]), name
    theirs(4, 6, **options).load_state_dict(got)
    ours(4, 6, **options).load_state_dict(want)
    for got_weights, want_weights in zip(layer.all_weights, oracle.all_weights, strict=True):
        torch.testing.assert_close(got_weights, want_weights)
    for got_weight, want_weight in zip(layer._flat_weights, oracle._flat_weights, strict=True):
        assert torch.equal(got_weight, want_weight)
    assert layer._flat_weights_names == oracle._flat_weights_names
    assert layer._all_weights == oracle._all_weights
    assert layer.mode == oracle.mode
    layer.flatten_parameters()


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    "norm",
    [
        nn.utils.weight_norm,
        nn.utils.spectral_norm,
        nn.utils.parametrizations.weight_norm,
        nn.utils.parametrizations.orthogonal,
    ],
)
@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_weights_that_are_computed_anew_match_torch(cell, norm):
    """The changes of torch.nn.utils to a layer's weights take effect in each call, including gradients."""
    layer, oracle = paired_layers(cell, "auto", num_layers=2, dtype=torch.float32)
    for module in (layer, oracle):
        torch.manual_seed(3)
        norm(module, "weight_hh_l1")
    x = torch.randn(7, 4, INPUT, requires_grad=True)
    assert_same(everything(layer, x), everything(oracle, x), rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("cell", CELLS)
def test_float32_layer_matches_torch(cell, backend):
    layer, oracle = paired_layers(cell, backend, num_layers=2, bidirectional=True, dtype=torch.float32)
    x = torch.randn(7, 4, INPUT, requires_grad=True)
    assert_same(everything(layer, x), everything(oracle, x), rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_cudnn_matches_torch(cell, bidirectional):
    torch.manual_seed(0)
    options = {"num_layers": 2, "bidirectional": bidirectional, "device": "cuda"}
    layer, oracle = paired_layers(cell, "auto", dtype=torch.float32, **options)
    x = torch.randn(6, 4, INPUT, device="cuda", requires_grad=True)
    state = random_state(layer, 4)
    assert_same(everything(layer, x, state), everything(oracle, x, state), rtol=1e-4, atol=1e-5)
    assert layer.backend_used == "torch"
    row_by_row = RowByRow(oracle, layer, [2, 0, 6, 1])
    got = everything(layer, x, state, lengths=torch.tensor([2, 0, 6, 1], device="cuda"))
    assert_same(got, everything(row_by_row, x, state), rtol=1e-4, atol=1e-5)
