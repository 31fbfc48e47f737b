"""Contracts of every recurrent layer: each layer in LAYERS is tested with each contract.

To add a layer, cell or backend, add one line to every_layer.py.
"""

import copy
import io

import pytest
import torch
from every_layer import INPUT, LAYERS, ONE_WAY, in_order, make, parts_of, random_state, rows_of, run
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from recurra.errors import BackendUnavailable
from recurra.kernels import native
from recurra.layers import map_state, run_with_resets

every_layer = pytest.mark.parametrize("name", LAYERS)


@every_layer
@settings(max_examples=12, deadline=None)
@given(lengths=st.lists(st.integers(0, 6), min_size=2, max_size=4), data=st.data())
def test_a_result_never_depends_on_the_rest_of_the_batch(name, lengths, data):
    layer = make(name)
    T, B = 6, len(lengths)
    row = data.draw(st.integers(0, B - 1))
    padding = data.draw(st.sampled_from([1e9, float("nan"), float("inf")]))
    x, state, length = torch.randn(T, B, INPUT, dtype=torch.float64), random_state(layer, B), lengths[row]
    alone = x[:length, row : row + 1].clone().requires_grad_()
    for each, steps in enumerate(lengths):
        x[steps:, each] = padding
    x.requires_grad_()
    want, want_final = run(layer, alone, rows_of(state, row)) if length else (alone, rows_of(state, row))
    got, got_final = run(layer, x, state, lengths)
    torch.testing.assert_close(parts_of(rows_of(got_final, row)), parts_of(want_final))
    for each, steps in enumerate(lengths):
        assert not got[steps:, each].any()
    if not length:
        return
    torch.testing.assert_close(got[:length, row : row + 1], want)
    weights = torch.randn_like(want)
    losses = [
        (output * weights).sum() + sum(part.square().sum() for part in parts_of(final))
        for output, final in ((want, want_final), (got[:length, row : row + 1], rows_of(got_final, row)))
    ]
    parameters = [each for name, each in layer.named_parameters() if not name.startswith("initial")]
    of_alone, *want_gradients = torch.autograd.grad(losses[0], [alone, *parameters])
    of_batch, *got_gradients = torch.autograd.grad(losses[1], [x, *parameters])
    torch.testing.assert_close(got_gradients, want_gradients)
    torch.testing.assert_close(of_batch[:length, row : row + 1], of_alone)
    of_batch[:length, row] = 0
    assert not of_batch.any()  # neither in other rows nor in the padding


REFERENCES = [name for name in LAYERS if name.endswith("_reference") and make(name).backend == "reference"]


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("lengths", [None, [3, 0, 6, 4]])
def test_the_native_kernels_agree_with_the_reference(name, lengths):
    layer, reference = make(name, dtype=torch.float32, backend="native"), make(name)
    if native.unavailable() is not None:
        pytest.skip(native.unavailable())
    reference.load_state_dict(layer.state_dict())
    x = torch.randn(6, 4, INPUT)
    start = random_state(layer, 4)
    results = []
    for each, dtype in ((layer, torch.float32), (reference, torch.float64)):
        given = x.to(dtype, copy=True).requires_grad_()
        begin = map_state(
            lambda part, dtype=dtype: part.detach().to(dtype, copy=True).requires_grad_(), start
        )
        output, final, every = each(in_order(each, given), begin, lengths, every_state=True)
        computed = [output, *parts_of(final), *parts_of(every)]
        torch.manual_seed(3)
        loss = sum((part * torch.randn(part.shape).to(dtype)).sum() for part in computed)
        leaves = [given, *parts_of(begin), *(p for n, p in each.named_parameters() if n[:7] != "initial")]
        results.append([*computed, *torch.autograd.grad(loss, leaves)])
    assert layer.backend_used == "native"
    for got, want in zip(*results, strict=True):
        assert (got.double() - want).abs().max() <= 1e-4 * want.abs().max()


@every_layer
def test_full_lengths_change_nothing(name):
    layer, x = make(name), torch.randn(4, 3, INPUT, dtype=torch.float64)
    got, want = run(layer, x, lengths=torch.tensor([4, 4, 4])), run(layer, x)
    assert torch.equal(got[0], want[0])
    assert all(map(torch.equal, parts_of(got[1]), parts_of(want[1])))


@every_layer
@pytest.mark.parametrize("T", [0, 3])
def test_rows_without_steps_keep_their_state(name, T):
    layer = make(name)
    state = random_state(layer, 2)
    output, final = run(layer, torch.full((T, 2, INPUT), float("nan"), dtype=torch.float64), state, [0, 0])
    assert output.shape == (T, 2, layer.output_size)
    assert not output.any()
    assert all(map(torch.equal, parts_of(final), parts_of(state)))


@every_layer
def test_an_empty_batch(name):
    layer = make(name)
    output, final = run(layer, torch.zeros(3, 0, INPUT, dtype=torch.float64), lengths=[])
    assert output.shape == (3, 0, layer.output_size)
    assert parts_of(final)[0].shape[1] == 0
    (output.sum() + sum(part.sum() for part in parts_of(final))).backward()
    assert not any(parameter.grad.any() for parameter in layer.parameters())  # zero, but not None


@every_layer
@pytest.mark.parametrize("lengths", [None, [3, 0, 4]])
def test_every_state_ends_in_the_final_state(name, lengths):
    layer = make(name)
    x = torch.randn(4, 3, INPUT, dtype=torch.float64)
    start = random_state(layer, 3)
    if len(parts_of(start)) == 2 and layer.backend == "torch":
        with pytest.raises(BackendUnavailable, match="every_state"):
            layer(in_order(layer, x), start, lengths, every_state=True)
        return
    output, final, every = layer(in_order(layer, x), start, lengths, every_state=True)
    want, want_final = layer(in_order(layer, x), start, lengths)
    torch.testing.assert_close(output, want)
    torch.testing.assert_close(parts_of(final), parts_of(want_final))
    for part, end, begin in zip(parts_of(every), parts_of(final), parts_of(start), strict=True):
        assert part.shape == (end.shape[0], 4, 3, end.shape[-1])
        for row, steps in enumerate(lengths or [4, 4, 4]):
            assert not part[:, steps:, row].any()
            ways = layer.num_directions
            last = part[::ways, steps - 1, row] if steps else begin[::ways, row]
            torch.testing.assert_close(last, end[::ways, row])
            if ways == 2:
                torch.testing.assert_close(part[1::2, 0, row] if steps else begin[1::2, row], end[1::2, row])
    if layer.skip == "none" and layer.merge == "concat":
        last_layer = parts_of(every)[0][-layer.num_directions :]
        torch.testing.assert_close(in_order(layer, output), torch.cat(tuple(last_layer), dim=-1))
    if lengths is None:
        packed = pack_padded_sequence(x, [4, 2, 3], enforce_sorted=False)
        _, _, of_packed = layer(packed, start, every_state=True)
        _, _, of_rows = layer(in_order(layer, x), start, [4, 2, 3], every_state=True)
        torch.testing.assert_close(parts_of(of_packed), parts_of(of_rows))
        sum(part.square().sum() for part in parts_of(every)).backward()
        assert layer.weight_hh_l0.grad.any()


@every_layer
def test_packed_in_packed_out_equals_lengths(name):
    layer, lengths = make(name), torch.tensor([2, 5, 3])
    x, state = torch.randn(5, 3, INPUT, dtype=torch.float64), random_state(layer, 3)
    packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
    output, final = layer(packed, state)
    want, want_final = run(layer, x, state, lengths)
    torch.testing.assert_close(pad_packed_sequence(output)[0], want)
    torch.testing.assert_close(parts_of(final), parts_of(want_final))


@every_layer
def test_one_row_without_a_batch_equals_a_batch_of_one(name):
    layer = make(name)
    x, state = torch.randn(4, INPUT, dtype=torch.float64), random_state(layer, 1)
    got, got_final = layer(x, map_state(lambda part: part[:, 0], state), [3])
    want, want_final = run(layer, x.unsqueeze(1), state, [3])
    assert torch.equal(got, want[:, 0])
    assert all(map(torch.equal, parts_of(got_final), [part[:, 0] for part in parts_of(want_final)]))


@pytest.mark.parametrize("name", ONE_WAY)
def test_two_segments_with_the_state_carried_equal_one(name):
    layer, x = make(name), torch.randn(6, 2, INPUT, dtype=torch.float64)
    want, want_final = run(layer, x)
    first, carried = run(layer, x[:2])
    second, final = run(layer, x[2:], carried)
    torch.testing.assert_close(torch.cat([first, second]), want)
    torch.testing.assert_close(parts_of(final), parts_of(want_final))


@every_layer
def test_layers_directions_and_parts_of_a_state_are_not_swapped(name):
    layer, x = make(name), torch.randn(3, 2, INPUT, dtype=torch.float64)
    state = random_state(layer, 2)
    want = run(layer, x, state)[0]
    swaps = []
    if parts_of(state)[0].shape[0] > 1:
        swaps.append(map_state(lambda part: part.flip(0), state))
    if isinstance(state, tuple) and state.hidden.shape == state.cell.shape:
        swaps.append((state.cell, state.hidden))
    for swapped in swaps:
        assert not torch.allclose(run(layer, x, swapped)[0], want)


@every_layer
def test_copies_pickles_and_state_dicts_compute_the_same(name):
    layer, x = make(name), torch.randn(3, 2, INPUT, dtype=torch.float64)
    want = run(layer, x)[0]
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    loaded = make(name)
    loaded.reset_parameters()
    loaded.load_state_dict(layer.state_dict())
    for copied in (copy.deepcopy(layer), torch.load(file, weights_only=False), loaded):
        assert torch.equal(run(copied, x)[0], want)
        assert repr(copied) == repr(layer)


@every_layer
def test_backend_used_is_the_one_asked_for(name):
    layer = make(name)
    assert layer.backend_used == ""
    run(layer, torch.randn(2, 2, INPUT, dtype=torch.float64))
    assert layer.backend_used == LAYERS[name][1]["backend"]


@every_layer
def test_no_grad_and_eval(name):
    layer = make(name).eval()
    with torch.no_grad():
        output, _ = run(layer, torch.randn(2, 2, INPUT, dtype=torch.float64))
    assert not output.requires_grad


@every_layer
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_float32_is_close_to_float64(name):
    layer, x = make(name), torch.randn(5, 3, INPUT, dtype=torch.float64)
    want, _ = run(layer, x, lengths=[5, 0, 2])
    got, _ = run(layer.float(), x.float(), lengths=[5, 0, 2])
    torch.testing.assert_close(got.double(), want, rtol=1e-4, atol=1e-5)


@every_layer
@pytest.mark.parametrize("lengths", [None, [5, 0, 2]])
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_bfloat16_autocast_carries_a_float32_state(name, lengths):
    layer, x = make(name, dtype=torch.float32), torch.randn(5, 3, INPUT)
    with torch.autocast("cpu", torch.bfloat16):
        output, state = run(layer, x, layer.initial_state(3), lengths)
        again, state = run(layer, x.bfloat16(), state, lengths)
    assert {part.dtype for part in parts_of(state)} == {torch.float32}
    want, carried = run(layer, x, None, lengths)
    torch.testing.assert_close(output.float(), want, rtol=0.1, atol=0.1)
    torch.testing.assert_close(again.float(), run(layer, x, carried, lengths)[0], rtol=0.1, atol=0.1)
    (output.float().sum() + again.float().sum()).backward()
    assert all(parameter.grad.isfinite().all() for parameter in layer.parameters())
    assert layer.backend_used == LAYERS[name][1]["backend"]


@pytest.mark.parametrize("name", ONE_WAY)
@settings(max_examples=10, deadline=None)
@given(
    places=st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=6, max_size=6),
    lengths=st.none() | st.lists(st.integers(0, 6), min_size=3, max_size=3),
    with_state=st.booleans(),
)
def test_resets_equal_a_loop_over_steps(name, places, lengths, with_state):
    layer, resets = make(name), torch.tensor(places)
    x = torch.randn(6, 3, INPUT, dtype=torch.float64, requires_grad=True)
    state = map_state(lambda part: part.requires_grad_(), random_state(layer, 3))
    start = state if with_state else None
    got = run_with_resets(layer, in_order(layer, x), start, in_order(layer, resets), lengths)
    got = (in_order(layer, got[0]), got[1])

    outputs, carried = [], state if with_state else layer.initial_state(3)
    ends = torch.tensor([6, 6, 6] if lengths is None else lengths)
    for t in range(6):
        anew = (resets[t] & (t < ends)).unsqueeze(-1)
        carried = map_state(
            lambda part, new, rows=anew: torch.where(rows, new, part), carried, layer.initial_state(3)
        )
        output, carried = run(layer, x[t : t + 1], carried, (t < ends).long())
        outputs.append(output)
    want = (torch.cat(outputs), carried)

    torch.testing.assert_close(got[0], want[0])
    torch.testing.assert_close(parts_of(got[1]), parts_of(want[1]))
    leaves = [x, *parts_of(state), *layer.parameters()]
    weights = torch.randn_like(want[0])
    gradients = [
        torch.autograd.grad(
            (output * weights).sum() + sum(part.square().sum() for part in parts_of(final)) + 0 * x.sum(),
            leaves,
            allow_unused=True,
            materialize_grads=True,
        )
        for output, final in (got, want)
    ]
    torch.testing.assert_close(*gradients)
