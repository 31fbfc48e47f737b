"""The network that a language model's configuration names."""

from recurra.models import LanguageModelNetwork, NextSymbolNetwork, WindowNetwork
from recurra.tasks.language_modeling.config import LanguageModelConfig


def build_network(vocabulary_size: int, config: LanguageModelConfig) -> NextSymbolNetwork:
    """A network with its first weights.

    Raises: ConfigError where tied weights cannot fit.
    """
    if config.model == "feed-forward":
        return WindowNetwork(vocabulary_size, config, config)
    return LanguageModelNetwork(vocabulary_size, config)
