"""Predictions of a labelling network: labels of words and of rows, with their probabilities."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import torch
from numpy.typing import NDArray
from torch import Tensor

from recurra.data.batches import BucketedOrder, SequenceBatch
from recurra.data.examples import conversations
from recurra.errors import ConfigError
from recurra.layers import LabelPath, State
from recurra.models.classifier import ClassifierNetwork
from recurra.models.evaluating import evaluating
from recurra.models.pair import PairNetwork
from recurra.models.tagger import TaggerNetwork
from recurra.plain import listed
from recurra.results import Result
from recurra.tasks.labelling.feeds import EncodedRows
from recurra.text.label_symbols import Symbols

LabellingNetwork = TaggerNetwork | ClassifierNetwork | PairNetwork
REJECTED = "?"
"""The label of a row, or of a word, that no label is decided for."""
WORDS, ROWS = "words", "rows"
"""Where labels stand: at words (or at entities, if word labels mark them), or at whole rows."""
_BATCH = 64


class Temperatures(NamedTuple):
    """The temperatures that divide the scores of word labels and of the rows' labels."""

    words: float = 1.0
    rows: float = 1.0


UNSCALED = Temperatures()


class BatchScores(NamedTuple):
    """A batch on the network's device, and the network's scores for it.

    Shapes: emissions (B, T, K), or (B, T, 1) with decoder sigmoid, or None without word labels; classes
    (B, classes), or None without labels of rows; the standardised scores (B, 1) of a network of scores.
    """

    batch: SequenceBatch
    emissions: Tensor | None
    classes: Tensor | None


@dataclass(frozen=True, repr=False)
class Prediction(Result):
    """The prediction for one row.

    `labels` are the word labels and `label_probabilities` their probabilities; `label` is the row's label and
    `probabilities` that of each class; `score` is the row's score, of a model of scores. `paths` are the n
    most probable label sequences, and `every_label` the probability of each word label at each word, if
    requested. A label may be "?", if thresholds reject all labels.

    Shapes: every_label (T, K).
    """

    labels: tuple[str, ...] | None = None
    label_probabilities: tuple[float, ...] = ()
    label: str | None = None
    probabilities: dict[str, float] | None = None
    paths: tuple[tuple[tuple[str, ...], float], ...] = ()
    every_label: NDArray[Any] | None = field(default=None, compare=False, repr=False)
    score: float | None = None

    def told(self) -> str:
        """Return the labels of the steps, and the label of the row."""
        labels = [] if self.labels is None else [f"labels [{listed(self.labels, 90)}]"]
        return ", ".join([*labels, *told_label(self)])

    def to_rows(self, of: str | None = None) -> list[dict[str, Any]]:
        """Return one row per step, or one for the whole row; see `recurra.rows`.

        Raises: ConfigError for an unknown `of`.
        """
        self._refuse(of, "labels", "words", "n_best")
        if of == "n_best":
            return rows_of_paths(self.paths)
        if self.labels is None or of == "labels":
            return [row_of_label(self)]
        steps = zip(self.labels, self.label_probabilities, strict=True)
        return [{"step": t, "label": label, "probability": p} for t, (label, p) in enumerate(steps)]

    @property
    def confidence(self) -> float:
        """Probability of the row's label or, without one, of its least certain word label."""
        if self.label is not None and self.probabilities is not None:
            return probability_of(self.label, self.probabilities)
        return min(self.label_probabilities, default=1.0)


class Carried:
    """The state after the last turn of a conversation; None before its first turn."""

    def __init__(self) -> None:
        self.state: State | None = None


def probability_of(label: str, probabilities: dict[str, float]) -> float:
    """Return the probability of a row's label; of a rejected row, that of its most probable label."""
    return probabilities[label] if label in probabilities else max(probabilities.values(), default=0.0)


class _Labelled(Protocol):
    """A prediction with a label or a score of the whole row, if the model has one."""

    @property
    def label(self) -> str | None: ...

    @property
    def probabilities(self) -> dict[str, float] | None: ...

    @property
    def score(self) -> float | None: ...


def told_label(said: _Labelled) -> list[str]:
    """Return the label of a row and its probability, or its score, as text; empty if it has none."""
    if said.score is not None:
        return [f"score {said.score:.4f}"]
    if said.label is None or said.probabilities is None:
        return []
    return [f"label {said.label!r} {probability_of(said.label, said.probabilities):.4f}"]


def row_of_label(said: _Labelled) -> dict[str, Any]:
    """Return the label of a row, its probability, and that of each class, or its score, as flat values."""
    if said.score is not None:
        return {"score": said.score}
    shares = said.probabilities or {}
    share = probability_of(said.label, shares) if said.label is not None and shares else None
    found: dict[str, Any] = {"label": said.label, "probability": share}
    return found | {f"P({label})": share for label, share in shares.items()}


def rows_of_paths(paths: tuple[tuple[tuple[str, ...], float], ...]) -> list[dict[str, Any]]:
    """Return the n most probable label sequences as rows."""
    return [
        {"rank": rank, "labels": " ".join(labels), "probability": share}
        for rank, (labels, share) in enumerate(paths)
    ]


def predict_rows(
    network: LabellingNetwork,
    encoded: EncodedRows,
    *,
    n_best: int = 0,
    device: torch.device | None = None,
    carried: Carried | None = None,
    temperatures: Temperatures = UNSCALED,
    every_label: bool = False,
) -> list[Prediction]:
    """Predict labels for rows, in order; the turns of a conversation run one after the other.

    With `carried`, the rows are the next turns of the conversation with that state, which is updated.
    `temperatures` divide the scores, which changes probabilities but no label. `every_label` also returns
    the probability of each word label at each word.

    Raises: ConfigError for n-best labels with a network without a CRF.
    """
    if n_best and (not isinstance(network, TaggerNetwork) or network.crf is None):
        raise ConfigError(
            "n_best: applies only to taggers with a conditional random field (--decoder crf); remove it."
        )
    return predictions_of(
        network,
        scores_of(network, encoded, device, carried),
        encoded.symbols,
        temperatures,
        n_best=n_best,
        every_label=every_label,
    )


def predictions_of(
    network: LabellingNetwork,
    batches: Iterable[BatchScores],
    symbols: Symbols,
    temperatures: Temperatures,
    *,
    n_best: int = 0,
    every_label: bool = False,
) -> list[Prediction]:
    """Return the predictions from the scores of all rows, in the order of the rows; see `predict_rows`."""
    found: dict[int, Prediction] = {}
    for scores in batches:
        predictions = _predict(network, scores, symbols, n_best, temperatures, every_label)
        found.update(zip(scores.batch.rows, predictions, strict=True))
    return [found[row] for row in range(len(found))]


def scores_of(
    network: LabellingNetwork,
    encoded: EncodedRows,
    device: torch.device | None = None,
    carried: Carried | None = None,
) -> Iterator[BatchScores]:
    """Yield the scores of batches of rows; the turns of a conversation run one after the other.

    `carried` is as in `predict_rows`.
    """
    with evaluating(network):
        for batch, state_of in _batches(encoded) if carried is None else _turns(encoded, carried):
            moved = batch if device is None else batch.to(device)
            if isinstance(network, TaggerNetwork):
                emissions, classes, state_of.state = network(*moved.inputs, state=state_of.state)
                yield BatchScores(moved, emissions, classes)
            else:
                classes, state_of.state = network(*moved.inputs, state=state_of.state)
                yield BatchScores(moved, None, classes)


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
    network: LabellingNetwork,
    scores: BatchScores,
    symbols: Symbols,
    n_best: int,
    temperatures: Temperatures,
    every_label: bool,
) -> list[Prediction]:
    if symbols.scale is not None:
        assert scores.classes is not None, "rows have scores"
        return [Prediction(score=symbols.scale.score(one)) for one in scores.classes.squeeze(1).tolist()]
    of_rows: list[tuple[str | None, dict[str, float] | None]] = [(None, None)] * len(scores.batch.rows)
    if scores.classes is not None:
        of_rows = list(_classes(scores.classes, symbols, temperatures.rows))
    if not isinstance(network, TaggerNetwork):
        return [Prediction(label=label, probabilities=shares) for label, shares in of_rows]
    return _tagged(network, scores, symbols, of_rows, n_best, temperatures.words, every_label)


def _classes(logits: Tensor, symbols: Symbols, temperature: float) -> Iterator[tuple[str, dict[str, float]]]:
    assert symbols.classes is not None, "a classifier has classes"
    names = symbols.classes.symbols
    scaled = logits.float() if temperature == 1.0 else logits.float() / temperature
    shares = scaled.softmax(1).tolist()
    best = logits.argmax(1).tolist()
    for i, row in zip(best, shares, strict=True):
        yield names[i], dict(zip(names, row, strict=True))


def _tagged(
    network: TaggerNetwork,
    scores: BatchScores,
    symbols: Symbols,
    of_rows: list[tuple[str | None, dict[str, float] | None]],
    n_best: int,
    temperature: float,
    every_label: bool,
) -> list[Prediction]:
    assert symbols.labels is not None, "a tagger has labels"
    assert scores.emissions is not None, "a tagger has scores of words"
    names, emissions = symbols.labels.symbols, scores.emissions
    lengths = scores.batch.lengths.tolist()
    paths: list[list[LabelPath]] = []
    if network.crf is not None:
        paths, probabilities = network.crf.decode(
            emissions, scores.batch.lengths, max(1, n_best), temperature=temperature
        )
        chosen = [row[0].labels for row in paths]
    else:
        probabilities = network.probabilities(emissions)
        chosen = [row[:T] for row, T in zip(probabilities.argmax(2).tolist(), lengths, strict=True)]
        if temperature != 1.0:  # the labels are those without it, even if probabilities round to a tie
            probabilities = network.probabilities(emissions, temperature)
    said = probabilities.tolist()
    every = probabilities.cpu().numpy() if every_label else None
    return [
        Prediction(
            labels=tuple(names[k] for k in chosen[b]),
            label_probabilities=tuple(said[b][t][k] for t, k in enumerate(chosen[b])),
            label=label,
            probabilities=shares,
            paths=tuple((tuple(names[k] for k in path.labels), path.probability) for path in paths[b])
            if n_best
            else (),
            every_label=None if every is None else every[b, : lengths[b]],
        )
        for b, (label, shares) in enumerate(of_rows)
    ]
