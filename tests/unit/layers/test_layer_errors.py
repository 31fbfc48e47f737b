"""Each caller error at a layer gives one sentence."""

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

from recurra.errors import ConfigError, ShapeError
from recurra.layers import GRU, LSTM, RNN, run_with_resets

LAYERS = [RNN, GRU, LSTM]
every_layer = pytest.mark.parametrize("layer", LAYERS)


@every_layer
@pytest.mark.parametrize(
    ("x", "sentence"),
    [
        (
            torch.zeros(2, 3, 4),
            r"input: got shape \(2, 3, 4\), expected \(steps, batch, 5\)",
        ),
        (torch.zeros(5), r"input: got shape \(5,\)"),
        (torch.zeros(1, 2, 3, 5), r"input: got shape \(1, 2, 3, 5\)"),
        (
            torch.zeros(2, 3, 5, dtype=torch.float64),
            "got torch.float64, expected the weights' torch.float32",
        ),
        (torch.zeros(2, 3, 5, device="meta"), "input: got device meta, expected the weights' cpu"),
        (
            pack_sequence([torch.zeros(2, 4)]),
            r"\(2, 4\), expected \(all steps, 5\) in a PackedSequence",
        ),
    ],
)
def test_an_input_that_does_not_fit(layer, x, sentence):
    with pytest.raises(ShapeError, match=sentence):
        layer(5, 7)(x)


def test_the_order_of_axes_is_named_as_the_layer_takes_them():
    with pytest.raises(ShapeError, match=r"expected \(batch, steps, 5\)"):
        GRU(5, 7, batch_first=True)(torch.zeros(2, 3, 4))


@every_layer
@pytest.mark.parametrize(
    ("lengths", "sentence"),
    [
        ([3, -1], r"lengths: got -1 among them, expected each in 0\.\.3"),
        ([4, 1], r"lengths: got 4 among them, expected each in 0\.\.3"),
        ([3], r"lengths: got shape \(1,\), expected \(2,\)"),
        ([[3], [2]], r"lengths: got shape \(2, 1\), expected \(2,\)"),
        ([3.0, 2.0], r"lengths: got torch.float32, expected whole numbers .*; convert them with .long\(\)"),
        (torch.tensor([True, False]), "lengths: got torch.bool"),
        (["three", "two"], "lengths: got .*three.*, expected one whole number per row"),
        (3, r"lengths: got shape \(\), expected \(2,\)"),
    ],
)
def test_lengths_that_cannot_be(layer, lengths, sentence):
    with pytest.raises(ShapeError, match=sentence):
        layer(5, 7)(torch.zeros(3, 2, 5), lengths=lengths)


@every_layer
def test_lengths_beside_a_packed_sequence(layer):
    with pytest.raises(ShapeError, match="a PackedSequence has its own lengths; remove them"):
        layer(5, 7)(pack_sequence([torch.zeros(2, 5)]), lengths=[2])


@every_layer
def test_lengths_of_any_whole_dtype(layer):
    module, x = layer(5, 7), torch.randn(3, 2, 5)
    want = module(x, lengths=[1, 3])[0]
    for dtype in (torch.int32, torch.int64, torch.uint8):
        assert torch.equal(module(x, lengths=torch.tensor([1, 3], dtype=dtype))[0], want)


@every_layer
@pytest.mark.parametrize(
    ("x_shape", "shape", "sentence"),
    [
        (
            (3, 2, 5),
            (4, 3, 7),
            r"got shape \(4, 3, 7\), expected .* \(4, 2, 7\), \(num_layers",
        ),
        ((3, 2, 5), (4, 7), r"got shape \(4, 7\), expected a tensor of shape \(4, 2, 7\)"),
        ((3, 2, 5), (2, 2, 7), r"got shape \(2, 2, 7\), expected"),
        ((3, 5), (4, 1, 7), r"expected a tensor of shape \(4, 7\), .* for one row"),
    ],
)
def test_a_state_that_does_not_fit(layer, x_shape, shape, sentence):
    module = layer(5, 7, num_layers=2, bidirectional=True)
    state = torch.zeros(shape)
    with pytest.raises(ShapeError, match=sentence):
        module(torch.zeros(x_shape), (state, state) if layer is LSTM else state)
    packed = pack_sequence([torch.zeros(2, 5), torch.zeros(1, 5)])
    with pytest.raises(ShapeError, match="hx"):
        module(packed, torch.zeros(4, 5, 7))


def test_a_state_of_another_dtype_and_an_lstm_state_that_is_no_pair():
    with pytest.raises(ShapeError, match=r"hx: got torch.float64, expected the input's torch.float32"):
        GRU(5, 7)(torch.zeros(3, 2, 5), torch.zeros(1, 2, 7, dtype=torch.float64))
    with pytest.raises(ShapeError, match=r"hx: got a Tensor, expected the pair \(hidden, cell\)"):
        LSTM(5, 7)(torch.zeros(3, 2, 5), torch.zeros(2, 1, 2, 7))
    with pytest.raises(ShapeError, match=r"hx.hidden: .* \(1, 2, 3\)"):
        LSTM(5, 7, proj_size=3)(torch.zeros(3, 2, 5), (torch.zeros(1, 2, 7), torch.zeros(1, 2, 7)))


def test_every_option_that_cannot_be_is_named_at_once():
    with pytest.raises(ConfigError) as caught:
        LSTM(0, 7, num_layers=0, bias=1, dropout=1.5, proj_size=7, backend="fast")  # type: ignore[arg-type]
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [
        "input_size",
        "num_layers",
        "bias",
        "proj_size",
        "backend",
        "dropout",
    ]
    assert "backend: got 'fast', expected one of 'auto', 'native', 'torch', 'reference'" in str(caught.value)


@pytest.mark.parametrize("dropout", [True, "0.5", -0.1])
def test_dropout_that_is_no_probability(dropout):
    with pytest.raises(ConfigError, match=r"dropout: got .*, expected a probability in 0..1"):
        GRU(5, 7, num_layers=2, dropout=dropout)


def test_dropout_with_one_layer_is_warned_of():
    with pytest.warns(UserWarning, match="dropout: got 0.5 with one layer"):
        GRU(5, 7, dropout=0.5)


def test_resets_that_do_not_fit():
    x = torch.zeros(3, 2, 5)
    with pytest.raises(ConfigError, match="got a bidirectional layer, expected one that runs forwards only"):
        run_with_resets(GRU(5, 7, bidirectional=True), x, None, torch.zeros(3, 2, dtype=torch.bool))
    for resets in (torch.zeros(2, 3, dtype=torch.bool), torch.zeros(3, 2)):
        with pytest.raises(ShapeError, match=r"resets: got .* expected torch.bool of shape \(3, 2\)"):
            run_with_resets(GRU(5, 7), x, None, resets)
    some = torch.ones(3, 2, dtype=torch.bool)
    with pytest.raises(ShapeError, match="hx"):
        run_with_resets(GRU(5, 7), x, torch.zeros(1, 3, 7), some)


@pytest.mark.parametrize("x", [[[1.0]], None])
def test_an_input_that_is_no_tensor(x):
    with pytest.raises(ShapeError, match=r"input: got a \w+, expected a tensor"):
        GRU(1, 2)(x)


def test_whole_numbers_are_told_to_become_floats():
    with pytest.raises(ShapeError, match=r"convert it with \.to\(torch\.float32\)$"):
        GRU(3, 2)(torch.ones(4, 1, 3, dtype=torch.int64))


def test_a_type_that_is_no_floating_point():
    with pytest.raises(
        ConfigError, match=r"dtype: got torch\.int32, expected a floating-point or complex type"
    ):
        GRU(3, 2, dtype=torch.int32)


def test_graves_with_one_layer_is_warned_of():
    with pytest.warns(UserWarning, match="graves"):
        GRU(3, 2, skip="graves")
