"""The rows that a task is trained on: read, checked, split, and as numbers."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from recurra.config import RepresentationPart
from recurra.data.examples import BadRows, Example, conversations
from recurra.data.readers import guess_format, read_examples
from recurra.data.readers.trees import read_phrases
from recurra.data.splits import stratified_folds, stratified_split
from recurra.data.vector_files import WordVectors, read_vectors
from recurra.errors import ConfigError, DataError
from recurra.tasks.labelling.config import LabellingConfig, PairConfig, TagConfig
from recurra.text import Vocabulary, bio_tags, first_inconsistent, is_iob1, mark_spans, spans_of
from recurra.text.word_encoder import WordEncoder, WordForms

_HAS_TARGETS: dict[str, Callable[[Example], bool]] = {
    "tag": lambda row: row.labels is not None,
    "classify": lambda row: row.label is not None,
    "pair": lambda row: row.label is not None and row.second is not None,
}
_NAMED = {
    "tag": "--tags-column",
    "classify": "--label-column",
    "pair": "--second-column and --label-column",
}
NEEDS = {"tag": "labels of its words", "classify": "a label", "pair": "a second text and a label"}


@dataclass(frozen=True)
class Symbols:
    """What a model must know to read and to answer: words, labels of words, labels of rows.

    `spans`: labels of words mark spans, in BIO; `vector_shape`: of a step that is no word; `in_turns`: the
    state goes on from row to row of a conversation, as it did in training.
    """

    words: WordEncoder | None
    labels: Vocabulary | None
    classes: Vocabulary | None
    spans: bool = False
    vector_shape: tuple[int, ...] = ()
    in_turns: bool = False


@dataclass
class LabelledCorpus:
    """Rows to train on, to validate on and to test on."""

    symbols: Symbols
    train: list[Example]
    valid: list[Example]
    test: list[Example] | None = None
    skipped: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    vectors: WordVectors | None = None

    def facts(self, config: LabellingConfig) -> dict[str, Any]:
        """What run.toml says of the data."""
        parts = {"train": (config.data, self.train), "valid": (config.valid or config.data, self.valid)}
        if self.test is not None:
            parts["test"] = (config.test or config.data, self.test)
        found: dict[str, Any] = {"skipped": len(self.skipped)}
        for name, (path, rows) in parts.items():
            found[name] = {"path": path, "rows": len(rows), "fingerprint": fingerprint(rows)}
        return found


def fingerprint(rows: Sequence[Example]) -> str:
    """A digest that changes with any word, number or label of any row."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(repr((row.words, row.labels, row.label, row.second, row.conversation)).encode())
        if row.vectors is not None:
            digest.update(np.ascontiguousarray(row.vectors).tobytes())
    return digest.hexdigest()


def read_rows(task: str, config: LabellingConfig, path: str, bad: BadRows) -> list[Example]:
    """The rows of a file that a task can learn from.

    Raises: DataError for rows without what the task needs, unless such rows are left out.
    """
    rows = read_examples(path, config, bad, of_words=task == "tag")
    if task == "tag":
        rows = _in_bio(rows, config, bad)
    if rows and not any(map(_HAS_TARGETS[task], rows)):
        raise DataError(f"{path}: none of its rows has {NEEDS[task]}; name the columns with {_NAMED[task]}.")
    kept = []
    for row in rows:
        if not _HAS_TARGETS[task](row):
            bad.refuse(row.place, f"has not {NEEDS[task]}, which the task {task} needs")
        else:
            kept.append(row)
    return kept


def _in_bio(rows: list[Example], config: LabellingConfig, bad: BadRows) -> list[Example]:
    """Rows whose labels of words mark spans in BIO, where they mark spans; others as they are."""
    with_labels = [row.labels for row in rows if row.labels is not None]
    scheme = config.scheme
    if scheme == "auto" and not mark_spans([tag for tags in with_labels for tag in tags]):
        return rows
    if not with_labels or scheme == "classes":
        return rows
    if scheme == "auto":
        prefixes = {tag[:2] for tags in with_labels for tag in tags}
        scheme = "iobes" if prefixes & {"E-", "S-"} else ("iob1" if is_iob1(with_labels) else "bio")
    kept = []
    for row in rows:
        if row.labels is None:
            kept.append(row)
        elif scheme == "bio":
            at = first_inconsistent(row.labels)
            if at is None:
                kept.append(row)
            else:
                before = row.labels[at - 1] if at else "the beginning"
                bad.refuse(
                    row.place, f"has {row.labels[at]} at word {at + 1} after {before}, which is no BIO"
                )
        else:
            kept.append(replace(row, labels=tuple(bio_tags(spans_of(row.labels), len(row.labels)))))
    return kept


def build_corpus(task: str, config: LabellingConfig) -> LabelledCorpus:
    """Read and split all rows, and count the symbols of those to train on.

    Raises: DataError for files that cannot be used; ConfigError for options that do not fit them.
    """
    bad = BadRows(config.skip_bad)
    assert config.data is not None, "the configuration asks for it"
    if config.phrases and config.format != "trees" and guess_format(Path(config.data)) != "trees":
        raise ConfigError("phrases: are of sentiment trees; leave it out, or see --format.")
    rows = read_rows(task, config, config.data, bad)
    test = None if config.test is None else read_rows(task, config, config.test, bad)
    if config.folds is not None:
        rows, test = take_fold(rows, config)
    if config.valid is not None:
        train, valid = rows, read_rows(task, config, config.valid, bad)
    else:
        if len(_conversations(rows)) < 2:
            left_out = f" ({len(bad)} left out)" if len(bad) else ""
            raise DataError(
                f"{config.data}: has one row{left_out}, so none can be held out; name others with --valid."
            )
        train, valid = split_rows(rows, config)
    if config.phrases:
        path = Path(config.data)
        held = {row.line for part in (valid, test or []) for row in part if row.file == str(path)}
        train = list(read_phrases(path, config, BadRows(config.skip_bad), leave_out=held))  # counted before
    vectors = _pretrained(config, [*train, *valid, *(test or [])], bad)
    symbols = count_symbols(task, config, train, extra_words=vectors.words if vectors else ())
    if symbols.vector_shape:
        _refuse_options_of_words(config)
    check_steps([*valid, *(test or [])], symbols.vector_shape)
    notes = [note for part in (valid, test or []) for note in unseen_labels(part, symbols)]
    return LabelledCorpus(symbols, train, valid, test, bad.sentences, notes, vectors)


def _refuse_options_of_words(config: LabellingConfig) -> None:
    for name in (*RepresentationPart.model_fields, "max_words"):
        if getattr(config, name) != config.default_of(name):
            raise ConfigError(f"{name}: is of words, and the rows are of numbers at each step; leave it out.")


def split_rows(rows: Sequence[Example], config: LabellingConfig) -> tuple[list[Example], list[Example]]:
    """Rows to train on and rows held out, of each label as many; whole conversations go together."""
    groups = _conversations(rows)
    strata = [group[0].label for group in groups]
    kept, held = stratified_split(strata, config.validation_fraction, config.split_seed)
    return [row for i in kept for row in groups[i]], [row for i in held for row in groups[i]]


def take_fold(rows: Sequence[Example], config: LabellingConfig) -> tuple[list[Example], list[Example]]:
    """Rows of the other folds, and those of the one that is tested on; each label is spread evenly.

    Raises: DataError where there are fewer rows than folds.
    """
    assert config.folds is not None, "asked for with folds"
    assert config.fold is not None, "one at a time"
    groups = _conversations(rows)
    if len(groups) < config.folds:
        raise DataError(f"{config.data}: has {len(groups)} rows, fewer than {config.folds} folds.")
    folds = stratified_folds([group[0].label for group in groups], config.folds, config.split_seed)
    held = set(folds[config.fold - 1])
    others = [row for i, group in enumerate(groups) if i not in held for row in group]
    return others, [row for i in sorted(held) for row in groups[i]]


def _conversations(rows: Sequence[Example]) -> list[list[Example]]:
    """Rows that stand alone, and the turns of each conversation."""
    return [[rows[i] for i in group] for group in conversations(rows)]


def count_symbols(
    task: str, config: LabellingConfig, train: Sequence[Example], extra_words: Iterable[str] = ()
) -> Symbols:
    """The words and labels of the rows to train on.

    Raises: DataError where rows of words and rows of vectors, or vectors of other shapes, stand together.
    """
    shape = _step_shape(train[0])
    check_steps(train, shape)
    labels = classes = None
    spans = False
    if task == "tag":
        tags = Counter(tag for row in train for tag in row.labels or ())
        labels = Vocabulary(_frequent_first(tags))
        spans = config.scheme != "classes" and mark_spans(labels.symbols)
    if task != "tag" or (isinstance(config, TagConfig) and config.class_share and train[0].label is not None):
        classes = Vocabulary(_frequent_first(Counter(row.label for row in train if row.label is not None)))
    words = None
    if not shape:
        forms = WordForms(config.lowercase, config.digits)
        words = WordEncoder.count(
            texts_of(train),
            forms=forms,
            min_count=config.min_count,
            max_size=config.max_vocabulary_size,
            extra_words=extra_words,
        )
    in_turns = len(conversations(train)) < len(train) and carries_state(config)
    return Symbols(words, labels, classes, spans, shape, in_turns)


def carries_state(config: LabellingConfig) -> bool:
    """Whether a model can carry its state from turn to turn: a recurrent one of single texts."""
    return getattr(config, "model", "recurrent") == "recurrent" and not isinstance(config, PairConfig)


def _step_shape(row: Example) -> tuple[int, ...]:
    return () if row.vectors is None else row.vectors.shape[1:]


def check_steps(rows: Iterable[Example], shape: tuple[int, ...]) -> None:
    """Refuse rows whose steps are of another kind than a model reads: words, or vectors of a shape.

    Raises: DataError naming the first.
    """
    for row in rows:
        found = _step_shape(row)
        if found != shape:
            wanted, got = (f"numbers of shape {s}" if s else "words" for s in (shape, found))
            raise DataError(f"{row.place}: has {got} at each step, expected {wanted} as in the other rows.")


def _pretrained(config: LabellingConfig, rows: Iterable[Example], bad: BadRows) -> WordVectors | None:
    """The vectors of all words of the rows that the file has, and of the first ones of the file."""
    if config.vectors is None:
        return None
    forms = WordForms(config.lowercase, config.digits)
    wanted = {forms.of(word) for words in texts_of(rows) for word in words}
    limit = config.vectors_limit
    return read_vectors(Path(config.vectors), bad, lambda word, place: place < limit or word in wanted)


def texts_of(rows: Iterable[Example]) -> Iterable[Sequence[str]]:
    """All sequences of words of some rows, both of a pair."""
    for row in rows:
        yield row.words
        if row.second is not None:
            yield row.second


def _frequent_first(counts: Counter[str]) -> list[str]:
    return [name for name, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]


def unseen_labels(rows: Sequence[Example], symbols: Symbols) -> list[str]:
    """A sentence for each row with a label that no row to train on has: it can only be missed."""
    notes = []
    for row in rows:
        unknown = [
            tag for tag in row.labels or () if symbols.labels is not None and tag not in symbols.labels
        ]
        if symbols.classes is not None and row.label is not None and row.label not in symbols.classes:
            unknown.append(row.label)
        if unknown:
            notes.append(f"{row.place}: has the label {unknown[0]!r}, which no row to train on has.")
    return notes
