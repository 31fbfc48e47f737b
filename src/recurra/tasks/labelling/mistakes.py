"""The mistakes that a model was surest of, in their context."""

from collections.abc import Sequence

from recurra.data.examples import Example
from recurra.tasks.labelling.predicting import Prediction
from recurra.text import Span, mark_spans, spans_of

_AROUND = 5  # words on either side
_LONGEST = 24  # words of a row that is shown


def worst_mistakes(rows: Sequence[Example], said: Sequence[Prediction], count: int) -> list[str]:
    """Lines about so many mistakes, the surest first: where, what was wanted, what was said, the words."""
    found: list[tuple[float, str]] = []
    for row, one in zip(rows, said, strict=True):
        if row.label is not None and one.label is not None and row.label != one.label:
            text = " ".join(row.words[:_LONGEST]) + (" …" if len(row.words) > _LONGEST else "")
            if row.second is not None:
                text += " | " + " ".join(row.second[:_LONGEST])
            line = f"{row.place}: wanted {row.label}, said {one.label} ({one.confidence:.0%}): {text}"
            found.append((one.confidence, line))
        if row.labels is not None and one.labels is not None and row.labels != one.labels:
            found += _of_words(row, one)
    found.sort(key=lambda item: -item[0])
    return [line for _, line in found[:count]]


def _of_words(row: Example, one: Prediction) -> list[tuple[float, str]]:
    assert row.labels is not None, "asked for of rows with labels"
    assert one.labels is not None, "and predictions with them"
    if mark_spans([*row.labels, *one.labels]):
        wanted, found = set(spans_of(row.labels)), set(spans_of(one.labels))
    else:
        wanted = {Span(label, t, t + 1) for t, label in enumerate(row.labels)}
        found = {Span(label, t, t + 1) for t, label in enumerate(one.labels)}
    lines = []
    for span in sorted(wanted ^ found, key=lambda span: span.first):
        sure = min(one.label_probabilities[span.first : span.last])
        before = " ".join(row.words[max(0, span.first - _AROUND) : span.first])
        words = " ".join(row.words[span.first : span.last])
        after = " ".join(row.words[span.last : span.last + _AROUND])
        what = "missed" if span in wanted else "made up"
        lines.append(
            (sure, f"{row.place}: {what} {span.type} ({sure:.0%}): {before} [{words}] {after}".rstrip())
        )
    return lines
