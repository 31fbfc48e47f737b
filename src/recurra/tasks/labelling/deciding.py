"""Thresholds on the probabilities of labels, and the labels that they decide."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from recurra.errors import ConfigError
from recurra.plain import listed, quoted
from recurra.tasks.labelling.predicting import REJECTED, ROWS, WORDS, Prediction
from recurra.text import spans_of
from recurra.text.label_symbols import Symbols
from recurra.text.spans import OUTSIDE, split_tag


@dataclass(frozen=True)
class Thresholds:
    """Thresholds above 0 and up to 1: of entity types or word labels, and of the labels of rows.

    A row has the label with the largest probability / threshold among the labels that reach their
    threshold. If none does, it keeps the most probable label, or has the most probable one of the
    labels without a threshold; if all labels have one, it has the label "?". The same holds for word labels
    that do not mark entities. An entity below the threshold of its type is dropped.
    """

    words: Mapping[str, float] = field(default_factory=dict)
    rows: Mapping[str, float] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.words or self.rows)

    def with_others(self, others: "Thresholds") -> "Thresholds":
        """Return these thresholds and others, which take precedence."""
        return Thresholds({**self.words, **others.words}, {**self.rows, **others.rows})

    @classmethod
    def named(cls, given: Mapping[str, float], symbols: Symbols, option: str = "thresholds") -> "Thresholds":
        """Return thresholds by the names of labels; see `find_label`.

        Raises: ConfigError for an unknown label and for a number that is not above 0 and up to 1.
        """
        found: dict[str, dict[str, float]] = {WORDS: {}, ROWS: {}}
        for name, threshold in given.items():
            where, label = find_label(name, symbols, option)
            if not 0 < threshold <= 1:
                raise ConfigError(f"{option}: got {threshold} for {name}, expected 0 < threshold <= 1.")
            found[where][label] = float(threshold)
        return cls(**found)

    def decide_all(self, said: list[Prediction], symbols: Symbols) -> list[Prediction]:
        """Return predictions with the labels that the thresholds decide; see `decide`."""
        return [self.decide(one, symbols) for one in said] if self else said

    def decide(self, said: Prediction, symbols: Symbols) -> Prediction:
        """Return a prediction with the labels that the thresholds decide.

        With thresholds of word labels or entities, the prediction needs `every_label`.
        """
        if self.rows and said.probabilities is not None:
            said = replace(said, label=decided(said.label, said.probabilities, self.rows))
        if self.words and said.labels:
            return self._without_entities(said, symbols) if symbols.spans else self._of_words(said, symbols)
        return said

    def _without_entities(self, said: Prediction, symbols: Symbols) -> Prediction:
        """Drop the entities below the threshold of their type; their words have the label O."""
        assert said.labels is not None, "only called for word labels"
        assert symbols.labels is not None, "words have labels"
        labels, shares = list(said.labels), list(said.label_probabilities)
        outside = symbols.labels.ids.get(OUTSIDE)
        for kind, first, last in spans_of(said.labels):
            if min(said.label_probabilities[first:last]) >= self.words.get(kind, 0.0):
                continue
            for t in range(first, last):
                labels[t] = OUTSIDE
                assert said.every_label is not None, "requested"
                shares[t] = 0.0 if outside is None else float(said.every_label[t, outside])
        return replace(said, labels=tuple(labels), label_probabilities=tuple(shares))

    def _of_words(self, said: Prediction, symbols: Symbols) -> Prediction:
        """Decide the label of each word."""
        assert said.labels is not None, "only called for word labels"
        assert symbols.labels is not None, "words have labels"
        assert said.every_label is not None, "requested"
        labels, shares = [], []
        for label, row in zip(said.labels, said.every_label.tolist(), strict=True):
            each = dict(zip(symbols.labels.symbols, row, strict=True))
            labels.append(decided(label, each, self.words))
            shares.append(each.get(labels[-1], max(row)))
        return replace(said, labels=tuple(labels), label_probabilities=tuple(shares))


def decided(
    predicted: str | None, probabilities: Mapping[str, float], thresholds: Mapping[str, float]
) -> str:
    """Return the label that thresholds decide, "?" if they reject every label; see `Thresholds`."""
    reached = [label for label, least in thresholds.items() if probabilities[label] >= least]
    if reached:
        return max(reached, key=lambda label: probabilities[label] / thresholds[label])
    if predicted is not None and predicted not in thresholds:
        return predicted
    others = [label for label in probabilities if label not in thresholds]
    return max(others, key=lambda label: probabilities[label]) if others else REJECTED


def check_has_labels(symbols: Symbols, what: str) -> None:
    """Refuse a use of probabilities by a model that predicts scores. Raises: ConfigError."""
    if symbols.scale is not None:
        raise ConfigError(
            f"{what}: applies to labels, but the model predicts scores, which have no probabilities."
        )


def labels_at(where: str, symbols: Symbols) -> Sequence[str]:
    """Return the labels of words (entity types, if they mark entities), or of rows."""
    if where == ROWS:
        return [] if symbols.classes is None else symbols.classes.symbols
    names = [] if symbols.labels is None else symbols.labels.symbols
    if not symbols.spans:
        return names
    return list(dict.fromkeys(split_tag(name)[1] for name in names if name != OUTSIDE))


def title_of(where: str, symbols: Symbols) -> str:
    """Return the title of tables of these labels, as in `LabelFigures.tables`."""
    if where == WORDS:
        return "entities" if symbols.spans else "word labels"
    return "labels" if symbols.labels is None else "sentence labels"


def find_label(name: str, symbols: Symbols, option: str) -> tuple[str, str]:
    """Return where a label stands, and the label.

    A name that is both a label of words and of sentences is given as `word:NAME` (`entity:NAME`) or
    `sentence:NAME`.

    Raises: ConfigError, listing the labels, for a name that is unknown or is both.
    """
    every = {where: labels_at(where, symbols) for where in (WORDS, ROWS)}
    found = [where for where, labels in every.items() if name in labels]
    if len(found) == 1:
        return found[0], name
    prefixes = {WORDS: "entity" if symbols.spans else "word", ROWS: "sentence"}
    if found:
        both = " or ".join(f"{prefix}:{name}" for prefix in prefixes.values())
        raise ConfigError(f"{option}: {quoted(name)} is a label of words and of sentences; write {both}.")
    for where, prefix in prefixes.items():
        label = name.removeprefix(f"{prefix}:")
        if label != name and label in every[where]:
            return where, label
    known = "; ".join(
        f"the {title_of(w, symbols)} are {listed(names)}" for w, names in every.items() if names
    )
    raise ConfigError(f"{option}: the model has no label {quoted(name)}; {known}.")


def parsed_thresholds(given: Sequence[str], option: str) -> dict[str, float]:
    """Return thresholds by label from texts LABEL=P. Raises: ConfigError."""
    found: dict[str, float] = {}
    for text in given:
        name, equals, number = text.rpartition("=")
        if name in found:
            raise ConfigError(f"{option}: {quoted(name)} is given twice; remove one of them.")
        try:
            found[name] = float(number)
        except ValueError:
            equals = ""
        if not equals:
            raise ConfigError(f"{option}: got {quoted(text)}, expected LABEL=P with 0 < P <= 1.")
    return found
