"""Predictions of a labelling network: labels of words and of rows, with their probabilities."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from recurra.data.batches import BucketedOrder, SequenceBatch
from recurra.data.examples import conversations
from recurra.errors import ConfigError
from recurra.layers import LabelPath, State
from recurra.models.classifier import ClassifierNetwork, PairNetwork
from recurra.models.evaluating import evaluating
from recurra.models.tagger import TaggerNetwork
from recurra.tasks.labelling.feeds import EncodedRows
from recurra.text.label_symbols import Symbols

LabellingNetwork = TaggerNetwork | ClassifierNetwork | PairNetwork
_BATCH = 64


@dataclass(frozen=True)
class Prediction:
    """The prediction for one row.

    `labels` are the word labels and `label_probabilities` their probabilities; `label` is the row's label and
    `probabilities` that of each class. `paths` are the n most probable label sequences, if requested.
    """

    labels: tuple[str, ...] | None = None
    label_probabilities: tuple[float, ...] = ()
    label: str | None = None
    probabilities: dict[str, float] | None = None
    paths: tuple[tuple[tuple[str, ...], float], ...] = ()

    @property
    def confidence(self) -> float:
        """Probability of the row's label or, without one, of its least certain word label."""
        if self.label is not None and self.probabilities is not None:
            return self.probabilities[self.label]
        return min(self.label_probabilities, default=1.0)


class Carried:
    """The state after the last turn of a conversation; None before its first turn."""

    def __init__(self) -> None:
        self.state: State | None = None


def predict_rows(
    network: LabellingNetwork,
    encoded: EncodedRows,
    *,
    n_best: int = 0,
    device: torch.device | None = None,
    carried: Carried | None = None,
) -> list[Prediction]:
    """Predict labels for rows, in order; the turns of a conversation run one after the other.

    With `carried`, the rows are the next turns of the conversation with that state, which is updated.

    Raises: ConfigError for n-best labels with a network without a CRF.
    """
    if n_best and (not isinstance(network, TaggerNetwork) or network.crf is None):
        raise ConfigError(
            "n_best: applies only to taggers with a conditional random field (--decoder crf); remove it."
        )
    found: dict[int, Prediction] = {}
    with evaluating(network):
        for batch, state_of in _batches(encoded) if carried is None else _turns(encoded, carried):
            moved = batch if device is None else batch.to(device)
            predictions = _predict(network, moved, encoded.symbols, n_best, state_of)
            found.update(zip(batch.rows, predictions, strict=True))
    return [found[row] for row in range(len(encoded.rows))]


def _turns(encoded: EncodedRows, carried: Carried) -> Iterator[tuple[SequenceBatch, Carried]]:
    for i in range(len(encoded.rows)):
        yield encoded.batch([i], fresh=carried.state is None), carried


def _batches(encoded: EncodedRows) -> Iterator[tuple[SequenceBatch, Carried]]:
    """Yield single rows in batches of similar length, and the turns of conversations one by one."""
    in_turns = encoded.symbols.in_turns
    groups = conversations(encoded.rows) if in_turns else [[i] for i in range(len(encoded.rows))]
    alone = [group[0] for group in groups if len(group) == 1]
    order = BucketedOrder([encoded.lengths[i] for i in alone], _BATCH, 0, shuffle=False)
    for number in range(len(order)):
        yield encoded.batch([alone[i] for i in order.batch(number)]), Carried()
    for group in groups:
        if len(group) > 1:
            carried = Carried()
            for i in group:
                yield encoded.batch([i], fresh=i == group[0]), carried


def _predict(
    network: LabellingNetwork, batch: SequenceBatch, symbols: Symbols, n_best: int, carried: Carried
) -> list[Prediction]:
    if isinstance(network, TaggerNetwork):
        emissions, classes, carried.state = network(*batch.inputs, state=carried.state)
        return _tagged(network, batch, symbols, emissions, classes, n_best)
    logits, carried.state = network(*batch.inputs, state=carried.state)
    return [Prediction(label=label, probabilities=shares) for label, shares in _classes(logits, symbols)]


def _classes(logits: Tensor, symbols: Symbols) -> list[tuple[str, dict[str, float]]]:
    assert symbols.classes is not None, "a classifier has classes"
    names = symbols.classes.symbols
    shares = logits.float().softmax(1).tolist()
    best = logits.argmax(1).tolist()
    return [(names[i], dict(zip(names, row, strict=True))) for i, row in zip(best, shares, strict=True)]


def _tagged(
    network: TaggerNetwork,
    batch: SequenceBatch,
    symbols: Symbols,
    emissions: Tensor,
    classes: Tensor | None,
    n_best: int,
) -> list[Prediction]:
    assert symbols.labels is not None, "a tagger has labels"
    names = symbols.labels.symbols
    lengths = batch.lengths.tolist()
    paths: list[list[LabelPath]] = []
    if network.crf is not None:
        paths, probabilities = network.crf.decode(emissions, batch.lengths, max(1, n_best))
        chosen = [row[0].labels for row in paths]
    else:
        probabilities = network.probabilities(emissions)
        chosen = [row[:T] for row, T in zip(probabilities.argmax(2).tolist(), lengths, strict=True)]
    of_rows = [None] * len(lengths) if classes is None else _classes(classes, symbols)
    said = probabilities.tolist()
    return [
        Prediction(
            labels=tuple(names[k] for k in chosen[b]),
            label_probabilities=tuple(said[b][t][k] for t, k in enumerate(chosen[b])),
            label=None if of_row is None else of_row[0],
            probabilities=None if of_row is None else of_row[1],
            paths=tuple((tuple(names[k] for k in path.labels), path.probability) for path in paths[b])
            if n_best
            else (),
        )
        for b, of_row in enumerate(of_rows)
    ]
