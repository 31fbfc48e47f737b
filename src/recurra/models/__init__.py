"""Networks, each an nn.Module from symbols to logits, and n-gram models."""

from recurra.models.language_model import LanguageModelNetwork
from recurra.models.ngram import NGramModel, NGramNetwork

__all__ = ["LanguageModelNetwork", "NGramModel", "NGramNetwork"]
