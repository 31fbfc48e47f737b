"""Recurrent layers over time: stacks, lengths, resets, pooling, and the parameter count of a network."""

from recurra.layers.crf import ConditionalRandomField, Constraints, LabelPath
from recurra.layers.dropout import SequenceDropout, embed_with_dropout
from recurra.layers.gru import GRU
from recurra.layers.jordan import JordanRNN
from recurra.layers.lstm import LSTM
from recurra.layers.options import LayerOptions
from recurra.layers.output import AdaptiveSoftmaxOutput, SoftmaxOutput, linear_cross_entropy
from recurra.layers.pooling import (
    AttentionPooling,
    ends_of_output,
    ends_of_state,
    pool_steps,
    real_steps,
)
from recurra.layers.recurrent import RecurrentLayer
from recurra.layers.resets import run_with_resets
from recurra.layers.rnn import RNN
from recurra.layers.state import LSTMState, State, detach_state, map_state, rows_of_state
from recurra.layers.step import StreamingStep
from recurra.layers.summary import ParameterRow, ParameterSummary, parameter_summary
from recurra.layers.watching import Watched, watch

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "AdaptiveSoftmaxOutput",
    "AttentionPooling",
    "ConditionalRandomField",
    "Constraints",
    "JordanRNN",
    "LSTMState",
    "LabelPath",
    "LayerOptions",
    "ParameterRow",
    "ParameterSummary",
    "RecurrentLayer",
    "SequenceDropout",
    "SoftmaxOutput",
    "State",
    "StreamingStep",
    "Watched",
    "detach_state",
    "embed_with_dropout",
    "ends_of_output",
    "ends_of_state",
    "linear_cross_entropy",
    "map_state",
    "parameter_summary",
    "pool_steps",
    "real_steps",
    "rows_of_state",
    "run_with_resets",
    "watch",
]
