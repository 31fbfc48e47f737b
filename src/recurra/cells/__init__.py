"""The room of cells: what one step computes. Equation, gate order, weights, state, one reference step."""

from recurra.cells.cell import Cell
from recurra.cells.checks import (
    WrongType,
    autocasts,
    check_dense,
    check_kind,
    check_sizes,
    check_tensor,
    checked_state,
    dtype_faults,
    refuse,
    shape_error,
    size_faults,
    truth_of,
)
from recurra.cells.concatenated import (
    ConcatenatedWeights,
    concatenate_weights,
    from_notes,
    notes_weights,
    split_weights,
)
from recurra.cells.conversion import (
    KerasWeights,
    ONNXWeights,
    from_keras,
    from_onnx,
    keras_weights,
    onnx_attributes,
    onnx_weights,
)
from recurra.cells.equation import Equation, init_uniform
from recurra.cells.gru import RESETS, GRUCell, GRUEquation, GRUWeights
from recurra.cells.jordan import OUTPUT_FUNCTIONS, JordanCell, JordanEquation, JordanWeights
from recurra.cells.lstm import (
    OUTPUT_ACTIVATIONS,
    PEEPHOLES,
    LSTMCell,
    LSTMEquation,
    LSTMWeights,
    forget_bias_faults,
)
from recurra.cells.rnn import NONLINEARITIES, RNNCell, RNNEquation, RNNWeights
from recurra.cells.state import LSTMState, State, hidden_of, map_state, state_from

__all__ = [
    "NONLINEARITIES",
    "OUTPUT_ACTIVATIONS",
    "OUTPUT_FUNCTIONS",
    "PEEPHOLES",
    "RESETS",
    "Cell",
    "ConcatenatedWeights",
    "Equation",
    "GRUCell",
    "GRUEquation",
    "GRUWeights",
    "JordanCell",
    "JordanEquation",
    "JordanWeights",
    "KerasWeights",
    "LSTMCell",
    "LSTMEquation",
    "LSTMState",
    "LSTMWeights",
    "ONNXWeights",
    "RNNCell",
    "RNNEquation",
    "RNNWeights",
    "State",
    "WrongType",
    "autocasts",
    "check_dense",
    "check_kind",
    "check_sizes",
    "check_tensor",
    "checked_state",
    "concatenate_weights",
    "dtype_faults",
    "forget_bias_faults",
    "from_keras",
    "from_notes",
    "from_onnx",
    "hidden_of",
    "init_uniform",
    "keras_weights",
    "map_state",
    "notes_weights",
    "onnx_attributes",
    "onnx_weights",
    "refuse",
    "shape_error",
    "size_faults",
    "split_weights",
    "state_from",
    "truth_of",
]
