"""The network that a configuration names, over the symbols of its pairs."""

from recurra.models.seq2seq import Seq2SeqNetwork
from recurra.models.source import EncoderDecoderConfig
from recurra.tasks.seq2seq.config import Seq2SeqConfig
from recurra.tasks.seq2seq.corpus import PairSymbols


def build_network(config: Seq2SeqConfig, symbols: PairSymbols) -> Seq2SeqNetwork:
    """A network with its first weights.

    Raises: ConfigError where the configuration does not fit the pairs.
    """
    own = {name: getattr(config, name) for name in EncoderDecoderConfig.model_fields}
    return Seq2SeqNetwork(
        EncoderDecoderConfig(**own), symbols.kind, symbols.target.vocabulary_size, symbols.end
    )
