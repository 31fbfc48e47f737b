"""Our layers and cells accept and refuse the same calls as torch.nn's.

The same class catches the errors of both. The same call is made of both; lists name the intended differences
and their reasons.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import PackedSequence, pack_sequence

import recurra
from recurra.errors import RecurraError

LAYERS = ("RNN", "GRU", "LSTM")
CELLS = ("RNNCell", "GRUCell", "LSTMCell")
zeros, randn = torch.zeros, torch.randn

Call = Callable[[Any, str], Any]  # (torch.nn or recurra, the class's name) -> what the class does


def made(*sizes: Any, **options: Any) -> Call:
    return lambda ns, name: getattr(ns, name)(*sizes, **options)


def called(*given: Any, sizes: Any = (3, 5), **options: Any) -> Call:
    """Call a layer or cell with 3 inputs and 5 units; functions in `given` receive the class's name."""

    def call(ns: Any, name: str) -> Any:
        arguments = [each(name) if callable(each) else each for each in given]
        return getattr(ns, name)(*sizes, **options)(*arguments)

    return call


def state(*shape: int, **options: Any) -> Callable[[str], Any]:
    """A state of this shape; for an LSTM, the pair of both."""
    return lambda name: (zeros(*shape, **options),) * 2 if "LSTM" in name else zeros(*shape, **options)


def pair(hidden: Any, cell: Any) -> Callable[[str], Any]:
    """A state of an LSTM with a different hidden state and memory cell; other cells get (hidden, hidden)."""
    return lambda name: (hidden, cell) if "LSTM" in name else (hidden, hidden)


X, ROW = randn(2, 4, 3), randn(4, 3)
PACKED = pack_sequence([randn(3, 3), randn(2, 3)])
DOUBLE, META = {"dtype": torch.float64}, {"device": "meta"}


# Layers: calls that both refuse.
LAYERS_REFUSE: dict[str, Call] = {
    "input of one axis": called(randn(3)),
    "input of four axes": called(randn(2, 2, 2, 3)),
    "input of no axes": called(torch.tensor(1.0)),
    "input of another size": called(randn(2, 4, 4)),
    "input of another size, one row": called(randn(2, 4)),
    "input of another dtype": called(X.double()),
    "input of whole numbers": called(X.long()),
    "input of bools": called(X > 0),
    "input of complex numbers": called(X.to(torch.complex64)),
    "input on another device": called(randn(2, 4, 3, **META)),
    "input that is sparse": called(X.to_sparse()),
    "input that is a list": called([[1.0, 2.0, 3.0]]),
    "input that is an array": called(X.numpy()),
    "input that is None": called(None),
    "input that is text": called("text"),
    "input left out": called(),
    "a keyword that is none": lambda ns, name: getattr(ns, name)(3, 5)(X, state=None),
    "state of another batch": called(X, state(1, 3, 5)),
    "state of a batch of one": called(X, state(1, 1, 5)),
    "state of another size": called(X, state(1, 4, 6)),
    "state of more layers": called(X, state(2, 4, 5)),
    "state of two axes": called(X, state(1, 5)),
    "state of four axes": called(X, state(1, 1, 4, 5)),
    "state of three axes for one row": called(randn(2, 3), state(1, 1, 5)),
    "state of one axis for one row": called(randn(2, 3), state(5)),
    "state of one direction": called(X, state(1, 4, 5), bidirectional=True),
    "state of one layer of two": called(X, state(1, 4, 5), num_layers=2),
    "state with the batch first": called(X, state(2, 1, 5), batch_first=True),
    "state of another dtype": called(X, state(1, 4, 5, **DOUBLE)),
    "state of whole numbers": called(X, state(1, 4, 5, dtype=torch.int64)),
    "state on another device": called(X, state(1, 4, 5, **META)),
    "state whose cell is of another batch": called(X, pair(zeros(1, 4, 5), zeros(1, 3, 5))),
    "state whose cell is of another size": called(X, pair(zeros(1, 4, 5), zeros(1, 4, 6))),
    "state whose cell is of two axes": called(X, pair(zeros(1, 4, 5), zeros(4, 5))),
    "state that is text": called(X, "text"),
    "state that is an array": called(X, np.zeros((1, 4, 5), np.float32)),
    "state that is a list of numbers": called(X, [0.0]),
    "packed input of another size": called(pack_sequence([randn(3, 4), randn(2, 4)])),
    "packed input of another dtype": called(pack_sequence([randn(3, 3, **DOUBLE)])),
    "packed input of one axis": called(PackedSequence(randn(5), torch.tensor([3, 2]))),
    "packed input of three axes": called(PackedSequence(randn(5, 1, 3), torch.tensor([3, 2]))),
    "packed input, state of another batch": called(PACKED, state(1, 3, 5)),
    "packed input, state of another size": called(PACKED, state(1, 2, 6)),
    "packed input, state of another dtype": called(PACKED, state(1, 2, 5, **DOUBLE)),
    "input_size=0": made(0, 5),
    "input_size=-1": made(-1, 5),
    "input_size=3.0": made(3.0, 5),
    "input_size='3'": made("3", 5),
    "input_size=None": made(None, 5),
    "hidden_size=0": made(3, 0),
    "hidden_size=-1": made(3, -1),
    "hidden_size=5.0": made(3, 5.0),
    "hidden_size='5'": made(3, "5"),
    "hidden_size=None": made(3, None),
    "num_layers=0": made(3, 5, 0),
    "num_layers=-1": made(3, 5, -1),
    "num_layers=1.0": made(3, 5, 1.0),
    "num_layers='2'": made(3, 5, "2"),
    "num_layers=None": made(3, 5, None),
    "bias=0": made(3, 5, bias=0),
    "bias=1": made(3, 5, bias=1),
    "bias='True'": made(3, 5, bias="True"),
    "bias=None": made(3, 5, bias=None),
    "batch_first=0": made(3, 5, batch_first=0),
    "batch_first=1": made(3, 5, batch_first=1),
    "batch_first='False'": made(3, 5, batch_first="False"),
    "dropout=2": made(3, 5, 2, dropout=2),
    "dropout=-0.1": made(3, 5, 2, dropout=-0.1),
    "dropout=True": made(3, 5, 2, dropout=True),
    "dropout=nan": made(3, 5, 2, dropout=float("nan")),
    "dropout='0.5'": made(3, 5, 2, dropout="0.5"),
    "dropout='half'": made(3, 5, 2, dropout="half"),
    "dropout=None": made(3, 5, 2, dropout=None),
    "proj_size of the hidden size": made(3, 5, proj_size=5),
    "proj_size above the hidden size": made(3, 5, proj_size=6),
    "proj_size=-1": made(3, 5, proj_size=-1),
    "proj_size=1.5": made(3, 5, proj_size=1.5),
    "proj_size='2'": made(3, 5, proj_size="2"),
    "proj_size=None": made(3, 5, proj_size=None),
    "dtype=torch.int64": made(3, 5, dtype=torch.int64),
    "dtype='float32'": made(3, 5, dtype="float32"),
    "device='nowhere'": made(3, 5, device="nowhere"),
    "an option that is none": made(3, 5, units=4),
    "no sizes": made(),
    "one size": made(3),
    "weights that are missing": lambda ns, name: getattr(ns, name)(3, 5).load_state_dict({}),
    "weights of another size": lambda ns, name: getattr(ns, name)(3, 5).load_state_dict(
        getattr(ns, name)(3, 6).state_dict()
    ),
    "a weight that is no parameter": lambda ns, name: setattr(
        getattr(ns, name)(3, 5), "weight_ih_l0", zeros(5, 3)
    ),
}
ONLY_RNN_AND_GRU: dict[str, Call] = {
    "proj_size=2": made(3, 5, proj_size=2),
    "proj_size=0": made(3, 5, proj_size=0),
    "a pair as the state": called(X, (zeros(1, 4, 5), zeros(1, 4, 5))),
    "a list as the state": called(X, [zeros(1, 4, 5)]),
}
ONLY_LSTM: dict[str, Call] = {
    "one tensor as the state of two layers": called(X, zeros(2, 4, 5), num_layers=2),
    "hidden of the size before the projection": called(X, state(1, 4, 5), proj_size=2),
}
ONLY_RNN: dict[str, Call] = {
    "nonlinearity='garbage'": made(3, 5, nonlinearity="garbage"),
    "nonlinearity=None": made(3, 5, nonlinearity=None),
    "nonlinearity=3": made(3, 5, nonlinearity=3),
    "nonlinearity='TANH'": made(3, 5, nonlinearity="TANH"),
}
# Cells: calls that both refuse.
CELLS_REFUSE: dict[str, Call] = {
    "input of three axes": called(randn(3, 2, 3)),
    "input of no axes": called(torch.tensor(1.0)),
    "input of another size": called(randn(2, 4)),
    "input of another size, one row": called(randn(4)),
    "input of another size beside a state": called(randn(4, 4), state(4, 5)),
    "input of another dtype": called(ROW.double()),
    "input of whole numbers": called(ROW.long()),
    "input of complex numbers": called(ROW.to(torch.complex64)),
    "input on another device": called(randn(4, 3, **META)),
    "input that is a list": called([[1.0, 2.0, 3.0]]),
    "input that is None": called(None),
    "input left out": called(),
    "state of another batch": called(ROW, state(3, 5)),
    "state of a batch of one": called(ROW, state(1, 5)),
    "state of another size": called(ROW, state(4, 6)),
    "state of one axis": called(ROW, state(5)),
    "state of three axes": called(ROW, state(1, 4, 5)),
    "state of four axes": called(ROW, state(1, 1, 4, 5)),
    "state of two axes for one row": called(randn(3), state(1, 5)),
    "state of another size for one row": called(randn(3), state(4)),
    "state of another dtype": called(ROW, state(4, 5, **DOUBLE)),
    "state of whole numbers": called(ROW, state(4, 5, dtype=torch.int64)),
    "state on another device": called(ROW, state(4, 5, **META)),
    "state whose cell is of another batch": called(ROW, pair(zeros(4, 5), zeros(3, 5))),
    "state whose cell is of a batch of one": called(ROW, pair(zeros(4, 5), zeros(1, 5))),
    "state whose cell is of another size": called(ROW, pair(zeros(4, 5), zeros(4, 6))),
    "state that is an array": called(ROW, np.zeros((4, 5), np.float32)),
    "three tensors as the state": called(ROW, (zeros(4, 5),) * 3),
    "one tensor of a tuple as the state": called(ROW, (zeros(4, 5),)),
    "input_size=-1": made(-1, 5),
    "hidden_size=-1": made(3, -1),
    "hidden_size=5.0": made(3, 5.0),
    "hidden_size='5'": made(3, "5"),
    "input_size=None": made(None, 5),
    "dtype=torch.int64": made(3, 5, dtype=torch.int64),
    "dtype='float32'": made(3, 5, dtype="float32"),
    "an option that is none": made(3, 5, units=4),
    "no sizes": made(),
}
ONLY_LSTM_CELL: dict[str, Call] = {
    "one tensor as the state": called(ROW, zeros(4, 5)),
    "both in one tensor as the state": called(ROW, zeros(2, 4, 5)),
}
ONLY_RNN_CELL: dict[str, Call] = {
    "nonlinearity='garbage'": called(ROW, nonlinearity="garbage"),
}

REFUSED = [
    *((name, what, call) for what, call in LAYERS_REFUSE.items() for name in LAYERS),
    *((name, what, call) for what, call in ONLY_RNN_AND_GRU.items() for name in LAYERS[:2]),
    *(("LSTM", what, call) for what, call in ONLY_LSTM.items()),
    *(("RNN", what, call) for what, call in ONLY_RNN.items()),
    *((name, what, call) for what, call in CELLS_REFUSE.items() for name in CELLS),
    *(("LSTMCell", what, call) for what, call in ONLY_LSTM_CELL.items()),
    *(("RNNCell", what, call) for what, call in ONLY_RNN_CELL.items()),
]
# Calls that Python or torch.nn.Module itself refuses, in both.
NOT_OURS = (
    "left out",
    "keyword",
    "is none",
    "no sizes",
    "one size",
    "weights that",
    "weights of",
    "parameter",
    "nowhere",
)


def outcome(call: Call, ns: Any, name: str) -> Exception | None:
    torch.manual_seed(0)
    try:
        call(ns, name)
    except Exception as error:
        return error
    return None


@pytest.mark.parametrize(("name", "what", "call"), REFUSED, ids=[f"{n}: {w}" for n, w, _ in REFUSED])
def test_what_torch_refuses_is_caught_by_the_same_class(name, what, call):
    theirs, ours = outcome(call, torch.nn, name), outcome(call, recurra, name)
    assert theirs is not None, "torch.nn takes it"
    assert isinstance(ours, type(theirs)), f"{ours!r} is not caught by {type(theirs).__name__}"
    if not any(part in what for part in NOT_OURS):
        assert isinstance(ours, RecurraError)
        assert "got" in str(ours)
        assert "expected" in str(ours) or "leave it out" in str(ours)


TAKEN: list[tuple[str, str, Call]] = [
    *((name, "no rows", called(randn(2, 0, 3))) for name in LAYERS),
    *((name, "one row", called(randn(2, 3), state(1, 5))) for name in LAYERS),
    *((name, "numpy's dropout", made(3, 5, 2, dropout=np.float32(0.5))) for name in LAYERS),
    *((name, "dropout=1", made(3, 5, 2, dropout=1)) for name in LAYERS),
    *((name, "complex weights", called(X.to(torch.complex64), dtype=torch.complex64)) for name in LAYERS),
    *((name, "an expanded state", called(X, lambda n: expanded(n))) for name in LAYERS),
    ("LSTM", "a list as the state", called(X, [zeros(1, 4, 5), zeros(1, 4, 5)])),
    *((name, "no units", called(ROW, state(4, 0), sizes=(3, 0))) for name in CELLS),
    *((name, "no units, no state", called(ROW, sizes=(3, 0))) for name in CELLS),
    *((name, "no units, one row", called(randn(3), state(0), sizes=(3, 0))) for name in CELLS),
    *((name, "no inputs", called(randn(4, 0), sizes=(0, 5))) for name in CELLS),
    *((name, "no rows", called(randn(0, 3), state(0, 5))) for name in CELLS),
    *((name, "complex weights", called(ROW.to(torch.complex64), dtype=torch.complex64)) for name in CELLS),
    *((name, "a sparse input", called(ROW.to_sparse())) for name in CELLS),
    ("LSTMCell", "a list as the state", called(ROW, [zeros(4, 5), zeros(4, 5)])),
]


def expanded(name: str) -> Any:
    row = randn(1, 1, 5).expand(1, 4, 5)
    return (row, row) if name == "LSTM" else row


def tensors(result: Any) -> list[torch.Tensor]:
    if isinstance(result, torch.Tensor):
        return [result]
    return [part for each in result for part in tensors(each)] if isinstance(result, tuple) else []


@pytest.mark.parametrize(("name", "what", "call"), TAKEN, ids=[f"{n}: {w}" for n, w, _ in TAKEN])
def test_what_torch_takes_gives_the_same(name, what, call):
    results = []
    for ns in (torch.nn, recurra):
        torch.manual_seed(0)
        results.append(tensors(call(ns, name)))
    torch.testing.assert_close(results[1], results[0])


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("given", [1, 0, None, "x"])
def test_directions_are_counted_as_torch_counts_them_with_a_warning(name, given):
    with pytest.warns(
        UserWarning, match=f"bidirectional: got {given!r}, which counts as {bool(given)}"
    ) as said:
        ours = getattr(recurra, name)(3, 5, bidirectional=given)
    assert [each.filename for each in said] == [__file__]
    theirs = getattr(torch.nn, name)(3, 5, bidirectional=given)
    assert list(ours.state_dict()) == list(theirs.state_dict())


# Calls that only ours accept.
EXTENSIONS: list[tuple[str, str, Call]] = [
    *((name, "no steps at all", called(randn(0, 4, 3))) for name in LAYERS),
    *((name, "numpy's whole numbers", made(3, np.int64(5))) for name in LAYERS),
    *(
        ("RNN", f"nonlinearity={g!r}", made(3, 5, nonlinearity=g))
        for g in ("leaky_relu", "sigmoid", "hardtanh")
    ),
    ("RNNCell", "nonlinearity='sigmoid'", called(ROW, nonlinearity="sigmoid")),
]
# Calls that only torch.nn accepts: mistakes that would silently give wrong results.
STRICTER: list[tuple[str, str, Call]] = [
    # LSTM(3, 5, True) builds one layer; the caller meant bias, which comes after num_layers.
    *((name, "num_layers=True", made(3, 5, True)) for name in LAYERS),
    *((name, "hidden_size=True", made(3, True)) for name in ("GRU", "LSTM", *CELLS)),
    # torch.nn raises only when the cell is called.
    ("RNNCell", "nonlinearity='garbage'", made(3, 5, nonlinearity="garbage")),
    # torch.nn computes in both dtypes: the hidden state has one of them, the memory cell the other.
    ("LSTMCell", "a memory of another dtype", called(ROW, pair(zeros(4, 5), zeros(4, 5, **DOUBLE)))),
    # torch.nn.RNN accepts it only because its first product does; GRU and LSTM refuse it.
    ("RNN", "a sparse state", called(X, zeros(1, 4, 5).to_sparse())),
]


@pytest.mark.parametrize(("name", "what", "call"), EXTENSIONS, ids=[f"{n}: {w}" for n, w, _ in EXTENSIONS])
def test_what_ours_take_beyond_torch(name, what, call):
    assert outcome(call, torch.nn, name) is not None
    assert outcome(call, recurra, name) is None


@pytest.mark.parametrize(("name", "what", "call"), STRICTER, ids=[f"{n}: {w}" for n, w, _ in STRICTER])
def test_what_ours_refuse_beyond_torch(name, what, call):
    assert outcome(call, torch.nn, name) is None
    assert isinstance(outcome(call, recurra, name), RecurraError)


@pytest.mark.parametrize(
    "call",
    [
        called(X, zeros(1, 4, 5)),
        called(randn(2, 3), zeros(1, 5)),
        called(X, (zeros(1, 4, 5),)),
        called(PACKED, state(1, 5)),
    ],
    ids=["one tensor", "one tensor of one row", "a tuple of one", "two axes beside a packed input"],
)
def test_where_torch_fails_while_it_makes_its_message(call):
    """torch.nn.LSTM raises an IndexError in place of the intended RuntimeError; ours raises the latter."""
    assert isinstance(outcome(call, torch.nn, "LSTM"), IndexError)
    ours = outcome(call, recurra, "LSTM")
    assert isinstance(ours, RecurraError)
    assert isinstance(ours, RuntimeError)


def test_the_conditions_are_many():
    assert len({what for _, what, _ in REFUSED}) >= 60
