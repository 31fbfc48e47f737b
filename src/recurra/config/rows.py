"""Configuration parts of tasks that predict labels: reading rows, representing words, predicting labels."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from recurra.config.conditions import AnyOf, Conditions, Unless, When
from recurra.config.part import Encoding, FilePath, NamedFiles, Part, default, option
from recurra.config.parts import RecurrentNetworkConfig, VectorsPart
from recurra.config.search import Between, Multiples, Suggestions

Format = Literal[
    "auto", "conll", "atis", "parallel", "label-text", "trees", "csv", "tsv", "jsonl", "folder", "arrays"
]
Scheme = Literal["auto", "spans", "bio", "iob1", "iobes", "bilou", "bmes", "classes"]


class RowsPart(Part):
    """Options for reading rows from files, with or without labels."""

    title: ClassVar[str] = "Reading"
    not_searched: ClassVar[tuple[str, ...]] = (
        *("format", "text_column", "second_column", "label_column", "score_column", "tags_column"),
        *(
            "entities_column",
            "vectors_column",
            "conversation_column",
            "quoted",
            "split",
            "encoding",
            "delimiter",
            "skip_bad",
        ),
    )

    format: Format = option(
        "auto", "Format of the files; auto infers it from the file name and the first lines"
    )
    text_column: str | None = option(
        None, "Column of the text or the words: a name in tables (text), a number from 1 in conll (1)"
    )
    second_column: str | None = option(None, "Column of the second text of a pair (text2)")
    label_column: str | None = option(None, "Column of the row's label (label)")
    score_column: str | None = option(
        None, "Pairs: column of a score, a number; the model then predicts scores instead of labels"
    )
    tags_column: str | None = option(
        None, "Column of the word labels: a name in tables (labels), a number in conll (the last)"
    )
    entities_column: str | None = option(
        None,
        "JSON lines: column of entities as [begin, end, type], offsets into the characters of the text "
        "(entities)",
    )
    vectors_column: str | None = option(
        None,
        "Tables: column of paths, relative to the table, of .npy files with one vector per step or of"
        " folders of frame images (vectors)",
    )
    conversation_column: str | None = option(
        None,
        "Column that identifies the conversation of a turn; without it each row stands alone",
    )
    quoted: bool | None = option(
        None, 'Whether "…" quotes fields in tables (if not given: in csv, not in tsv)'
    )
    split: Literal["blanks", "punctuation", "characters"] = option(
        "blanks", "How text is split into words: at blanks, at punctuation too, or into characters"
    )
    encoding: Encoding = option("utf-8", "Character encoding of text files, latin-1 or cp1252 for example")
    delimiter: str | None = option(
        None, "Delimiter of csv files (if not given, inferred from the header: , ; | or a tab)", max_length=1
    )
    skip_bad: bool = option(False, "Skip rows that cannot be read, and count them")


class GoldPart(Part):
    """Options for reading the labels of rows."""

    title: ClassVar[str] = "Reading"
    not_searched: ClassVar[tuple[str, ...]] = ("scheme", "tree_labels")

    scheme: Scheme = option(
        "auto",
        "Tagging scheme, converted to bio; spans: whichever fits each file; classes: labels do not mark "
        "spans (parts of speech, for example)",
    )
    tree_labels: Literal["fine", "binary"] = option(
        "fine", "Sentiment trees: five classes (fine), or two without the neutral one (binary)"
    )


class ReaderPart(RowsPart, GoldPart):
    """Options for reading labelled rows from files."""

    title: ClassVar[str] = "Reading"

    not_searched: ClassVar[tuple[str, ...]] = ("phrases",)

    phrases: bool = option(False, "Sentiment trees: train on every phrase instead of whole sentences only")


_OF_VOCABULARY = ("min_count", "max_vocabulary_size", "lowercase", "digits", "word_dropout")


class RepresentationPart(Part):
    """Representations of a word; the network concatenates all that are chosen."""

    title: ClassVar[str] = "Words"
    conditions: ClassVar[Conditions] = {
        "embedding_size": When("word_vectors", "learnt", "pretrained"),
        **dict.fromkeys(_OF_VOCABULARY, Unless("word_vectors", "none")),
        "one_hot_unknown": When("word_vectors", "one-hot"),
        **dict.fromkeys(("freeze_vectors", "tune_after", "vectors_limit"), When("vectors")),
        "trigram_embedding_size": When("trigrams"),
        "character_embedding_size": When("characters", "rnn", "cnn"),
        "character_hidden_size": When("characters", "rnn", "cnn"),
        "gazetteer_ignore_case": When("gazetteer"),
        "gazetteer_dropout": AnyOf(When("gazetteer"), When("from_run")),
    }
    renamed: ClassVar[Mapping[str, str]] = {
        "word_size": "embedding_size",
        "other": "one_hot_unknown",
        "trigram_size": "trigram_embedding_size",
        "character_size": "character_embedding_size",
        "character_hidden": "character_hidden_size",
    }

    word_vectors: Literal["learnt", "pretrained", "one-hot", "none"] = option(
        "learnt",
        "Word vectors: learnt, pretrained (from --vectors, which chooses this), one-hot or none",
    )
    embedding_size: int = option(100, "Size of a learnt word vector", ge=1)
    one_hot_unknown: bool = option(
        True, "One-hot: unknown words share one position; otherwise they are all zeros"
    )
    min_count: int = option(1, "Replace words that occur less often with <unk>", ge=1)
    max_vocabulary_size: int | None = option(
        None, "Maximum vocabulary size; the most frequent words are kept", ge=2
    )
    lowercase: bool = option(False, "Look words up in lower case")
    digits: bool = option(False, "Look words up with every digit replaced by 0")
    vectors: FilePath | None = default(VectorsPart, "vectors", None)
    freeze_vectors: bool = default(VectorsPart, "freeze_vectors", False)
    tune_after: int = default(VectorsPart, "tune_after", 0)
    vectors_limit: int = option(
        100_000,
        "Number of words to keep from the file beside those of the data, so that new words have vectors",
        ge=0,
    )
    trigrams: bool = option(False, "Word hashing: the sum of embeddings of the word's letter trigrams")
    trigram_embedding_size: int = option(100, "Size of a trigram's embedding", ge=1)
    characters: Literal["none", "rnn", "cnn"] = option(
        "none",
        "Network that composes a word vector from characters: recurrent (rnn), convolutional (cnn) or none",
    )
    character_embedding_size: int = option(25, "Size of a character's embedding", ge=1)
    character_hidden_size: int = option(
        25, "Number of hidden units per direction (rnn) or of filters (cnn)", ge=1
    )
    casing: bool = option(False, "Feature for the casing of a word: lower, title, upper, numeric, …")
    shapes: bool = option(False, "Feature for the shape of a word: Xxxx, XX, dddd, x-x, …")
    gazetteer: NamedFiles = option(
        (),
        "Word list: a feature for words and phrases of a type that a text file lists, one per line; may be "
        "given several times",
    )
    gazetteer_ignore_case: bool = option(False, "Word lists: ignore upper and lower case")
    gazetteer_dropout: float = option(
        0.0, "Word lists: probability of hiding a match in training", ge=0, lt=1
    )
    word_dropout: float = option(0.0, "Probability of replacing a word with <unk> in training", ge=0, lt=1)


class BaselinePart(Part):
    """Options of the baselines: a fixed window of words, or an average without word order."""

    title: ClassVar[str] = "Baseline models"
    searched: ClassVar[Suggestions] = {"window": Between(0, 3)}

    window: int = option(1, "Number of words on either side in the window", ge=0, le=20)


class HeadPart(Part):
    """Options for predicting labels from the encoded sequence."""

    title: ClassVar[str] = "Labels"

    bidirectional: bool = option(True, "Read the sequence in both directions")
    label_smoothing: float = option(
        0.0, "Label smoothing: share of the target spread over all labels", ge=0, lt=1
    )
    class_weights: Literal["none", "balanced"] = option(
        "none", "Class weights of the loss; balanced: inversely proportional to class frequencies"
    )


class EncoderConfig(RecurrentNetworkConfig, RepresentationPart, BaselinePart, HeadPart):
    """All options of the network that reads a sequence."""

    embedding_size: int = default(RepresentationPart, "embedding_size", 100)


class BatchPart(Part):
    """Options for holding out rows and for batching the others."""

    title: ClassVar[str] = "Batches"
    conditions: ClassVar[Conditions] = {
        "validation_fraction": Unless("valid"),
        "split_seed": AnyOf(Unless("valid"), When("folds"), When("test_fraction")),
        "test_fraction": Unless("test"),
    }
    not_searched: ClassVar[tuple[str, ...]] = ("validation_fraction", "test_fraction", "split_seed")
    searched: ClassVar[Suggestions] = {"batch_size": Multiples(0.5, 1, 2)}

    batch_size: int = option(32, "Number of sequences per batch, over all processes", ge=1)
    validation_fraction: float = option(
        0.1, "Fraction held out for validation, stratified by label, if --valid is not given", gt=0, lt=1
    )
    test_fraction: float | None = option(
        None,
        "Fraction held out for testing, stratified by label; it is in no fold of --folds",
        gt=0,
        lt=1,
    )
    split_seed: int = option(
        1, "Random seed of the split into training, validation and test data", ge=0, le=2**32 - 1
    )


class LongRowsPart(Part):
    """Options for long texts and conversations."""

    title: ClassVar[str] = "Batches"

    max_words: int | None = option(
        None,
        "Truncate longer texts to their first and last words, half of this number each",
        ge=2,
    )
    turns_together: int = option(
        16, "Conversations: number of turns to backpropagate through; the state is carried on", ge=1
    )
