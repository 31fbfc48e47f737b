"""What is said of one text, with the places in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from recurra.tasks.labelling.predicting import Prediction
from recurra.text import spans_of
from recurra.text.words import Word

REJECTED = "?"


@dataclass(frozen=True)
class LabelledWord:
    """A word with its label, that label's probability, and its place: text[begin:end]."""

    text: str
    begin: int
    end: int
    label: str
    probability: float


@dataclass(frozen=True)
class Entity:
    """Words that are one entity, the place of the whole, and the probability of its least certain label."""

    type: str
    text: str
    begin: int
    end: int
    probability: float


@dataclass(frozen=True)
class LabelledText:
    """What a model says of one text: labels of words, entities, a label of the whole, where it has them.

    `place`: file and line of a text that was a row of a file.
    """

    text: Any
    words: tuple[LabelledWord, ...] = ()
    entities: tuple[Entity, ...] = ()
    label: str | None = None
    probabilities: dict[str, float] | None = None
    paths: tuple[tuple[tuple[str, ...], float], ...] = ()
    spans: bool = False  # whether there could be entities
    place: str = ""
    labelled: bool = False  # whether words have labels

    @property
    def confidence(self) -> float:
        """The probability of the label of the whole, or of the least certain word's."""
        if self.label is not None and self.probabilities is not None:
            return self.probabilities[self.label]
        return min((word.probability for word in self.words), default=1.0)

    def line(self) -> str:
        """For people and pipes: labels apart by blanks, and after a tab the label of the whole."""
        has_labels = self.words or self.label is None
        return _line([word.label for word in self.words] if has_labels else None, self.label)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        found: dict[str, Any] = {"place": self.place} if self.place else {}
        found["text"] = self.text
        if self.labelled:
            found["words"] = [_plain(word) for word in self.words]
        if self.spans:
            found["entities"] = [_plain(entity) for entity in self.entities]
        return found | _of_whole(self)


@dataclass(frozen=True)
class RowAnswer:
    """What a model says of one row of vectors or pictures, which stands at a place in a file."""

    place: str
    said: Prediction

    @property
    def confidence(self) -> float:
        """The probability of the label of the whole, or of the least certain step's."""
        return self.said.confidence

    def line(self) -> str:
        """For people and pipes: the steps' labels apart by blanks, and after a tab the label of the whole."""
        return _line(self.said.labels, self.said.label)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        found: dict[str, Any] = {"place": self.place}
        if self.said.labels is not None:
            steps = zip(self.said.labels, self.said.label_probabilities, strict=True)
            found["steps"] = [{"label": label, "probability": _rounded(share)} for label, share in steps]
        return found | _of_whole(self.said)


@dataclass(frozen=True)
class Judged:
    """An answer that is rejected where its probability is below a bound."""

    answer: LabelledText | RowAnswer
    below: float

    @property
    def rejected(self) -> bool:
        """Whether it is."""
        return self.answer.confidence < self.below

    def line(self) -> str:
        """For people and pipes: "?" in place of a rejected answer."""
        return REJECTED if self.rejected else self.answer.line()

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return self.answer.to_dict() | {"rejected": self.rejected}


def _line(labels: Sequence[str] | None, label: str | None) -> str:
    parts = [] if labels is None else [" ".join(labels)]
    return "\t".join([*parts, *([] if label is None else [label])])


def _of_whole(said: LabelledText | Prediction) -> dict[str, Any]:
    """The label of the whole and the n best sequences of labels, as plain values."""
    found: dict[str, Any] = {}
    if said.probabilities is not None:  # empty for a text of nothing, of which nothing is said
        shares = {label: _rounded(share) for label, share in said.probabilities.items()}
        found |= {"label": said.label, "probabilities": shares}
    if said.paths:
        found["n_best"] = [
            {"labels": list(labels), "probability": _rounded(share)} for labels, share in said.paths
        ]
    return found


def _plain(thing: LabelledWord | Entity) -> dict[str, Any]:
    """A word or entity as plain values."""
    return vars(thing) | {"probability": _rounded(thing.probability)}


def _rounded(probability: float) -> float:
    return round(probability, 6)


def answer(text: Any, words: Sequence[Word], said: Prediction, *, spans: bool) -> LabelledText:
    """A prediction with the places of its words."""
    if said.labels is None:
        return LabelledText(text, label=said.label, probabilities=said.probabilities)
    labelled = tuple(
        LabelledWord(*word, label, probability)
        for word, label, probability in zip(words, said.labels, said.label_probabilities, strict=True)
    )
    entities: tuple[Entity, ...] = ()
    if spans:
        entities = tuple(
            Entity(
                kind,
                text[labelled[first].begin : labelled[last - 1].end],
                labelled[first].begin,
                labelled[last - 1].end,
                min(word.probability for word in labelled[first:last]),
            )
            for kind, first, last in spans_of(said.labels)
        )
    whole = (said.label, said.probabilities, said.paths)
    return LabelledText(text, labelled, entities, *whole, spans=spans, labelled=True)
