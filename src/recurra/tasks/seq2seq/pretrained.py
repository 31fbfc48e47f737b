"""Pretrained word vectors of the source and of the target of an encoder-decoder."""

from collections import Counter
from collections.abc import Iterable

from torch import nn

from recurra.data.examples import BadRows
from recurra.errors import ConfigError
from recurra.models.seq2seq import Seq2SeqNetwork
from recurra.tasks.pretrained import InitialVectors, counted_words
from recurra.tasks.seq2seq.config import Seq2SeqConfig
from recurra.tasks.seq2seq.corpus import PairCorpus
from recurra.text import Tokenizer


def take_vectors(config: Seq2SeqConfig, corpus: PairCorpus) -> None:
    """Read the pretrained vectors of the words of the training pairs into a corpus.

    Raises: ConfigError if those of the source and of the target have different sizes; as `source_vectors`.
    """
    symbols, bad = corpus.symbols, BadRows(config.skip_bad)

    def read(option: str, path: str, tokenizer: Tokenizer, encoded: Iterable[list[int]]) -> InitialVectors:
        of_ids = Counter(id_ for ids in encoded for id_ in ids)
        counts = counted_words(tokenizer, [of_ids[id_] for id_ in range(tokenizer.vocabulary_size)])
        return InitialVectors.read(path, counts, bad, option=option)

    if config.vectors is not None:
        sources = (symbols.encode_source(pair.source) for pair in corpus.train)
        corpus.vectors = read("vectors", config.vectors, symbols.source, sources)
    if config.target_vectors is not None:
        targets = (symbols.encode_target(text) for pair in corpus.train for text in pair.targets)
        corpus.target_vectors = read("target_vectors", config.target_vectors, symbols.target, targets)
    if corpus.vectors is not None and corpus.target_vectors is not None:
        size, of_source = corpus.target_vectors.table.size, corpus.vectors.table.size
        if size != of_source:
            raise ConfigError(
                f"target_vectors: got vectors of {size} numbers, expected {of_source}, the size of those of "
                f"{corpus.vectors.path}; use vectors of one size."
            )


def settled(config: Seq2SeqConfig, corpus: PairCorpus) -> Seq2SeqConfig:
    """Return a configuration with the embedding size of pretrained vectors.

    Raises: ConfigError if another one is given.
    """
    for given in (corpus.vectors, corpus.target_vectors):
        if given is not None:
            config = given.settled(config)
    return config


def fill(network: Seq2SeqNetwork, corpus: PairCorpus) -> None:
    """Set the rows of words with a vector in the embeddings of both sides."""
    symbols = corpus.symbols
    if corpus.vectors is not None:
        corpus.vectors.fill(network.source_embedding, symbols.source.vocabulary.ids)
    if corpus.target_vectors is not None:
        corpus.target_vectors.fill(network.embedding, symbols.target.vocabulary.ids)


def pretrained_embeddings(network: Seq2SeqNetwork, config: Seq2SeqConfig) -> list[nn.Embedding]:
    """Return the embeddings that start from pretrained vectors."""
    found = [] if config.vectors is None else [network.source_embedding]
    return found if config.target_vectors is None else [*found, network.embedding]
