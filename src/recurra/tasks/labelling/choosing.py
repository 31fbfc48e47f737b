"""The metrics of labels that can select the best checkpoint, and the score."""

from collections.abc import Iterable, Mapping, Sequence

from recurra.config.choosing import OF_LABEL
from recurra.data.examples import Example
from recurra.text import spans_of
from recurra.text.label_symbols import Symbols
from recurra.training.selection import Choice, Metric, with_ties

_OF_ROWS = {"accuracy": "accuracy", "macro-f1": "macro_f1"}
_OF_SCORES = {"pearson": "pearson", "spearman": "spearman"}
_OF_SENTENCES = {f"sentence-label-{name}": f"sentence_label_{each}" for name, each in _OF_ROWS.items()}
_OF_WORDS = {"word-accuracy": "word_accuracy", "macro-f1": "word_macro_f1"}
_OF_ENTITIES = {"f1": "f1", "macro-f1": "entity_macro_f1", "word-accuracy": "word_accuracy"}


def figures_by_option(*, words: bool, spans: bool) -> dict[str, str]:
    """Return the figures by the names of the metrics as options, without those of single labels.

    `words` is whether words have labels, `spans` whether these mark spans.
    """
    if not words:
        return _OF_ROWS
    return (_OF_ENTITIES if spans else _OF_WORDS) | _OF_SENTENCES


def metric_of(keep_best: str, *, words: bool, spans: bool) -> Metric:
    """Return the metric that the option `keep_best` names, other than score and loss."""
    if keep_best.startswith(OF_LABEL):
        return Metric(keep_best)
    if keep_best in _OF_SCORES:
        return Metric(_OF_SCORES[keep_best])
    return Metric(figures_by_option(words=words, spans=spans)[keep_best])


def score_of(symbols: Symbols) -> tuple[str, ...]:
    """Return the metrics that the score is computed from: of the word labels, and of the rows' labels."""
    names = []
    if symbols.labels is not None:
        names.append("f1" if symbols.spans else "word_accuracy")
    if symbols.classes is not None:
        names.append("accuracy" if symbols.labels is None else "sentence_label_accuracy")
    return tuple(names)


def criterion_of_score(figures: Mapping[str, float], names: Iterable[str]) -> float:
    """Return the sum of 1 - metric over the metrics of the score; a loss among the figures breaks ties."""
    return with_ties(sum(1 - figures[name] for name in names), figures)


def choice_of(symbols: Symbols, valid: Sequence[Example]) -> Choice:
    """Return the metrics that the validation rows can give, by their names as options."""
    words, spans = symbols.labels is not None, symbols.spans
    if symbols.scale is not None:
        return Choice({name: Metric(figure) for name, figure in _OF_SCORES.items()})
    classes = {row.label for row in valid if row.label is not None}
    known = sorted(classes & set(() if symbols.classes is None else symbols.classes.symbols))
    labels = _labels_of(symbols, valid) if words else known
    figures = figures_by_option(words=words, spans=spans)
    if words and spans and not labels:
        figures = {name: each for name, each in figures.items() if name not in ("f1", "macro-f1")}
    if words and not known:
        figures = {name: each for name, each in figures.items() if name not in _OF_SENTENCES}
    names = [name for name in figures if name not in _OF_SENTENCES]
    names += [OF_LABEL + label for label in labels]
    names += [name for name in figures if name in _OF_SENTENCES]
    metrics = {name: metric_of(name, words=words, spans=spans) for name in names}
    return Choice(metrics, score_of(symbols))


def _labels_of(symbols: Symbols, valid: Sequence[Example]) -> list[str]:
    """Return the word labels, or the types of entities, that the validation rows have."""
    assert symbols.labels is not None, "only called if words have labels"
    rows = [row.labels or () for row in valid]
    if not symbols.spans:
        return sorted({label for row in rows for label in row} & set(symbols.labels.symbols))
    types = {span.type for row in rows for span in spans_of(row)}
    return sorted(types & {label.partition("-")[2] for label in symbols.labels.symbols})
