"""The word vectors of language models."""

from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from recurra.data import TokenStreams
from recurra.errors import ConfigError
from recurra.layers import AdaptiveSoftmaxOutput
from recurra.models import NextSymbolNetwork
from recurra.models.evaluating import evaluating
from recurra.models.word_vectors.keyed import KeyedVectors
from recurra.models.word_vectors.taken import MeanStates, taken_vectors
from recurra.text.vocabulary import EOS, UNK

if TYPE_CHECKING:
    from recurra.tasks.language_modeling.text_model import TextModel

_STREAMS, _STEPS = 32, 256


def vectors_of_model(model: "TextModel", kind: str, data: Path | None, min_count: int) -> KeyedVectors:
    """Return the vectors of the words of a language model, without `<unk>` and `<eos>`.

        input        the embedding E
        output       the rows of the output layer; with tied weights they are those of E
        contextual   the mean over the occurrences of a word in a text, read as 32 streams, of the last
                     layer's output after it has read the word (feed-forward: of the hidden layer)

    Raises: ConfigError for n-grams, for symbols that are not words, and for outputs of an adaptive softmax.
    Source: T. Mikolov et al., Linguistic regularities in continuous space word representations (2013).
    """
    network, tokenizer = model.network, model.tokenizer
    if not isinstance(network, NextSymbolNetwork):
        raise ConfigError("word_vectors: the model has counts of n-grams and no vectors; name a network.")
    if tokenizer.unit != "word":
        raise ConfigError(
            f"word_vectors: the symbols of the model are {tokenizer.unit}s; train one with unit word."
        )
    symbols, special = tokenizer.vocabulary.symbols, (UNK, EOS)
    if kind == "input":
        return taken_vectors(symbols, network.embedding.weight, without=special)
    if kind == "output":
        if isinstance(network.output, AdaptiveSoftmaxOutput):
            raise ConfigError(
                "kind: the adaptive softmax has no output vectors of one size; use input or contextual."
            )
        return taken_vectors(symbols, network.output.weight, without=special)
    states = _mean_states(model, network, data)
    return taken_vectors(symbols, states.table(), without=special, counts=states.counts, min_count=min_count)


def _mean_states(model: "TextModel", network: NextSymbolNetwork, data: Path | None) -> MeanStates:
    text = model.encoded("train") if data is None else model.read_file(data)
    count = max(1, min(_STREAMS, len(text.tokens) // _STEPS))
    streams = TokenStreams(
        text.tokens.ids,
        start_id=model.tokenizer.start_id,
        batch_size=count,
        segment_length=min(_STEPS, len(text.tokens) // count),
        document_starts=text.tokens.document_starts,
        at_document="reset" if model.config.at_document == "reset" else "carry",
        name=str(text.source.path),
    )
    found, state = MeanStates(network.vocabulary_size), None
    with evaluating(network):
        for index in range(len(streams)):
            segment = streams.segment(index).to(network.device)
            features, state = network.features(segment.inputs, state, segment.lengths, segment.resets)
            real = None
            if segment.lengths is not None:
                steps = nn.functional.one_hot(segment.lengths, segment.inputs.shape[1] + 1)
                real = (1 - steps.cumsum(1))[:, :-1].bool().to(network.device)
            found.add(segment.inputs, features.raw, real)
    return found
