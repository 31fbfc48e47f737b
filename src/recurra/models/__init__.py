"""Networks, each an nn.Module from symbols to logits, and n-gram models."""

from recurra.models.feed_forward import WindowNetwork
from recurra.models.language_model import LanguageModelNetwork
from recurra.models.next_symbol import NextSymbolNetwork, SegmentLoss
from recurra.models.ngram import NGramModel, NGramNetwork, read_arpa, write_arpa
from recurra.models.speller import Speller
from recurra.models.streaming import StreamingLanguageModel

__all__ = [
    "LanguageModelNetwork",
    "NGramModel",
    "NGramNetwork",
    "NextSymbolNetwork",
    "SegmentLoss",
    "Speller",
    "StreamingLanguageModel",
    "WindowNetwork",
    "read_arpa",
    "write_arpa",
]
