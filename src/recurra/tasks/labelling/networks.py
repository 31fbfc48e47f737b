"""Builds the network of a labelling configuration."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from recurra.data.examples import Example
from recurra.errors import ConfigError
from recurra.layers import Constraints
from recurra.models.classifier import ClassifierNetwork, balanced_weights
from recurra.models.pair import AlignedNetwork, PairShape, SiameseNetwork
from recurra.models.tagger import TaggerNetwork
from recurra.models.word_input import InputSizes
from recurra.tasks.labelling.config import ClassifyConfig, LabellingConfig, PairConfig, TagConfig
from recurra.tasks.labelling.predicting import LabellingNetwork
from recurra.text import bio_rules
from recurra.text.label_symbols import Symbols


def build_network(
    config: LabellingConfig, symbols: Symbols, train: Iterable[Example] = ()
) -> LabellingNetwork:
    """Build a network with initial weights.

    Balanced class weights are computed from `train`.

    Raises: ConfigError if the configuration does not fit the rows.
    """
    lists = 0 if symbols.gazetteer is None else len(symbols.gazetteer.lists)
    sizes = None if symbols.words is None else InputSizes.of(symbols.words, lists)
    of_labels, of_classes = class_weights(config, symbols, train)
    num_classes = 0 if symbols.classes is None else len(symbols.classes)
    if isinstance(config, TagConfig):
        assert symbols.labels is not None, "a tagger has labels"
        if config.decoder == "sigmoid" and len(symbols.labels) != 2:
            raise ConfigError(
                f"decoder: sigmoid needs exactly two word labels, got {len(symbols.labels)} "
                f"({', '.join(symbols.labels.symbols[:4])} …); use softmax or crf."
            )
        return TaggerNetwork(
            config,
            len(symbols.labels),
            kind=config.model,
            decoder=config.decoder,
            num_classes=num_classes,
            sentence_loss_weight=config.sentence_loss_weight,
            sizes=sizes,
            vector_shape=symbols.vector_shape,
            constraints=_constraints(symbols) if config.constrained and symbols.spans else None,
            label_weights=of_labels,
            class_weights=of_classes,
        )
    if isinstance(config, PairConfig):
        if sizes is None:
            raise ConfigError("data: contains vectors, but the task pair needs texts.")
        shape = PairShape(
            outputs=num_classes if symbols.scale is None else 1,
            sizes=sizes,
            kind=config.model,
            pooling=config.pooling,
            scores=symbols.scale is not None,
            features=0 if symbols.features is None else len(symbols.features.names),
            symmetric=config.symmetric,
        )
        network = (SiameseNetwork if config.matching == "siamese" else AlignedNetwork)(config, shape)
        network.class_weights = of_classes
        return network
    assert isinstance(config, ClassifyConfig), "there are three tasks"
    return ClassifierNetwork(
        config,
        num_classes,
        kind=config.model,
        pooling=config.pooling,
        sizes=sizes,
        vector_shape=symbols.vector_shape,
        class_weights=of_classes,
    )


def class_weights(
    config: LabellingConfig, symbols: Symbols, train: Iterable[Example]
) -> tuple[Tensor | None, Tensor | None]:
    """Return the balanced weights of the word labels and of the rows' labels; None where there are none.

    Shapes: results (K,).
    """
    if config.class_weights != "balanced":
        return None, None
    rows, labels, classes = list(train), symbols.labels, symbols.classes
    of_words = (tag for row in rows for tag in row.labels or ())
    of_rows = (row.label for row in rows if row.label is not None)
    return (
        None if labels is None else balanced_weights(of_words, labels),
        None if classes is None else balanced_weights(of_rows, classes),
    )


def vectors_of(network: LabellingNetwork) -> nn.Embedding:
    """Return the embedding of a network's words."""
    words = network.reader.words
    assert words is not None, "the configuration has word vectors"
    assert isinstance(words.words, nn.Embedding), "word vectors are stored in an embedding"
    return words.words


def _constraints(symbols: Symbols) -> Constraints:
    assert symbols.labels is not None, "only called for taggers"
    begins, follows = bio_rules(symbols.labels.symbols)
    first, after = torch.from_numpy(begins), torch.from_numpy(follows)
    return Constraints(first, after, torch.ones_like(first))
