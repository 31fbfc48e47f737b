"""The stateful mode: a layer continues from the state of its previous call."""

import copy
import pickle

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence

from recurra.errors import ConfigError, ShapeError
from recurra.layers import GRU, LSTM, RNN, JordanRNN, map_state, run_with_resets

DOUBLE = {"dtype": torch.float64}


def parts_of(state):
    return (state,) if isinstance(state, torch.Tensor) else tuple(state)


def a_layer(kind=LSTM, **options):
    torch.manual_seed(0)
    sizes = {"output_size": 2} if kind is JordanRNN else {"num_layers": 2}
    layer = kind(3, 5, stateful=True, **sizes, **DOUBLE, **options)
    for name, start in layer.named_parameters():
        if name.startswith("initial"):
            torch.nn.init.normal_(start)
    return layer


@pytest.mark.parametrize("learnt", [False, True])
@pytest.mark.parametrize("kind", [RNN, GRU, LSTM, JordanRNN])
def test_calls_in_a_row_equal_one_long_call(kind, learnt):
    layer = a_layer(kind, learn_initial_state=learnt)
    x = torch.randn(7, 2, 3, **DOUBLE)
    want, want_final = layer(x)
    assert not any(part.requires_grad for part in parts_of(layer._kept))
    layer.reset_state()
    pieces = [layer(piece) for piece in x.split([3, 0, 1, 3])]
    torch.testing.assert_close(torch.cat([output for output, _ in pieces]), want)
    torch.testing.assert_close(pieces[-1][1], want_final)
    output, _ = layer(x)
    assert not torch.allclose(output, want)


def test_the_ways_a_call_can_come_all_go_on():
    layer, plain = a_layer(GRU), a_layer(GRU)
    plain.stateful = False
    x, lengths = torch.randn(6, 2, 3, **DOUBLE), [2, 1]
    resets = torch.tensor([[False, False], [True, False]])
    steps = [
        lambda each, state: each(x[:2], state, lengths),
        lambda each, state: each(pack_padded_sequence(x[2:4], lengths), state),
        lambda each, state: run_with_resets(each, x[4:], state, resets),
        lambda each, state: each(x, state),
    ]
    state = None
    for step in steps:
        got, got_final = step(layer, None)
        want, state = step(plain, state)
        torch.testing.assert_close(got, want)
        torch.testing.assert_close(got_final, state)


@pytest.mark.parametrize(
    "rows", [[1], torch.tensor([1]), [False, True, False], torch.tensor([False, True, False])]
)
def test_some_rows_begin_again(rows):
    layer = a_layer(LSTM, learn_initial_state=True)
    x = torch.randn(4, 3, 3, **DOUBLE)
    layer.reset_state(rows)  # no state is stored yet
    first, state = layer(x)
    layer.reset_state(rows)
    layer.reset_state([])
    again, _ = layer(x)
    torch.testing.assert_close(again[:, 1], first[:, 1])
    layer.stateful = False
    torch.testing.assert_close(again[:, [0, 2]], layer(x, state)[0][:, [0, 2]])
    again[:, 1].sum().backward()
    assert layer.initial_hidden.grad.any()
    assert layer.initial_cell.grad.any()


@pytest.mark.parametrize("rows", [[3], [-1], [True], torch.tensor([0.0]), [[0]]])
def test_rows_that_are_not_there(rows):
    layer = a_layer()
    layer(torch.randn(2, 3, 3, **DOUBLE))
    with pytest.raises(
        ShapeError, match=r"rows: got .*, expected a bool for each of 3 rows, or whole numbers in 0..2"
    ):
        layer.reset_state(rows)


def test_another_batch_size_is_refused_with_the_mend():
    layer = a_layer()
    layer(torch.randn(2, 3, 3, **DOUBLE))
    with pytest.raises(
        ShapeError, match=r"got 2 rows, expected 3, .*; call reset_state\(\) before a new batch"
    ):
        layer(torch.randn(2, 2, 3, **DOUBLE))
    layer(torch.randn(2, 2, 3, **DOUBLE), layer.initial_state(2))  # a given state takes precedence
    layer(torch.randn(2, 2, 3, **DOUBLE))
    layer.reset_state()
    layer(torch.randn(2, 3, **DOUBLE))


def test_what_is_kept_is_no_parameter_but_is_copied_and_moved():
    layer, x = a_layer(), torch.randn(4, 2, 3, **DOUBLE)
    names = set(layer.state_dict())
    layer(x)
    assert set(layer.state_dict()) == names
    copies = [copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))]
    want, _ = layer(x)
    for copied in copies:
        assert torch.equal(copied(x)[0], want)
    layer.reset_state([0])
    layer.float()
    output, state = layer(x.float())
    assert {output.dtype, *(part.dtype for part in parts_of(state))} == {torch.float32}
    assert map_state(torch.zeros_like, state) is not None


def test_both_ways_cannot_stream():
    with pytest.raises(ConfigError, match="stateful: got True with bidirectional=True"):
        GRU(3, 5, bidirectional=True, stateful=True)


@pytest.mark.parametrize("kind", [RNN, GRU, LSTM])
def test_what_is_kept_is_the_layers_own(kind):
    layer, x = kind(3, 4, stateful=True), torch.randn(2, 2, 3)
    with torch.no_grad():
        want = layer(torch.cat([x, x]))[0][2:]
        layer.reset_state()
        _, state = layer(x)
        map_state(torch.Tensor.zero_, state)
        torch.testing.assert_close(layer(x)[0], want)


def test_a_state_kept_in_inference_can_be_trained_from():
    layer, x = GRU(3, 4, stateful=True), torch.randn(2, 2, 3)
    with torch.inference_mode():
        layer(x)
    layer(x)[0].sum().backward()
    assert layer.weight_hh_l0.grad.abs().sum() > 0
