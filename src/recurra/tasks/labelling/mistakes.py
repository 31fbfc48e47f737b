"""The most confident mistakes of a model, in context."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from recurra.data.examples import Example
from recurra.plain import counted, one_line
from recurra.results import Result
from recurra.tasks.labelling.predicting import Prediction
from recurra.text import Span, spans_of
from recurra.text.words import Word, placed

_AROUND = 5  # words on either side
_LONGEST = 24  # words shown per row
_NONE = "none"  # no entity


@dataclass(frozen=True, repr=False)
class Mistake(Result):
    """A wrong prediction: its place, the gold and predicted labels, its probability, and words or steps.

    Of scores, the gold and predicted ones; these have no probability.
    """

    place: str
    gold: str
    predicted: str
    confidence: float | None
    text: str

    def told(self) -> str:
        """Return the mistake as one readable line."""
        return self.line()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def line(self) -> str:
        """Return the mistake as one readable line."""
        share = "" if self.confidence is None else f" ({self.confidence:.0%})"
        labels = f"gold {self.gold}, predicted {self.predicted}{share}"
        return one_line(f"{self.place}: {labels}: {self.text}")


def worst_mistakes(
    rows: Sequence[Example], said: Sequence[Prediction], count: int, *, spans: bool
) -> list[Mistake]:
    """Return the `count` mistakes with the highest confidence, highest first; of scores, the largest errors.

    With `spans` the word labels mark entities (`Symbols.spans`); otherwise each word counts alone.
    """
    if any(one.score is not None for one in said):
        return _largest_errors(rows, said)[:count]
    found: list[Mistake] = []
    for row, one in zip(rows, said, strict=True):
        if row.label is not None and one.label is not None and row.label != one.label:
            found.append(Mistake(str(row.place), row.label, one.label, one.confidence, _text_of(row)))
        if row.labels is not None and one.labels is not None and row.labels != one.labels:
            found += _of_words(row, one, spans=spans)
    found.sort(key=lambda mistake: -(mistake.confidence or 0.0))
    return found[:count]


def _largest_errors(rows: Sequence[Example], said: Sequence[Prediction]) -> list[Mistake]:
    """Return the predicted scores, those with the largest error first."""
    known = [
        (row, row.score, one.score)
        for row, one in zip(rows, said, strict=True)
        if row.score is not None and one.score is not None
    ]
    known.sort(key=lambda each: -abs(each[1] - each[2]))
    return [
        Mistake(str(row.place), f"{gold:.4g}", f"{score:.4g}", None, _text_of(row))
        for row, gold, score in known
    ]


def _of_words(row: Example, one: Prediction, *, spans: bool) -> Iterator[Mistake]:
    """Yield wrong entities, or wrong words; an entity with the right words but a wrong type counts once."""
    assert row.labels is not None, "only called for rows with labels"
    assert one.labels is not None, "only called for predictions with labels"
    if spans:
        gold, predicted = set(spans_of(row.labels)), set(spans_of(one.labels))
    else:
        gold = {Span(label, t, t + 1) for t, label in enumerate(row.labels)}
        predicted = {Span(label, t, t + 1) for t, label in enumerate(one.labels)}
    types_of_gold = {(span.first, span.last): span.type for span in gold - predicted}
    types_predicted = {(span.first, span.last): span.type for span in predicted - gold}
    for first, last in sorted(types_of_gold.keys() | types_predicted.keys()):
        yield Mistake(
            str(row.place),
            types_of_gold.get((first, last), _NONE),
            types_predicted.get((first, last), _NONE),
            min(one.label_probabilities[first:last]),
            _around(row, first, last),
        )


def _text_of(row: Example) -> str:
    """Return the beginning of a row's text, or the number of its steps if they are vectors."""
    if row.vectors is not None:
        return counted(len(row), "step")
    text = _beginning(row.whole_text, row.placed_words)
    if row.second is None:
        return text
    return f"{text} | {_beginning(row.whole_second_text, placed(row.second, row.second_text))}"


def _beginning(text: str, words: Sequence[Word]) -> str:
    """Return the first words of a text as the file has them, on one line."""
    shown = " ".join(text[: words[:_LONGEST][-1].end].split()) if words else ""
    return shown + (" …" if len(words) > _LONGEST else "")


def _around(row: Example, first: int, last: int) -> str:
    """Return the words `first` … `last` - 1 in brackets with their context, or the numbers of such steps."""
    if row.vectors is not None:
        numbers = f"step {last}" if last - first == 1 else f"steps {first + 1} to {last}"
        return f"{numbers} of {len(row)}"
    text, words = row.whole_text, row.placed_words
    begin, end = words[first].begin, words[last - 1].end
    before = text[words[max(0, first - _AROUND)].begin : begin]
    after = text[end : words[min(len(words), last + _AROUND) - 1].end]
    return " ".join(f"{before}[{text[begin:end]}]{after}".split())
