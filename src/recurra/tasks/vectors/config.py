"""The options for training word vectors."""

from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from recurra.config import (
    LoopPart,
    OptimizerPart,
    Part,
    RunPart,
    SchedulePart,
    TaskConfig,
    default,
    option,
)
from recurra.config.conditions import Above, AnyOf, Conditions, Unless, When
from recurra.config.search import Between, Multiples, OneOf, Suggestions
from recurra.text.words import Split

ContextName = Literal[
    "skip-gram", "cbow", "previous-average", "previous-concatenated", "previous-word", "nearby-word"
]
ObjectiveName = Literal["negative-sampling", "hierarchical-softmax", "softmax", "glove"]
_NATIVE = ("negative-sampling", "hierarchical-softmax")
# What options are if they are not given, where it is not the default of the class.
_OF_OBJECTIVE: dict[str, dict[str, Any]] = {
    "softmax": {"learning_rate": 0.01},
    "glove": {"learning_rate": 0.05, "schedule": "constant", "window": 10, "epochs": 25},
}
_OF_CONTEXT = {name: {"window": 4} for name in ("previous-average", "previous-concatenated")}
# Options of training by gradients, which only the full softmax uses.
_OF_GRADIENTS = (
    *("optimizer", "momentum", "weight_decay", "clip_norm", "clip_value", "averaging", "averaging_after"),
    *("loss_reduction", "precision", "device", "batch_size"),
)
_FLOOR = 1e-4  # the lowest learning rate relative to the first one, as in word2vec
LANES = 16
"""The kernels read concatenated vectors whose sizes are multiples of this."""


class WordsPart(Part):
    """Options for splitting a text into words."""

    title: ClassVar[str] = "Words"
    # They change the words, of which the loss is the mean.
    not_searched: ClassVar[tuple[str, ...]] = (
        *("split", "lowercase", "min_count", "max_vocabulary_size", "max_sentence_length", "phrase_passes"),
        *("phrase_threshold", "phrase_min_count", "validation_fraction", "test_fraction"),
    )
    conditions: ClassVar[Conditions] = {
        "phrase_threshold": Above("phrase_passes", 0),
        "phrase_min_count": Above("phrase_passes", 0),
        "validation_fraction": Unless("valid"),
        "test_fraction": Unless("test"),
    }

    split: Split = option(
        "blanks", "How text is split into words: at blanks, at punctuation too, or into characters"
    )
    lowercase: bool = option(False, "Put the text into lower case")
    min_count: int = option(5, "Leave out words that occur less often", ge=1)
    max_vocabulary_size: int | None = option(
        None, "Maximum vocabulary size; the most frequent words are kept", ge=2
    )
    max_sentence_length: int = option(
        1000, "Cut lines with more words than this into several sentences", unit="words", ge=2
    )
    phrase_passes: int = option(
        0, "Number of passes that join pairs of words, such as new_york, before training", ge=0, le=10
    )
    phrase_threshold: float = option(100.0, "Score above which a pair of words is joined", gt=0)
    phrase_min_count: int = option(5, "Leave words that occur less often out of pairs", ge=1)
    validation_fraction: float = option(
        0.02, "Fraction of the text, at its end, held out for validation if --valid is not given", gt=0, lt=1
    )
    test_fraction: float | None = option(
        None,
        "Fraction of the text, at its end, held out for testing; validation_fraction is then of the rest",
        gt=0,
        lt=1,
    )


class VectorPart(Part):
    """What is predicted from what."""

    title: ClassVar[str] = "Vectors"
    # They change what the loss is the mean of, or only the speed.
    not_searched: ClassVar[tuple[str, ...]] = (
        *("objective", "context", "window", "shrink_window", "negatives", "negative_exponent", "vectors"),
        *("chunk_size", "counting_memory_mb", "reproducible", "keep"),
    )
    searched: ClassVar[Suggestions] = {
        "embedding_size": Multiples(0.5, 1, 2),
        "subsample": Between(1e-5, 1e-2, log=True),
        "x_max": OneOf(10, 30, 100),
    }
    conditions: ClassVar[Conditions] = {
        "context": When("objective", *_NATIVE, "softmax"),
        "shrink_window": [
            When("objective", *_NATIVE, "softmax"),
            When("context", "skip-gram", "cbow", "nearby-word"),
            Above("window", 1),
        ],
        "window": Unless("context", "previous-word"),
        "negatives": When("objective", "negative-sampling"),
        "negative_exponent": When("objective", "negative-sampling"),
        "subsample": When("objective", *_NATIVE, "softmax"),
        "whole_error": [
            When("objective", *_NATIVE),
            AnyOf(When("context", "cbow", "previous-average"), When("subwords")),
        ],
        "subwords": [When("objective", *_NATIVE)],
        **dict.fromkeys(("min_ngram", "max_ngram", "buckets"), When("subwords")),
        **dict.fromkeys(("x_max", "alpha", "counting_memory_mb"), When("objective", "glove")),
        "vectors": [
            Unless("context", "previous-concatenated"),
            Unless("objective", "hierarchical-softmax"),
            Unless("subwords"),
        ],
        "reproducible": [When("objective", *_NATIVE), Unless("threads", 1)],
        "chunk_size": When("objective", *_NATIVE),
    }

    objective: ObjectiveName = option(
        "negative-sampling",
        "Objective (learning rate if not given: softmax 0.01, GloVe 0.05)",
    )
    context: ContextName = option(
        "skip-gram",
        "Context that predicts a word: each word of the window (skip-gram), their average (cbow), the "
        "previous words averaged or concatenated, the previous word, or one word of the window",
    )
    embedding_size: int = option(
        100,
        "Number of components of a vector (96 if not given, for concatenated)",
        ge=1,
        le=10_000,
    )
    window: int = option(
        5,
        "Number of words on each side or before the word (before: 4, GloVe: 10)",
        unit="words",
        ge=1,
        le=200,
    )
    shrink_window: bool = option(
        True, "Draw the window of each position uniformly from 1 to --window, so that near words count more"
    )
    negatives: int = option(5, "Number of words drawn for each position", ge=1, le=1000)
    negative_exponent: float = option(
        0.75, "Words are drawn in proportion to their count to this power", ge=-2, le=2
    )
    subsample: float = option(
        1e-3, "Drop occurrences of words with a larger share of the text at random; 0 keeps all", ge=0, lt=1
    )
    whole_error: bool = option(
        True,
        "Move each averaged vector by the whole error, as word2vec and fastText do, instead of its share",
    )
    subwords: bool = option(
        False, "Add vectors of character n-grams, so that unknown words have vectors too (fastText)"
    )
    min_ngram: int = option(3, "Length of the shortest character n-gram", unit="characters", ge=1, le=20)
    max_ngram: int = option(6, "Length of the longest character n-gram", unit="characters", ge=1, le=20)
    buckets: int = option(500_000, "Number of rows that n-grams are hashed to", ge=1, le=100_000_000)
    x_max: float = option(10.0, "GloVe: count from which all pairs weigh the same", gt=0)
    alpha: float = option(
        0.75, "GloVe: exponent of the weight (count / x_max)^alpha of rarer pairs", ge=0, le=2
    )
    counting_memory_mb: int = option(
        1000, "GloVe: memory for counting; what does not fit is sorted on disk", unit="MB", ge=1
    )
    vectors: Literal["input", "output", "mean", "sum"] = option(
        "input",
        "Vectors of context words (input), predicted words (output), mean or sum",
    )
    keep: Literal["last", "best"] = option(
        "last", "Keep the vectors of the last validation, or those of the validation with the lowest loss"
    )
    reproducible: bool = option(
        False,
        "Several threads: the same seed and number of threads give the same vectors, at some cost of speed",
    )
    chunk_size: int | None = option(
        None,
        "Number of words per step of training (if not given: 50,000, or a fiftieth of a short text); the "
        "learning rate is constant in a step",
        unit="words",
        ge=100,
    )
    batch_size: int = option(512, "Full softmax: number of positions per update", ge=1)


class VectorReadingPart(Part):
    """Options of `recurra evaluate` for word vectors."""

    title: ClassVar[str] = "Word vectors"
    conditions: ClassVar[Conditions] = {"restrict_vocab": AnyOf(When("analogies"), When("similarity"))}

    pairs: int = option(
        2000, "Number of held-out (context, word) pairs for the likelihood over the whole vocabulary", ge=1
    )
    analogies: tuple[str, ...] = option(
        (),
        "File of analogies, with `: name` lines and four words per line; may be given several times; without "
        "--data and --pairs no text is evaluated",
    )
    similarity: tuple[str, ...] = option(
        (),
        "File of similarity judgements, with two words and a number per line; may be given several times",
    )
    restrict_vocab: int = option(
        300_000, "Number of words, the most frequent ones, that these files are answered with", ge=1
    )


class NeighboursPart(Part):
    """Options of `recurra predict` for word vectors."""

    title: ClassVar[str] = "Word vectors"

    n_best: int = option(10, "Number of nearest words", ge=1)


class VectorsConfig(RunPart, WordsPart, VectorPart, TaskConfig):
    """The options of `recurra train vectors`.

    Raises: ConfigError (through `build_config`) if options contradict each other.
    """

    title: ClassVar[str] = "Word vectors"
    task: ClassVar[str] = "recurra.tasks.vectors.task:TrainingVectors"
    summary: ClassVar[str] = "Train word vectors: skip-gram, CBOW and other contexts, or GloVe."
    example: ClassVar[str] = "recurra train vectors --data corpus.txt --lowercase -o runs/vectors"
    conditions: ClassVar[Conditions] = {
        **dict.fromkeys(_OF_GRADIENTS, When("objective", "softmax")),
    }
    main_options: ClassVar[tuple[str, ...]] = (
        *("data", "valid", "split", "lowercase", "min_count", "max_vocabulary_size", "phrase_passes"),
        *("objective", "context", "embedding_size", "window", "negatives", "subsample", "subwords"),
        *("vectors", "epochs", "learning_rate", "seed", "seeds", "threads", "reproducible"),
    )
    evaluation: ClassVar[type[Part]] = VectorReadingPart
    prediction: ClassVar[type[Part]] = NeighboursPart

    learning_rate: float = default(OptimizerPart, "learning_rate", 0.025)
    schedule: Literal["cosine", "linear", "constant", "decay", "plateau"] = default(
        SchedulePart, "schedule", "linear"
    )
    warmup_steps: int = default(SchedulePart, "warmup_steps", 0)
    min_learning_rate: float = option(
        0.0, "Lowest learning rate, at the end of training (if not given, 1e-4 of the learning rate)", ge=0
    )
    optimizer: Literal["adamw", "adam", "sgd", "momentum", "rmsprop", "adagrad"] = default(
        OptimizerPart, "optimizer", "adam"
    )
    epochs: int = default(LoopPart, "epochs", 5)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.data is None:
            raise ValueError("data: is missing; name a file to train on")
        if self.min_ngram > self.max_ngram:
            raise ValueError(f"min_ngram: got {self.min_ngram}, expected at most max_ngram, {self.max_ngram}")
        given = self.model_fields_set
        if self.objective == "glove" and "min_learning_rate" in given and "schedule" not in given:
            raise ValueError(
                "min_learning_rate: does not apply to the constant learning rate of GloVe; give a schedule, "
                "or remove it"
            )
        if self.subwords and self.context == "previous-concatenated":
            raise ValueError(
                "subwords: cannot be combined with context previous-concatenated; change context, or "
                "remove subwords"
            )
        if self._has_lanes and "embedding_size" in given and self.embedding_size % LANES:
            raise ValueError(
                f"embedding_size: got {self.embedding_size}, expected a multiple of {LANES} with context "
                f"previous-concatenated and objective {self.objective}"
            )
        return self

    @property
    def _has_lanes(self) -> bool:
        """Whether the size of the vectors must be a multiple of `LANES`."""
        return self.context == "previous-concatenated" and self.objective in _NATIVE

    def resolved(self) -> Self:
        """Return a copy with the options set that depend on other options."""
        own = _OF_OBJECTIVE.get(self.objective, {})
        if self.objective != "glove":
            own = own | _OF_CONTEXT.get(self.context, {})
        if self._has_lanes:
            own = own | {"embedding_size": self.embedding_size // LANES * LANES}
        is_given = "learning_rate" in self.model_fields_set
        rate = self.learning_rate if is_given else own.get("learning_rate", self.learning_rate)
        own = own | {"min_learning_rate": _FLOOR * rate}
        found = {name: value for name, value in own.items() if name not in self.model_fields_set}
        if self.context == "previous-word":
            found["window"] = 1
        return self.model_copy(update=found)
