"""The metrics of labels that can select the best checkpoint."""

from collections.abc import Sequence

from recurra.data.examples import Example
from recurra.metrics.names import OF_LABEL
from recurra.text import spans_of
from recurra.text.label_symbols import Symbols
from recurra.training.selection import Choice, Metric


def score_of(symbols: Symbols) -> tuple[str, ...]:
    """Return the metrics that the score is computed from: of the word labels, and of the rows' labels."""
    names = []
    if symbols.labels is not None:
        names.append("f1" if symbols.spans else "word_accuracy")
    if symbols.classes is not None:
        names.append("accuracy" if symbols.labels is None else "sentence_label_accuracy")
    return tuple(names)


def choice_of(symbols: Symbols, valid: Sequence[Example]) -> Choice:
    """Return the metrics that the validation rows can give, by their names as options."""
    classes = {row.label for row in valid if row.label is not None}
    known = sorted(classes & set(() if symbols.classes is None else symbols.classes.symbols))
    if symbols.labels is None:
        figures = {"accuracy": "accuracy", "macro-f1": "macro_f1"} | _of_each(known)
    else:
        figures = _of_words(symbols, valid)
        if known:
            figures |= {
                "sentence-label-accuracy": "sentence_label_accuracy",
                "sentence-label-macro-f1": "sentence_label_macro_f1",
            }
    return Choice({name: Metric(figure) for name, figure in figures.items()}, score_of(symbols))


def _of_words(symbols: Symbols, valid: Sequence[Example]) -> dict[str, str]:
    """Return the metrics of word labels, or of entities, and the figures of a validation."""
    assert symbols.labels is not None, "only called if words have labels"
    rows = [row.labels or () for row in valid]
    if not symbols.spans:
        labels = {label for row in rows for label in row} & set(symbols.labels.symbols)
        return {"word-accuracy": "word_accuracy", "macro-f1": "word_macro_f1"} | _of_each(sorted(labels))
    types = {span.type for row in rows for span in spans_of(row)}
    types &= {label.partition("-")[2] for label in symbols.labels.symbols}
    found = {"f1": "f1", "macro-f1": "entity_macro_f1"} if types else {}
    return found | {"word-accuracy": "word_accuracy"} | _of_each(sorted(types))


def _of_each(labels: Sequence[str]) -> dict[str, str]:
    return {OF_LABEL + label: OF_LABEL + label for label in labels}
