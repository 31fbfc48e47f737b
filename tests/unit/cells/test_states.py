"""Code that traverses nested structures rebuilds the states of layers and cells as it does any tuple."""

import copy
import pickle

import pytest
import torch
from torch.utils import _pytree
from torch.utils.data import default_collate

from recurra.cells import LSTMCell, LSTMState
from recurra.layers import LSTM

HIDDEN, CELL = torch.zeros(1, 2, 3), torch.ones(1, 2, 3)
STATE = LSTMState(HIDDEN, CELL)


def holds(state, hidden=HIDDEN, cell=CELL):
    assert type(state) is LSTMState
    return torch.equal(state.hidden, hidden) and torch.equal(state.cell, cell)


@pytest.mark.parametrize(
    "rebuilt",
    [
        lambda state: type(state)(part for part in state),
        lambda state: type(state)([*state]),
        lambda state: type(state)(state),
        lambda state: type(state)(*state),
        lambda state: type(state)(hidden=state.hidden, cell=state.cell),
        lambda state: type(state)(**state._asdict()),
        lambda state: type(state)._make(state),
        lambda state: state._replace(cell=state.cell),
        lambda state: _pytree.tree_map(torch.clone, state),
        lambda state: pickle.loads(pickle.dumps(state)),
        copy.copy,
        copy.deepcopy,
        torch.compile(lambda state: type(state)(part * 1 for part in state), backend="eager"),
        torch.compile(lambda state: LSTMState(state.hidden * 1, state.cell), fullgraph=True, backend="eager"),
    ],
)
def test_a_state_is_rebuilt(rebuilt):
    assert holds(rebuilt(STATE))


def test_a_state_is_the_pair_that_torch_gives():
    hidden, cell = STATE
    assert hidden is HIDDEN
    assert cell is CELL
    assert STATE == (HIDDEN, CELL)
    assert STATE._fields == ("hidden", "cell")


def test_states_are_collated():
    both = default_collate([STATE, STATE])
    assert holds(both, torch.zeros(2, 1, 2, 3), torch.ones(2, 1, 2, 3))


def test_a_state_is_saved_and_loaded_by_torch(tmp_path):
    """torch.load loads only classes that it knows to be safe."""
    torch.save({"state": STATE}, tmp_path / "state.pt")
    assert holds(torch.load(tmp_path / "state.pt")["state"])


def test_a_layer_that_hands_one_out_is_exported_to_a_file(tmp_path):
    layer, x = LSTM(3, 4), torch.randn(5, 2, 3)
    torch.export.save(torch.export.export(layer, (x,)), tmp_path / "layer.pt2")
    _, state = torch.export.load(tmp_path / "layer.pt2").module()(x)
    assert holds(state, *layer(x)[1])


def test_a_state_crosses_vmap():
    """torch.func traverses inputs and outputs as nested structures."""
    doubled = torch.vmap(lambda state: LSTMState(state.hidden, 2 * state.cell))(STATE)
    assert holds(doubled, HIDDEN, 2 * CELL)


@pytest.mark.parametrize("make", [lambda: LSTM(3, 4), lambda: LSTMCell(3, 4)])
def test_what_comes_back_goes_in_detached(make):
    layer, x = make(), torch.randn(5, 2, 3) if isinstance(make(), LSTM) else torch.randn(2, 3)
    after = layer(x)
    state = after if isinstance(after, LSTMState) else after[1]
    again = layer(x, type(state)(part.detach() for part in state))
    assert type(again if isinstance(again, LSTMState) else again[1]) is LSTMState


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ((HIDDEN,), "LSTMState: got one tensor, expected hidden and cell; pass both"),
        (([HIDDEN],), "LSTMState: got an iterable of 1, expected hidden and cell"),
        (([HIDDEN, CELL, CELL],), "LSTMState: got an iterable of 3, expected hidden and cell"),
        ((HIDDEN, CELL, CELL), "positional arguments"),
        ((), "missing 1 required positional argument: 'hidden'"),
        ((3,), "'int' object is not iterable"),
    ],
)
def test_what_is_no_pair_is_a_type_error(given, sentence):
    with pytest.raises(TypeError, match=sentence):
        LSTMState(*given)
