"""The room of cells: what one step computes. Equation, gate order, weights, state, one reference step."""

from recurra.cells.cell import Cell
from recurra.cells.checks import autocasts, check_kind, check_sizes, checked_state, shape_error
from recurra.cells.concatenated import ConcatenatedWeights, concatenate_weights, split_weights
from recurra.cells.equation import Equation, init_uniform
from recurra.cells.gru import GRUCell, GRUEquation, GRUWeights
from recurra.cells.lstm import LSTMCell, LSTMEquation, LSTMWeights
from recurra.cells.rnn import NONLINEARITIES, RNNCell, RNNEquation, RNNWeights
from recurra.cells.state import LSTMState, State, hidden_of, map_state, state_from

__all__ = [
    "NONLINEARITIES",
    "Cell",
    "ConcatenatedWeights",
    "Equation",
    "GRUCell",
    "GRUEquation",
    "GRUWeights",
    "LSTMCell",
    "LSTMEquation",
    "LSTMState",
    "LSTMWeights",
    "RNNCell",
    "RNNEquation",
    "RNNWeights",
    "State",
    "autocasts",
    "check_kind",
    "check_sizes",
    "checked_state",
    "concatenate_weights",
    "hidden_of",
    "init_uniform",
    "map_state",
    "shape_error",
    "split_weights",
    "state_from",
]
