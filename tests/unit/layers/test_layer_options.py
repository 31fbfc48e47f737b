"""The options of a stack: signatures, sizes, printing, and invalid values."""

import inspect

import pytest
import torch
from torch import nn

from recurra.errors import BackendUnavailable, ConfigError, ShapeError
from recurra.layers import GRU, LSTM, RNN, JordanRNN, run_with_resets
from recurra.layers.options import DEFAULTS

KINDS = [RNN, GRU, LSTM, JordanRNN]
every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
def test_help_names_every_option_with_its_default(kind):
    parameters = inspect.signature(kind).parameters
    for name, default in DEFAULTS.items():
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert parameters[name].default == default
    assert "options" not in parameters
    assert kind is JordanRNN or not parameters["layer_norm"].default


@every_kind
def test_an_unknown_name_is_refused_as_python_does(kind):
    with pytest.raises(TypeError, match=rf"{kind.__name__}\(\) got an unexpected keyword argument 'zonout'"):
        kind(3, 5, 2, zonout=0.5)


def test_every_fault_is_told_at_once():
    with pytest.raises(ConfigError) as caught:
        LSTM(
            3,
            5,
            dropout=2,
            proj_size=9,
            peepholes="none",
            output_activation="relu",
            forget_bias="one",
            skip="dense",
            merge="max",
            learn_initial_state=1,
            zoneout=(0.5, 1.5),
            variational_dropout=-1,
            weight_drop=True,
            stateful="yes",
            backend="gpu",
        )
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "peepholes",
        "output_activation",
        "proj_size",
        "forget_bias",
        "skip",
        "merge",
        "backend",
        "learn_initial_state",
        "stateful",
        "dropout",
        "variational_dropout",
        "weight_drop",
        "zoneout",
    ]
    assert "skip: got 'dense', expected one of 'none', 'residual', 'graves'" in lines
    assert (
        "zoneout: got (0.5, 1.5), expected a probability in 0..1, or a pair of them (hidden, cell)" in lines
    )


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: GRU(3, 5, zoneout=(0.1, 0.1)),
            r"zoneout: got \(0.1, 0.1\), expected a probability in 0..1$",
        ),
        (
            lambda: GRU(3, 5, 2, dropout=0.5, variational_dropout=0.5),
            "variational_dropout: got 0.5 with dropout",
        ),
        (lambda: LSTM(3, 5, bias=False, forget_bias=1.0), "forget_bias: got 1.0 with bias=False"),
        (
            lambda: LSTM(3, 5, forget_bias=float("inf")),
            "forget_bias: got inf, expected a finite number or None",
        ),
        (lambda: LSTM(3, 5, proj_size=2, relevance_gate=True), "proj_size: got 2 with relevance_gate=True"),
        (lambda: GRU(3, 5, reset="never"), "reset: got 'never', expected one of 'after', 'before', 'none'"),
        (lambda: RNN(3, 0, nonlinearity="elu"), "hidden_size: got 0.*\nnonlinearity: got 'elu'"),
        (lambda: JordanRNN(3, 5, 0), "output_size: got 0, expected a whole number >= 1"),
        (lambda: JordanRNN(2, 5, 2, skip="residual"), "skip: got 'residual', expected 'none'"),
        (lambda: JordanRNN(3, 5, 2, output_activation="elu"), "output_activation: got 'elu'"),
    ],
)
def test_what_cannot_be(make, sentence):
    with pytest.raises(ConfigError, match=sentence):
        make()


@pytest.mark.parametrize("name", ["dropout", "variational_dropout"])
def test_dropout_between_layers_of_one_layer_is_warned_of_where_it_is_written(name):
    with pytest.warns(UserWarning, match=f"{name}: got 0.5 with one layer") as caught:
        GRU(3, 5, **{name: 0.5})
    assert caught[0].filename == __file__


def test_a_merge_of_one_direction_is_warned_of():
    with pytest.warns(UserWarning, match="merge: got 'sum' with one direction"):
        LSTM(3, 5, merge="sum")


@pytest.mark.parametrize("proj_size", [0, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("merge", ["concat", "mean"])
@pytest.mark.parametrize("skip", ["none", "residual", "graves"])
@pytest.mark.filterwarnings("ignore:merge", "ignore:LSTM with projections is not supported with oneDNN")
def test_the_size_of_the_output(skip, merge, bidirectional, proj_size):
    layer = LSTM(
        3, 5, 3, bidirectional=bidirectional, skip=skip, merge=merge, proj_size=proj_size, backend="torch"
    )
    output, _ = layer(torch.randn(4, 2, 3))
    one = (proj_size or 5) * (2 if bidirectional and merge == "concat" else 1)
    assert output.shape[-1] == layer.output_size == one * (3 if skip == "graves" else 1)
    assert layer.weight_ih_l1.shape[1] == one + (3 if skip == "graves" else 0)


def test_it_prints_its_options():
    layer = LSTM(
        3, 5, peepholes=True, forget_bias=1.0, zoneout=(0.1, 0.2), skip="residual", backend="reference"
    )
    assert repr(layer) == (
        "LSTM(3, 5, skip=residual, zoneout=(0.1, 0.2), backend=reference, peepholes=True, forget_bias=1.0)"
    )
    assert repr(JordanRNN(3, 5, 2)) == "JordanRNN(3, 5, 2)"
    assert repr(GRU(3, 5, reset="before")) == "GRU(3, 5, reset=before)"


def test_the_forget_bias_is_where_it_was_asked_for():
    layer = LSTM(3, 5, 2, bidirectional=True, forget_bias=1.5)
    layer.reset_parameters()
    for name, bias in layer.named_parameters():
        if name.startswith("bias_ih"):
            assert (bias[5:10] == 1.5).all()
            assert (bias[:5] != 1.5).all()
        if name.startswith("bias_hh"):
            assert (bias[5:10] == 0).all()


@pytest.mark.parametrize("kind", [RNN, GRU, LSTM])
def test_torch_says_what_it_has_not(kind):
    x = torch.randn(4, 2, 3)
    with pytest.raises(BackendUnavailable, match=r"backend='torch', but .*zoneout"):
        kind(3, 5, zoneout=0.5, backend="torch")(x)
    with pytest.raises(BackendUnavailable, match=r"backend='torch', but .* no .* with layer_norm=True"):
        kind(3, 5, layer_norm=True, backend="torch")(x)


def test_every_state_of_one_row_and_with_resets():
    torch.manual_seed(0)
    layer = GRU(3, 5, 2, backend="torch", learn_initial_state=True)
    nn.init.normal_(layer.initial_hidden)
    x, resets = torch.randn(12, 2, 3), torch.zeros(12, 2, dtype=torch.bool)
    _, _, alone = layer(x[:, 0], every_state=True)
    _, _, together = layer(x, every_state=True)
    torch.testing.assert_close(alone, together[:, :, 0])
    resets[5, 1] = True
    for backend in ("torch", "reference"):  # spans in torch, pieces in the reference loop
        layer.backend = backend
        output, final, every = run_with_resets(layer, x, None, resets, every_state=True)
        torch.testing.assert_close(every[:, :, 0], together[:, :, 0])
        _, _, anew = layer(x[5:], every_state=True)
        torch.testing.assert_close(every[:, 5:, 1], anew[:, :, 1])
        torch.testing.assert_close(every[:, -1], final)
        torch.testing.assert_close(every[-1], output)


def test_masks_of_a_call_hold_over_resets():
    """Weight drop: one mask for the whole call, although a reset splits the sequence."""
    torch.manual_seed(0)
    layer = RNN(1, 40, weight_drop=0.5, backend="torch", bias=False)
    x, resets = torch.ones(40, 1, 1), torch.zeros(40, 1, dtype=torch.bool)
    resets[20] = True
    output, _ = run_with_resets(layer, x, None, resets)
    torch.testing.assert_close(output[20:], output[:20])


@pytest.mark.parametrize(
    "parametrize", [nn.utils.parametrizations.weight_norm, nn.utils.parametrizations.spectral_norm]
)
@pytest.mark.parametrize("kind", [GRU, LSTM])
def test_parametrized_recurrent_weights(kind, parametrize):
    torch.manual_seed(0)
    layer, x = kind(3, 5, learn_initial_state=True), torch.randn(4, 2, 3)
    parametrize(layer, "weight_hh_l0")
    layer.eval()
    output, _ = layer(x)
    plain = kind(3, 5, learn_initial_state=True)
    weights = {name: getattr(layer, name).detach() for name in plain.state_dict()}
    plain.load_state_dict(weights)
    torch.testing.assert_close(output, plain(x)[0])
    output.sum().backward()
    assert all(parameter.grad is not None for parameter in layer.parameters())


def test_weights_that_do_not_learn_stay():
    layer = GRU(3, 5, 2, skip="residual")
    layer.weight_hh_l0.requires_grad_(False)
    layer(torch.randn(4, 2, 3))[0].sum().backward()
    assert layer.weight_hh_l0.grad is None
    assert layer.weight_hh_l1.grad.any()


@pytest.mark.parametrize(
    ("targets", "sentence"),
    [
        (torch.zeros(4, 2, 3), r"targets: got torch.float32 of shape \(4, 2, 3\), expected .* \(4, 2, 5\)"),
        (torch.zeros(4, 2, 5, dtype=torch.int64), "targets: got torch.int64"),
    ],
)
def test_targets_that_do_not_fit(targets, sentence):
    layer = JordanRNN(3, 7, 5)
    with pytest.raises(ShapeError, match=sentence):
        layer(torch.zeros(4, 2, 3), targets=targets)
    with pytest.raises(ShapeError, match="targets with a PackedSequence"):
        layer(nn.utils.rnn.pack_sequence([torch.zeros(2, 3)]), targets=targets)


def test_teacher_forcing_in_pieces_equals_one_call():
    torch.manual_seed(0)
    layer = JordanRNN(3, 7, 5, stateful=True, learn_initial_state=True)
    nn.init.normal_(layer.initial_hidden)
    x, targets = torch.randn(6, 2, 3), torch.randn(6, 2, 5)
    want, _ = layer(x, targets=targets)
    layer.reset_state()
    pieces = [layer(a, targets=b)[0] for a, b in zip(x.split(2), targets.split(2), strict=True)]
    torch.testing.assert_close(torch.cat(pieces), want)
    assert layer.backend_used == "reference"
    layer.reset_state()
    torch.testing.assert_close(layer(x[:, 0], targets=targets[:, 0])[0], want[:, 0])
    empty, state = layer(x[:0, :1], targets=targets[:0, :1])
    assert empty.shape == (0, 1, 5)
    assert torch.equal(state[0], targets[-1:, 0])
