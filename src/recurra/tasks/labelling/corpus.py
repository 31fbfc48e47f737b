"""Reads and checks the rows of labelling tasks, and builds their vocabularies."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from recurra.config import RepresentationPart
from recurra.config.conditions import refuse_given
from recurra.data.examples import BadRows, Example, conversations
from recurra.data.readers import TABLES, format_of, read_examples
from recurra.data.readers.arrays import with_channels
from recurra.data.readers.trees import read_phrases
from recurra.errors import DataError
from recurra.files import sha256_of
from recurra.plain import quoted
from recurra.tasks.labelling.config import ClassifyConfig, LabellingConfig, PairConfig, TagConfig
from recurra.tasks.pretrained import InitialVectors, facts_of
from recurra.tasks.rows import Parts, RowCorpus
from recurra.text import Vocabulary, mark_spans
from recurra.text.label_symbols import ScoreScale, Symbols
from recurra.text.schemes import Fault, Refused, first_plain, plain_among_marks, scheme_of, to_bio
from recurra.text.word_encoder import WordEncoder, WordForms

_HAS_TARGETS: dict[str, Callable[[Example], bool]] = {
    "tag": lambda row: row.labels is not None,
    "classify": lambda row: row.label is not None,
    "pair": lambda row: row.label is not None and row.second is not None,
    "scores": lambda row: row.score is not None and row.second is not None,
}
_NAMED = {
    "tag": "--tags-column",
    "classify": "--label-column",
    "pair": "--second-column and --label-column",
    "scores": "--second-column and --score-column",
}
_OF_WORDS = (*RepresentationPart.model_fields, "max_words", "split", "new_words")
_SHOWN = 5  # labels
NEEDS = {
    "tag": "word labels",
    "classify": "a label",
    "pair": "a second text and a label",
    "scores": "a second text and a score",
}


@dataclass
class LabelledCorpus(RowCorpus[Example]):
    """Rows with labels; `unseen` has a message for each row with a label absent from the training data."""

    unseen: Sequence[str] = ()
    notes: Sequence[str] = ()
    vectors: InitialVectors | None = None
    lists: Mapping[str, str] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """Return what run.toml records about the data, the vector file and the word lists."""
        found = super().facts()
        if self.lists:
            files = {kind: Path(file).absolute() for kind, file in self.lists.items()}
            found["gazetteer"] = {
                kind: {"path": str(file), "fingerprint": sha256_of(file)} for kind, file in files.items()
            }
        return found | facts_of(self.vectors)


def fingerprint_of(rows: Sequence[Example]) -> str:
    """A digest that changes with any word, number or label of any row."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(repr((row.words, row.labels, row.label, row.second, row.conversation)).encode())
        if row.score is not None:
            digest.update(repr(row.score).encode())
        if row.vectors is not None:
            digest.update(np.ascontiguousarray(row.vectors).tobytes())
    return digest.hexdigest()


def read_rows(task: str, config: LabellingConfig, path: str, bad: BadRows) -> list[Example]:
    """Read the rows of a file that have the labels the task needs.

    Raises: DataError for a row without them, unless bad rows are skipped; DataError if no row has them.
    """
    rows = read_examples(path, config, bad, of_words=task == "tag")
    if task == "tag":
        rows = _in_bio(rows, config, bad)
    targets = task if config.score_column is None else "scores"
    if rows and not any(map(_HAS_TARGETS[targets], rows)):
        name = format_of(path, config)
        if name in TABLES or (task == "tag" and name == "conll"):
            raise DataError.advising(
                f"{path}: none of its rows has {NEEDS[targets]}", f"name the columns with {_NAMED[targets]}"
            )
        raise DataError.advising(
            f"{path}: none of its rows, read as {name}, has {NEEDS[targets]}", "see --format"
        )
    kept = []
    for row in rows:
        if not _HAS_TARGETS[targets](row):
            bad.refuse(row.place, f"lacks {NEEDS[targets]}, which the task {task} needs")
        else:
            kept.append(row if targets == task else replace(row, label=None))
    return kept


def _in_bio(rows: list[Example], config: LabellingConfig, bad: BadRows) -> list[Example]:
    """Convert word labels that mark spans to BIO; other rows stay as they are.

    Raises: DataError naming the first label that no scheme allows, or that the given scheme does not allow.
    """
    scheme: str | Fault | None = config.scheme
    if scheme == "spans":
        rows = _without_plain_labels(rows, bad)
    labelled = [row for row in rows if row.labels is not None]
    if scheme in ("auto", "spans"):
        scheme = scheme_of([row.labels or () for row in labelled])
    if isinstance(scheme, Fault):
        raise DataError.advising(
            f"{labelled[scheme.sequence].place}: word {scheme.word + 1}: {scheme.what}",
            "correct it",
            "read the labels as plain classes with --scheme classes",
        )
    if scheme in (None, "classes"):
        return rows
    kept = []
    for row in rows:
        found = None if row.labels is None else to_bio(row.labels, scheme)
        if isinstance(found, Refused):
            bad.refuse(row.place, f"word {found.word + 1}: {found.what}")
        else:
            kept.append(replace(row, labels=found))
    return kept


def _without_plain_labels(rows: list[Example], bad: BadRows) -> list[Example]:
    """Return the rows whose labels can all mark spans; the others go to `bad`."""
    kept = []
    for row in rows:
        word = None if row.labels is None else first_plain(row.labels)
        if row.labels is None or word is None:
            kept.append(row)
        else:
            bad.refuse(
                row.place,
                f"word {word + 1}: the label {row.labels[word]!r} has no prefix of a tagging scheme, but the "
                "labels mark spans",
            )
    return kept


def scheme_as_read(rows: Iterable[Example]) -> str:
    """Return how the word labels of other files are read, as those of `rows` were without a given scheme:
    "spans" if all can mark spans, else "classes"."""
    plain = any(first_plain(row.labels) is not None for row in rows if row.labels is not None)
    return "classes" if plain else "spans"


def plain_classes_note(rows: Sequence[Example], config: LabellingConfig) -> str | None:
    """Return a note if labels are read as plain classes although most look like span labels."""
    labelled = [row for row in rows if row.labels is not None]
    found = plain_among_marks([row.labels or () for row in labelled])
    if config.scheme != "auto" or found is None:
        return None
    number, tag = found
    return (
        f"{labelled[number].place}: the label {quoted(tag)} has no prefix of a tagging scheme, so word "
        "labels are read as plain classes, without entities; see --scheme."
    )


def with_phrases(config: LabellingConfig, parts: Parts[Example]) -> Parts[Example]:
    """Return the parts with every phrase of the training trees as a training row."""
    path = Path(str(config.data))
    held = [*parts.valid, *(parts.test or [])]
    lines = {row.line for row in held if row.file == str(path)}
    # Bad rows were counted when the trees were read first.
    phrases = list(read_phrases(path, config, BadRows(config.skip_bad), leave_out=lines))
    return replace(parts, train=phrases)


def refuse_without_use(config: LabellingConfig, train: Sequence[Example], symbols: Symbols) -> None:
    """Refuse given options that do not apply to the training rows. Raises: ConfigError."""
    uses: dict[str, str] = {}
    if symbols.vector_shape:
        uses |= dict.fromkeys(_OF_WORDS, "to words, but the steps of the rows are numbers")
    has_pictures = len(symbols.vector_shape) == 3
    if isinstance(config, ClassifyConfig) and config.model == "average" and not has_pictures:
        uses["hidden_size"] = "with model recurrent, or to pictures"
    if isinstance(config, TagConfig):
        if all(row.label is None for row in train):
            uses["sentence_loss_weight"] = "to sentences that have a label of their own"
        if not symbols.spans:
            uses["constrained"] = "to word labels that mark spans"
    if not symbols.in_turns:
        uses["turns_together"] = "to conversations read by a recurrent network of single texts"
    refuse_given(config, uses)


def count_symbols(
    task: str, config: LabellingConfig, train: Sequence[Example], extra_words: Iterable[str] = ()
) -> Symbols:
    """Build the vocabularies of words and labels from the training rows.

    Raises: DataError if rows of words and rows of vectors, or vectors of different shapes, are mixed.
    """
    shape = _step_shape(train[0])
    check_steps(train, shape)
    labels = classes = None
    spans = False
    if task == "tag":
        tags = Counter(tag for row in train for tag in row.labels or ())
        labels = Vocabulary(_frequent_first(tags))
        spans = config.scheme != "classes" and mark_spans(labels.symbols)
    scale = None
    if config.score_column is not None:
        scale = ScoreScale.of([row.score for row in train if row.score is not None])
    elif task != "tag" or (
        isinstance(config, TagConfig)
        and config.sentence_loss_weight
        and any(row.label is not None for row in train)
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
            with_shapes=config.shapes,
        )
    in_turns = len(conversations(train)) < len(train) and carries_state(config)
    return Symbols(words, labels, classes, spans, shape, in_turns, scale=scale)


def carries_state(config: LabellingConfig) -> bool:
    """Whether a model can carry its state from turn to turn: a recurrent model of single texts can."""
    return getattr(config, "model", "recurrent") == "recurrent" and not isinstance(config, PairConfig)


def _step_shape(row: Example) -> tuple[int, ...]:
    return () if row.vectors is None else row.vectors.shape[1:]


def with_model_channels(rows: Iterable[Example], shape: tuple[int, ...]) -> list[Example]:
    """Convert images between grey and RGB where the model reads the other; other rows stay as they are."""
    return [
        replace(row, vectors=with_channels(row.vectors, shape[0]))
        if row.vectors is not None and row.vectors.ndim == 4 and len(shape) == 3
        else row
        for row in rows
    ]


def check_steps(rows: Iterable[Example], shape: tuple[int, ...]) -> None:
    """Check that the steps of all rows are what a model reads: words, or vectors of one shape.

    Raises: DataError for the first row that does not fit.
    """
    for row in rows:
        found = _step_shape(row)
        if found != shape:
            wanted, got = (f"numbers of shape {s}" if s else "words" for s in (shape, found))
            raise DataError(f"{row.place}: has {got} at each step, expected {wanted} as in the other rows.")


def texts_of(rows: Iterable[Example]) -> Iterable[Sequence[str]]:
    """Yield the word sequences of rows, both texts of a pair."""
    for row in rows:
        yield row.words
        if row.second is not None:
            yield row.second


def turns_of(texts: Iterable[Any], words_of: Callable[[Any], Sequence[Any]]) -> Iterator[list[Any]]:
    """Yield the turns of each conversation, with the text without words that ends it."""
    turns: list[Any] = []
    for text in texts:
        turns.append(text)
        if not words_of(text):
            yield turns
            turns = []
    if turns:
        yield turns


def _frequent_first(counts: Counter[str]) -> list[str]:
    return [name for name, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]


def notes_on(train: Sequence[Example], held: Sequence[Example], config: LabellingConfig) -> list[str]:
    """Return notes to check before training: plain classes that look like span labels, a single class, and
    classes missing from the held-out data."""
    found = [note] if (note := plain_classes_note(train, config)) is not None else []
    classes = {row.label for row in train if row.label is not None}
    if len(classes) == 1:
        found.append(f"{config.data}: every row has the same label, {quoted(next(iter(classes)))}.")
    held_classes = {row.label for row in held if row.label is not None}
    if len(classes) > 1 and held_classes and (missing := sorted(classes - held_classes)):
        shown = ", ".join(map(repr, missing[:_SHOWN])) + (", …" if len(missing) > _SHOWN else "")
        found.append(f"{len(missing)} of {len(classes)} labels are missing from the held-out data: {shown}.")
    return found


def unseen_labels(rows: Sequence[Example], symbols: Symbols) -> list[str]:
    """Return a message for each row with a label absent from the training data."""
    notes = []
    for row in rows:
        unknown = [
            tag for tag in row.labels or () if symbols.labels is not None and tag not in symbols.labels
        ]
        if symbols.classes is not None and row.label is not None and row.label not in symbols.classes:
            unknown.append(row.label)
        if unknown:
            notes.append(f"{row.place}: has the label {quoted(unknown[0])}, absent from the training data.")
    return notes
