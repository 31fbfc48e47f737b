"""Predictions for one text, with character offsets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from recurra.plain import listed, one_line
from recurra.results import Result, shortened
from recurra.tasks.labelling.predicting import (
    REJECTED,
    Prediction,
    probability_of,
    row_of_label,
    rows_of_paths,
    told_label,
)
from recurra.text import spans_of
from recurra.text.words import Word


@dataclass(frozen=True)
class LabelledWord:
    """A word with its label, the label's probability, and its offsets: text[begin:end]."""

    text: str
    begin: int
    end: int
    label: str
    probability: float


@dataclass(frozen=True)
class Entity:
    """An entity with its text, its offsets, and the probability of its least certain word label."""

    type: str
    text: str
    begin: int
    end: int
    probability: float


@dataclass(frozen=True, repr=False)
class LabelledText(Result):
    """The prediction for one text: word labels, entities, a sentence label, a score, if the model has them.

    `place` is the file and line if the text is a row of a file.
    """

    text: Any
    words: tuple[LabelledWord, ...] = ()
    entities: tuple[Entity, ...] = ()
    label: str | None = None
    probabilities: dict[str, float] | None = None
    paths: tuple[tuple[tuple[str, ...], float], ...] = ()
    spans: bool = False  # whether the labels mark entities
    place: str = ""
    labelled: bool = False  # whether words have labels
    score: float | None = None

    @property
    def confidence(self) -> float:
        """Probability of the sentence label or, without one, of the least certain word label."""
        if self.label is not None and self.probabilities is not None:
            return probability_of(self.label, self.probabilities)
        return min((word.probability for word in self.words), default=1.0)

    def told(self) -> str:
        """Return the text, its entities or the labels of its words, and its label."""
        parts = [shortened(self.text)]
        if self.spans:
            parts.append(f"entities [{listed((f'{one.text!r} {one.type}' for one in self.entities), 90)}]")
        elif self.labelled:
            parts.append(f"labels [{listed((word.label for word in self.words), 90)}]")
        return ", ".join([*parts, *told_label(self)])

    def to_rows(self, of: str | None = None) -> list[dict[str, Any]]:
        """Return one row per entity, per word or for the text; see `recurra.rows`.

        Raises: ConfigError for an unknown `of`.
        """
        self._refuse(of, "labels", "words", "entities", "n_best")
        match of or ("entities" if self.spans else "words" if self.labelled else "labels"):
            case "entities":
                return [vars(entity).copy() for entity in self.entities]
            case "words":
                return [vars(word).copy() for word in self.words]
            case "n_best":
                return rows_of_paths(self.paths)
        texts = self.text if isinstance(self.text, tuple) else (self.text,)
        return [dict(zip(("text", "text2"), texts, strict=False)) | row_of_label(self)]

    def line(self) -> str:
        """Return one output line: the word labels separated by spaces, then a tab and the sentence label; or
        the score.

        Blanks within a word's label are printed as underscores.
        """
        if self.score is not None:
            return f"{self.score:.4f}"
        has_labels = self.words or self.label is None
        return _line([word.label for word in self.words] if has_labels else None, self.label)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        found: dict[str, Any] = {"place": self.place} if self.place else {}
        found["text"] = self.text
        if self.labelled:
            found["words"] = [_plain(word) for word in self.words]
        if self.spans:
            found["entities"] = [_plain(entity) for entity in self.entities]
        return found | _of_whole(self)


@dataclass(frozen=True, repr=False)
class RowAnswer(Result):
    """The prediction for one row of vectors or pictures; `place` is its file and line."""

    place: str
    said: Prediction

    @property
    def confidence(self) -> float:
        """Probability of the row's label or, without one, of the least certain step label."""
        return self.said.confidence

    @property
    def label(self) -> str | None:
        """The row's label."""
        return self.said.label

    def told(self) -> str:
        """Return the place of the row, the labels of its steps, and its label."""
        labels = [] if self.said.labels is None else [f"labels [{listed(self.said.labels, 90)}]"]
        return ", ".join([self.place, *labels, *told_label(self.said)])

    def to_rows(self, of: str | None = None) -> list[dict[str, Any]]:
        """Return one row per step, or one for the whole row; see `recurra.rows`.

        Raises: ConfigError for an unknown `of`.
        """
        return [{"place": self.place} | row for row in self.said.to_rows(of)]

    def line(self) -> str:
        """Return one output line: the step labels separated by spaces, then a tab and the row's label."""
        return _line(self.said.labels, self.said.label)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        found: dict[str, Any] = {"place": self.place}
        if self.said.labels is not None:
            steps = zip(self.said.labels, self.said.label_probabilities, strict=True)
            found["steps"] = [{"label": label, "probability": _rounded(share)} for label, share in steps]
        return found | _of_whole(self.said)


@dataclass(frozen=True)
class Judged:
    """An answer, which is rejected if its probability is too low or thresholds rejected its label."""

    answer: LabelledText | RowAnswer
    below: float = 0.0

    @property
    def rejected(self) -> bool:
        """Whether the answer, or the label of the whole text, is rejected."""
        return self.answer.confidence < self.below or self.answer.label == REJECTED

    def line(self) -> str:
        """Return the line of the answer, or "?" if its probability is too low."""
        return REJECTED if self.answer.confidence < self.below else self.answer.line()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return self.answer.to_dict() | {"rejected": self.rejected}


def _line(labels: Sequence[str] | None, label: str | None) -> str:
    """Return word labels and the label of the whole text on one line.

    Blanks within a word's label become underscores; tabs and line ends within the other become blanks.
    """
    parts = [] if labels is None else [" ".join("_".join(one.split()) for one in labels)]
    return "\t".join([*parts, *([] if label is None else [one_line(label)])])


def _of_whole(said: LabelledText | Prediction) -> dict[str, Any]:
    """Return the label of the whole text and the n best label sequences as plain values."""
    found: dict[str, Any] = {} if said.score is None else {"score": _rounded(said.score)}
    if said.probabilities is not None:  # empty for an empty text, which has no label
        shares = {label: _rounded(share) for label, share in said.probabilities.items()}
        found |= {"label": said.label, "probabilities": shares}
    if said.paths:
        found["n_best"] = [
            {"labels": list(labels), "probability": _rounded(share)} for labels, share in said.paths
        ]
    return found


def _plain(thing: LabelledWord | Entity) -> dict[str, Any]:
    """Return a word or entity as plain values."""
    return vars(thing) | {"probability": _rounded(thing.probability)}


def _rounded(probability: float) -> float:
    return round(probability, 6)


def answer(text: Any, words: Sequence[Word], said: Prediction, *, spans: bool) -> LabelledText:
    """Combine a prediction with the offsets of its words."""
    if said.labels is None:
        return LabelledText(text, label=said.label, probabilities=said.probabilities, score=said.score)
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


def joined_text(text: Any) -> Any:
    """Join the words of a text that was given as a list."""
    if isinstance(text, tuple):
        return tuple(map(joined_text, text))
    return " ".join(text) if isinstance(text, list) else str(text)
