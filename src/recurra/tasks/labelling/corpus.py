"""The rows that a task is trained on: read, checked, split, and as numbers."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from recurra.config import RepresentationPart
from recurra.data.examples import BadRows, Example, conversations
from recurra.data.readers import guess_format, read_examples
from recurra.data.readers.trees import read_phrases
from recurra.data.vector_files import WordVectors, read_vectors
from recurra.errors import ConfigError, DataError
from recurra.files import sha256_of
from recurra.tasks.labelling.config import LabellingConfig, PairConfig, TagConfig
from recurra.tasks.rows import Parts, RowCorpus
from recurra.text import Vocabulary, bio_tags, first_inconsistent, is_iob1, mark_spans, spans_of
from recurra.text.label_symbols import Symbols
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


@dataclass
class LabelledCorpus(RowCorpus[Example]):
    """Rows with labels; `unseen` are sentences about labels that no row to train on has."""

    unseen: Sequence[str] = ()
    vectors: WordVectors | None = None
    vectors_file: str | None = None

    def facts(self) -> dict[str, Any]:
        """What run.toml says of the data, and of the file of vectors."""
        found = super().facts()
        if self.vectors_file is not None:
            path = Path(self.vectors_file).absolute()
            found["vectors"] = {"path": str(path), "fingerprint": sha256_of(path)}
        return found


def fingerprint_of(rows: Sequence[Example]) -> str:
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


def with_phrases(config: LabellingConfig, parts: Parts[Example]) -> Parts[Example]:
    """Rows whose training part has every phrase of its trees.

    Raises: ConfigError for files without trees.
    """
    path = Path(str(config.data))
    if config.format != "trees" and guess_format(path) != "trees":
        raise ConfigError("phrases: are of sentiment trees; leave it out, or see --format.")
    held = [*parts.valid, *(parts.test or [])]
    lines = {row.line for row in held if row.file == str(path)}
    phrases = list(read_phrases(path, config, BadRows(config.skip_bad), leave_out=lines))  # counted before
    return replace(parts, train=phrases)


def refuse_options_of_words(config: LabellingConfig) -> None:
    """Refuse options of words for rows of numbers. Raises: ConfigError."""
    for name in (*RepresentationPart.model_fields, "max_words"):
        if getattr(config, name) != config.default_of(name):
            raise ConfigError(f"{name}: is of words, and the rows are of numbers at each step; leave it out.")


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
    if task != "tag" or (
        isinstance(config, TagConfig) and config.sentence_loss_weight and train[0].label is not None
    ):
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


def pretrained(config: LabellingConfig, rows: Iterable[Example], bad: BadRows) -> WordVectors | None:
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
