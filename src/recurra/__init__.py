"""Recurra: recurrent sequence models, from a raw file to a trained and evaluated model.

import recurra as rc
lstm = rc.LSTM(128, 256, num_layers=2)                 # replaces torch.nn.LSTM
lm = rc.LanguageModel.train("corpus.txt", out="runs/tiny")
lm.sample("The ", temperature=0.8, seed=1)
"""

from typing import TYPE_CHECKING

from recurra.lazy import lazy_names
from recurra.processors import prepare_threads

if TYPE_CHECKING:
    from recurra.cells import GRUCell, JordanCell, LSTMCell, LSTMState, RNNCell
    from recurra.errors import RecurraError
    from recurra.layers import GRU, LSTM, RNN, JordanRNN, StreamingStep, parameter_summary, watch
    from recurra.results import rows
    from recurra.tasks.detection.facade import Detector
    from recurra.tasks.labelling.facade import Classifier, PairClassifier, Tagger
    from recurra.tasks.language_modeling.comparison import compare
    from recurra.tasks.language_modeling.facade import LanguageModel
    from recurra.tasks.model import load
    from recurra.tasks.repeats import Repeats
    from recurra.tasks.seq2seq.facade import Captioner, ChatBot, Translator
    from recurra.tasks.tuning import tune
    from recurra.tasks.workers import predicted_lines
    from recurra.text.words import Words

__version__ = "0.1.0"

prepare_threads()

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Captioner",
    "ChatBot",
    "Classifier",
    "Detector",
    "GRUCell",
    "JordanCell",
    "JordanRNN",
    "KeyedVectors",
    "LSTMCell",
    "LSTMState",
    "LanguageModel",
    "PairClassifier",
    "RNNCell",
    "RecurraError",
    "Repeats",
    "StreamingStep",
    "Tagger",
    "Translator",
    "WordVectors",
    "Words",
    "__version__",
    "compare",
    "load",
    "parameter_summary",
    "predicted_lines",
    "rows",
    "tune",
    "watch",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "GRU": "recurra.layers",
        "LSTM": "recurra.layers",
        "RNN": "recurra.layers",
        "JordanRNN": "recurra.layers",
        "StreamingStep": "recurra.layers",
        "parameter_summary": "recurra.layers",
        "watch": "recurra.layers",
        "GRUCell": "recurra.cells",
        "JordanCell": "recurra.cells",
        "LSTMCell": "recurra.cells",
        "LSTMState": "recurra.cells",
        "RNNCell": "recurra.cells",
        "RecurraError": "recurra.errors",
        "compare": "recurra.tasks.language_modeling.comparison",
        "LanguageModel": "recurra.tasks.language_modeling.facade",
        "Classifier": "recurra.tasks.labelling.facade",
        "PairClassifier": "recurra.tasks.labelling.facade",
        "Tagger": "recurra.tasks.labelling.facade",
        "Captioner": "recurra.tasks.seq2seq.facade",
        "ChatBot": "recurra.tasks.seq2seq.facade",
        "KeyedVectors": "recurra.models.word_vectors.keyed",
        "WordVectors": "recurra.tasks.vectors.facade",
        "Translator": "recurra.tasks.seq2seq.facade",
        "Detector": "recurra.tasks.detection.facade",
        "Words": "recurra.text.words",
        "Repeats": "recurra.tasks.repeats",
        "load": "recurra.tasks.model",
        "predicted_lines": "recurra.tasks.workers",
        "tune": "recurra.tasks.tuning",
        "rows": "recurra.results",
    },
)
