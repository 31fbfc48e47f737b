"""The word vectors of taggers and classifiers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import nn

from recurra.data.batches import BucketedOrder
from recurra.data.examples import Example
from recurra.errors import ConfigError
from recurra.layers.pooling import real_steps
from recurra.models.evaluating import evaluating
from recurra.models.word_vectors.keyed import KeyedVectors
from recurra.models.word_vectors.taken import MeanStates, taken_vectors
from recurra.tasks.labelling.feeds import EncodedRows
from recurra.tasks.opening import task_and_config
from recurra.text import UNK

if TYPE_CHECKING:
    from recurra.tasks.labelling.calibrated import CalibratedModel

_BATCH = 64


def training_rows(model: "CalibratedModel") -> Sequence[Example]:
    """Return the training rows of a model's run. Raises: ConfigError without a run; DataError."""
    known = model.known("train")
    assert model.run is not None, "checked"
    task, config = task_and_config(model.run)
    corpus: Any = task.read_again(config, model.symbols, known)
    rows: Sequence[Example] = corpus.train
    return rows


def vectors_of_model(
    model: "CalibratedModel", kind: str, rows: Sequence[Example], min_count: int
) -> KeyedVectors:
    """Return the vectors of the words of a labelling model, without `<unk>`.

        input        the embedding
        contextual   the mean of the encoder's output over the occurrences of a word in rows

    Words are in the form in which the model looks them up, such as lower case.

    Raises: ConfigError for the output, for a model that reads numbers, or without an embedding of words.
    """
    words = model.network.reader.words
    if words is None or model.symbols.words is None:
        raise ConfigError("word_vectors: the model reads numbers, not words; name a model of texts.")
    symbols = model.symbols.words.words.symbols
    if kind == "output":
        raise ConfigError(
            "kind: the output layer has vectors of labels, not of words; use input or contextual."
        )
    if kind == "input":
        if not isinstance(words.words, nn.Embedding):
            raise ConfigError(
                f"kind: the model has no embedding of words (word_vectors {model.config.word_vectors}); use "
                "contextual."
            )
        return taken_vectors(symbols, words.words.weight, without=[UNK])
    found = MeanStates(len(symbols))
    firsts = [Example(row.words) for row in rows]
    encoded = EncodedRows([*firsts, *(Example(row.second) for row in rows if row.second)], model.symbols)
    order = BucketedOrder(encoded.lengths, _BATCH, 0, shuffle=False)
    reader = model.network.reader
    with evaluating(model.network):
        for number in range(len(order)):
            batch = encoded.batch(order.batch(number).tolist()).to(model.device)
            assert batch.words is not None, "rows of words"
            steps = reader(batch.words, batch.lengths).steps
            found.add(batch.words.ids, steps, real_steps(steps, batch.lengths))
    return taken_vectors(symbols, found.table(), without=[UNK], counts=found.counts, min_count=min_count)
