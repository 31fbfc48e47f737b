"""The parts of tasks that label: how rows are read, words represented, sequences labelled."""

from typing import ClassVar, Literal

from recurra.config.conditions import Conditions, When
from recurra.config.part import FilePath, Part, option
from recurra.config.parts import RecurrentNetworkConfig

Format = Literal[
    "auto", "conll", "atis", "parallel", "label-text", "trees", "csv", "tsv", "jsonl", "folder", "arrays"
]
Scheme = Literal["auto", "bio", "iob1", "iobes", "classes"]


class RowsPart(Part):
    """How rows are read from files, with labels or without."""

    title: ClassVar[str] = "Reading"

    format: Format = option("auto", "what the files are; auto tells by name and first lines")
    text_column: str | None = option(
        None, "where the words are: a column's name in tables (text), its number from 1 in conll (1)"
    )
    second_column: str | None = option(None, "where the second text of a pair is (text2)")
    label_column: str | None = option(None, "where the label of a whole row is (label)")
    tags_column: str | None = option(
        None, "where the labels of words are: a name in tables (labels), a number in conll (the last)"
    )
    vectors_column: str | None = option(
        None,
        "in tables, a .npy file of a vector a step, or a folder of frame images, beside the table (vectors)",
    )
    conversation_column: str | None = option(
        None,
        "what tells conversations apart, whose turns follow one another; without it every row is its own",
    )
    quoted: bool | None = option(
        None, 'whether "…" holds a field together in tables; if not given, in csv and not in tsv'
    )
    split: Literal["blanks", "punctuation", "characters"] = option(
        "blanks", "what a text is cut into words by: blanks, punctuation too, or every character is a word"
    )
    skip_bad: bool = option(False, "leave out rows that cannot be read, and count them")


class GoldPart(Part):
    """How the labels of rows are read."""

    title: ClassVar[str] = "Reading"

    scheme: Scheme = option(
        "auto", "how labels of words mark spans; iob1 becomes bio; classes: they do not, as parts of speech"
    )
    tree_labels: Literal["fine", "binary"] = option(
        "fine", "of sentiment trees: five classes, or two without the neutral ones"
    )


class ReaderPart(RowsPart, GoldPart):
    """How rows with labels are read from files."""

    title: ClassVar[str] = "Reading"

    phrases: bool = option(False, "of sentiment trees: train on every phrase, not on whole sentences alone")


class RepresentationPart(Part):
    """What a word is to the network: any of these, side by side."""

    title: ClassVar[str] = "Words"
    conditions: ClassVar[Conditions] = {
        "word_size": When("word_vectors", "learnt", "pretrained"),
        "other": When("word_vectors", "one-hot"),
        "freeze_vectors": When("word_vectors", "pretrained"),
        "tune_after": When("word_vectors", "pretrained"),
        "vectors_limit": When("word_vectors", "pretrained"),
        "trigram_size": When("trigrams"),
        "character_size": When("characters", "rnn", "cnn"),
        "character_hidden": When("characters", "rnn", "cnn"),
    }

    word_vectors: Literal["learnt", "pretrained", "one-hot", "none"] = option(
        "learnt", "a vector for each word: learnt, from the file --vectors, or 1-of-N"
    )
    word_size: int = option(100, "numbers in a learnt word vector", ge=1)
    other: bool = option(
        True, "1-of-N: words without a place of their own share one, else they are all zeros"
    )
    min_count: int = option(1, "words seen less often are <unk>", ge=1)
    max_vocabulary_size: int | None = option(None, "keep the most frequent words", ge=2)
    lowercase: bool = option(False, "look words up in lower case")
    digits: bool = option(False, "look words up with every digit as 0")
    vectors: FilePath | None = option(None, "word vectors in the formats of GloVe or word2vec")
    freeze_vectors: bool = option(False, "pretrained vectors stay as they are")
    tune_after: int = option(0, "or are tuned only after this many passes", unit="epochs", ge=0)
    vectors_limit: int = option(
        100_000,
        "keep so many words of the file beside those of the texts, so that new words have vectors",
        ge=0,
    )
    trigrams: bool = option(False, "word hashing: the sum of a vector for each letter trigram")
    trigram_size: int = option(100, "numbers in it", ge=1)
    characters: Literal["none", "rnn", "cnn"] = option(
        "none", "a vector composed from a word's characters by a recurrent network or a convolution"
    )
    character_size: int = option(25, "numbers in a character's vector", ge=1)
    character_hidden: int = option(25, "units for each direction, or filters", ge=1)
    casing: bool = option(False, "how a word is written: lower case, title, upper, numeric …")
    word_dropout: float = option(0.0, "in training a word is <unk> with this probability", ge=0, lt=1)


class BaselinePart(Part):
    """Baselines that see no further than a window, or no order at all."""

    title: ClassVar[str] = "Baselines (models window and average)"

    window: int = option(1, "words on either side that the window holds", ge=0, le=20)


class HeadPart(Part):
    """From what was read to labels."""

    title: ClassVar[str] = "Labels"

    bidirectional: bool = option(True, "read from both ends")
    label_smoothing: float = option(0.0, "share of a target that goes to all labels alike", ge=0, lt=1)
    class_weights: Literal["none", "balanced"] = option(
        "none", "balanced: a label weighs in inverse proportion to how often it occurs"
    )


class EncoderConfig(RecurrentNetworkConfig, RepresentationPart, BaselinePart, HeadPart):
    """All that says what reads a sequence."""


class BatchPart(Part):
    """Which rows are held out, and how the others go into batches."""

    title: ClassVar[str] = "Batches"

    batch_size: int = option(32, "sequences of a batch, over all processes", ge=1)
    validation_fraction: float = option(
        0.1, "held out where no --valid is given, of each label as large a share", gt=0, lt=1
    )
    split_seed: int = option(1, "of what is held out", ge=0, le=2**32 - 1)


class LongRowsPart(Part):
    """What is done with long texts and conversations."""

    title: ClassVar[str] = "Batches"

    max_words: int | None = option(
        None,
        "of a longer text the first and the last words, half of them each; not for labels of words",
        ge=2,
    )
    turns_together: int = option(
        16, "of conversations: back-propagate through so many turns, over which the state goes on", ge=1
    )
