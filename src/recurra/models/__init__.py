"""Networks, each an nn.Module from symbols to logits, and n-gram models."""

from recurra.models.language_model import LanguageModelNetwork

__all__ = ["LanguageModelNetwork"]
