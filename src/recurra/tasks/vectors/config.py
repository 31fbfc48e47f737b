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

ContextName = Literal[
    "skip-gram", "cbow", "previous-average", "previous-concatenated", "previous-word", "nearby-word"
]
ObjectiveName = Literal["negative-sampling", "hierarchical-softmax", "softmax", "glove"]
_NATIVE = ("negative-sampling", "hierarchical-softmax")
_OWN_RATES = {"softmax": 0.002, "glove": 0.05}
# Options of training by gradients, which only the full softmax uses.
_OF_GRADIENTS = (
    *("optimizer", "momentum", "weight_decay", "clip_norm", "clip_value", "averaging", "averaging_after"),
    *("loss_reduction", "warmup_steps", "precision", "device", "batch_size"),
)


class WordsPart(Part):
    """Options for splitting a text into words."""

    title: ClassVar[str] = "Words"
    conditions: ClassVar[Conditions] = {
        "phrase_threshold": Above("phrase_passes", 0),
        "phrase_min_count": Above("phrase_passes", 0),
        "validation_fraction": Unless("valid"),
    }

    split: Literal["blanks", "punctuation"] = option(
        "blanks", "Split the text into words at blanks, or at blanks and punctuation"
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


class VectorPart(Part):
    """What is predicted from what."""

    title: ClassVar[str] = "Vectors"
    conditions: ClassVar[Conditions] = {
        "context": When("objective", *_NATIVE, "softmax"),
        "shrink_window": [
            When("objective", *_NATIVE, "softmax"),
            When("context", "skip-gram", "cbow", "nearby-word"),
            Above("window", 1),
        ],
        "window": AnyOf(Unless("context", "previous-word"), When("objective", "glove")),
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
        "vectors": Unless("context", "previous-concatenated"),
        "reproducible": When("objective", *_NATIVE),
        "chunk_size": When("objective", *_NATIVE, "glove"),
    }

    objective: ObjectiveName = option(
        "negative-sampling",
        "Objective: negative sampling, hierarchical softmax, full softmax, or the weighted least squares of "
        "GloVe",
    )
    context: ContextName = option(
        "skip-gram",
        "Context that predicts a word: each word of the window (skip-gram), their average (cbow), the "
        "previous words averaged or concatenated, the previous word, or one word of the window",
    )
    embedding_size: int = option(100, "Number of components of a vector", ge=1, le=10_000)
    window: int = option(
        5,
        "Number of words on each side, or before the word, that the context has",
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
        "input", "Vectors of the words: those of the context (input), those predicted (output), mean or sum"
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

    pairs: int = option(
        2000, "Number of held-out (context, word) pairs for the likelihood over the vocabulary", ge=1
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
        "test": Unless("objective", "glove"),
    }
    main_options: ClassVar[tuple[str, ...]] = (
        *("data", "valid", "split", "lowercase", "min_count", "max_vocabulary_size", "phrase_passes"),
        *("objective", "context", "embedding_size", "window", "negatives", "subsample", "subwords", "x_max"),
        *("vectors", "epochs", "learning_rate", "seed", "seeds", "threads", "reproducible"),
    )
    evaluation: ClassVar[type[Part]] = VectorReadingPart
    prediction: ClassVar[type[Part]] = NeighboursPart

    learning_rate: float = option(
        0.025, "Peak learning rate (if not given: full softmax 0.002, GloVe 0.05)", gt=0
    )
    schedule: Literal["cosine", "linear", "constant", "decay", "plateau"] = default(
        SchedulePart, "schedule", "linear"
    )
    warmup_steps: int = default(SchedulePart, "warmup_steps", 0)
    min_learning_rate: float = default(SchedulePart, "min_learning_rate", 1e-4)
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
        return self

    def resolved(self) -> Self:
        """Return a copy with the options set that depend on other options."""
        found: dict[str, Any] = {}
        left = {
            name for name in ("learning_rate", "schedule") if getattr(self, name) == self.default_of(name)
        }
        left -= self.given().keys()
        if "learning_rate" in left and self.objective in _OWN_RATES:
            found["learning_rate"] = _OWN_RATES[self.objective]
        if "schedule" in left and self.objective == "glove":
            found["schedule"] = "constant"
        if self.context == "previous-word":
            found["window"] = 1
        return self.model_copy(update=found)
