"""The training options of taggers, classifiers and classifiers of pairs."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from recurra.config import (
    BatchPart,
    CellPart,
    EncoderConfig,
    FoldsPart,
    GoldPart,
    KeepBestPart,
    LongRowsPart,
    LoopPart,
    OptimizerPart,
    Part,
    ReaderPart,
    RecurrentPart,
    RegularizationPart,
    RowsPart,
    RunPart,
    SchedulePart,
    TaskConfig,
    default,
    option,
)
from recurra.config.conditions import AnyOf, Conditions, OnlyIn, Unless, When
from recurra.config.part import FilePath
from recurra.config.search import EveryChoice, Suggestions

# Options of the recurrent network that labelling tasks do not use.
_OF_LANGUAGE_MODELS = (
    *("tie_weights", "adaptive_softmax", "embedding_dropout", "init_scale"),
    *("activation_regularization", "temporal_activation_regularization"),
)
_OF_RECURRENCE = {"bidirectional"}.union(
    *(part.model_fields for part in (RecurrentPart, CellPart, RegularizationPart))
) - {"hidden_size", "embedding_size", "dropout", "input_dropout", "dropout_mask"}

COLUMNS = (
    *("text_column", "second_column", "label_column", "score_column", "tags_column", "entities_column"),
    *("vectors_column", "conversation_column"),
)
_OF_TREES = ("phrases", "tree_labels")
_OF_PAIRS = ("second_column", "score_column")


class DecisionPart(Part):
    """Options for deciding labels by thresholds on their probabilities."""

    title: ClassVar[str] = "Taggers and classifiers"

    saved_thresholds: bool = option(False, "Decide labels by the thresholds that `recurra calibrate` saved")
    threshold: tuple[str, ...] = option(
        (), "Decide a label, or an entity type, by a threshold: LABEL=P; may be given several times"
    )


class LabelCalibrationPart(RowsPart, GoldPart):
    """Options of `recurra calibrate`: how the rows of a file are read, and how thresholds are chosen."""

    title: ClassVar[str] = "Taggers and classifiers"
    as_trained: ClassVar[tuple[str, ...]] = (*RowsPart.model_fields, *GoldPart.model_fields)

    maximise: Literal["f1", "f0.5", "f2", "none"] = option(
        "f1",
        "Measure that thresholds maximise: f1, f0.5 (favours precision) or f2 (favours recall); none: choose "
        "no thresholds",
    )
    threshold_for: tuple[str, ...] = option(
        (),
        "Choose thresholds for these labels only: LABEL (for F1), LABEL=precision:0.9, LABEL=recall:0.9 or "
        "LABEL=f2; may be given several times",
    )


class LabelEvaluationPart(RowsPart, GoldPart, DecisionPart):
    """Options of `recurra evaluate`: how the rows of a file are read, and what is shown."""

    title: ClassVar[str] = "Taggers and classifiers"
    conditions: ClassVar[Conditions] = {"label": When("thresholds"), "picture": When("thresholds")}
    as_trained: ClassVar[tuple[str, ...]] = (*RowsPart.model_fields, *GoldPart.model_fields)

    mistakes: int = option(0, "Number of worst mistakes to show", ge=0)
    thresholds: bool = option(False, "Show the precision and recall of each label at several thresholds")
    label: str | None = option(None, "Show the thresholds of this label only")
    picture: FilePath | None = option(None, "Write a plot of the precision-recall curves to this PNG file")


class LabelPredictionPart(RowsPart, DecisionPart):
    """Options of `recurra predict`: how the rows of a file are read, and what is printed."""

    title: ClassVar[str] = "Taggers and classifiers"
    conditions: ClassVar[Conditions] = dict.fromkeys(
        ("label_column", "score_column", "tags_column", "entities_column"), OnlyIn("training and evaluation")
    )
    as_trained: ClassVar[tuple[str, ...]] = tuple(RowsPart.model_fields)

    n_best: int = option(0, "Taggers with a CRF: number of most probable label sequences (with --json)", ge=0)
    reject_below: float = option(0.0, "Output ? where the probability is below this threshold", ge=0, le=1)
    turns: bool = option(
        False, "Lines are turns of a conversation, whose state is carried on; a blank line ends it"
    )


class PairPredictionPart(LabelPredictionPart):
    """Options of `recurra predict` for pairs."""

    alignment_pictures: FilePath | None = option(
        None, "Pairs: write a picture of the alignment of each pair to this folder (matching aligned)"
    )


class EntityReadingPart(RowsPart, GoldPart):
    """Options of `recurra data gazetteer`: how the rows of a file with entities are read."""

    title: ClassVar[str] = "Reading"
    conditions: ClassVar[Conditions] = dict.fromkeys(
        (
            "second_column",
            "label_column",
            "score_column",
            "vectors_column",
            "conversation_column",
            "tree_labels",
        ),
        OnlyIn("training and evaluation"),
    )

    format: Literal["auto", "conll", "atis", "parallel", "csv", "tsv", "jsonl"] = default(
        RowsPart, "format", "auto"
    )
    scheme: Literal["auto", "spans", "bio", "iob1", "iobes", "bilou", "bmes"] = option(
        "auto", "Tagging scheme; auto and spans: whichever fits each file"
    )


class LabellingConfig(
    RunPart,
    ReaderPart,
    EncoderConfig,
    BatchPart,
    LongRowsPart,
    FoldsPart,
    KeepBestPart,
    TaskConfig,
):
    """Options common to all labelling tasks.

    Raises: ConfigError (through `build_config`) if options contradict each other.
    """

    title: ClassVar[str] = "Labelling"
    conditions: ClassVar[Conditions] = {
        **dict.fromkeys(_OF_RECURRENCE, When("model", "recurrent")),
        **dict.fromkeys(_OF_LANGUAGE_MODELS, OnlyIn("language models")),
        "turns_together": When("model", "recurrent"),
        "vectors": Unless("from_run"),
        # Other models do not carry a state; a conversation is then only held out as a whole.
        "conversation_column": AnyOf(When("model", "recurrent"), Unless("valid"), When("folds")),
    }
    main_options: ClassVar[tuple[str, ...]] = (
        *("data", "valid", "test", "format", "model", "decoder", "class_weights", "folds"),
        *("word_vectors", "vectors", "characters", "cell", "hidden_size", "dropout", "batch_size"),
        *("epochs", "learning_rate", "patience", "seed", "seeds", "threads", "from_run"),
    )
    evaluation: ClassVar[type[Part]] = LabelEvaluationPart
    prediction: ClassVar[type[Part]] = LabelPredictionPart
    calibration: ClassVar[type[Part]] = LabelCalibrationPart

    hidden_size: int = default(RecurrentPart, "hidden_size", 100)
    num_layers: int = default(RecurrentPart, "num_layers", 1)
    dropout: float = default(RecurrentPart, "dropout", 0.5)
    input_dropout: float = default(RecurrentPart, "input_dropout", 0.3)
    learning_rate: float = default(OptimizerPart, "learning_rate", 0.002)
    clip_norm: float = default(OptimizerPart, "clip_norm", 5.0)
    schedule: Literal["cosine", "linear", "constant", "decay", "plateau"] = default(
        SchedulePart, "schedule", "linear"
    )
    warmup_steps: int = default(SchedulePart, "warmup_steps", 0)
    epochs: int = default(LoopPart, "epochs", 20)

    @model_validator(mode="before")
    @classmethod
    def _vectors_are_pretrained(cls, given: Any) -> Any:
        """Given vectors choose pretrained word vectors."""
        if isinstance(given, Mapping) and given.get("vectors") is not None and "word_vectors" not in given:
            return {**given, "word_vectors": "pretrained"}
        return given

    @model_validator(mode="after")
    def _check_labelling(self) -> Self:
        if self.data is None:
            raise ValueError("data: is missing; name a file to train on")
        if (self.word_vectors == "pretrained") != (self.vectors is not None):
            wrong = f"is used with word_vectors pretrained only, not with {self.word_vectors}"
            raise ValueError(
                "vectors: is missing; name the vectors of word_vectors pretrained"
                if self.vectors is None
                else f"vectors: {wrong}; remove one of them"
            )
        if self.freeze_vectors and self.tune_after:
            raise ValueError("tune_after: cannot be combined with freeze_vectors; remove one of them")
        return self


class TagConfig(LabellingConfig):
    """The options of `recurra train tag`."""

    title: ClassVar[str] = "Tagger"
    task: ClassVar[str] = "recurra.tasks.labelling.task:Tagging"
    summary: ClassVar[str] = "Train a tagger, which labels each word: slots, entities, parts of speech."
    example: ClassVar[str] = "recurra train tag --data atis.train.iob --test atis.dev.iob -o runs/atis"
    conditions: ClassVar[Conditions] = {
        "constrained": When("decoder", "crf"),
        "label_smoothing": When("decoder", "softmax"),
        "class_weights": Unless("decoder", "crf"),
        "window": When("model", "window"),
        "max_words": OnlyIn("classifiers"),
        **dict.fromkeys(_OF_PAIRS, OnlyIn("classifiers of pairs")),
        **dict.fromkeys(_OF_TREES, OnlyIn("classifiers of single texts")),
    }
    renamed: ClassVar[Mapping[str, str]] = {"class_share": "sentence_loss_weight"}
    best_metrics: ClassVar[tuple[str, ...]] = (
        *("score", "loss", "f1", "word-accuracy", "macro-f1"),
        *("sentence-label-accuracy", "sentence-label-macro-f1"),
    )
    of_one: ClassVar[str] = "TYPE"

    format: Literal["auto", "conll", "atis", "parallel", "csv", "tsv", "jsonl", "arrays"] = default(
        RowsPart, "format", "auto"
    )
    model: Literal["recurrent", "window"] = option(
        "recurrent", "Recurrent network, or feed-forward network over a window of words"
    )
    decoder: Literal["softmax", "crf", "sigmoid"] = option(
        "softmax",
        "Decode labels independently (softmax), jointly by a conditional random field (crf), or as one "
        "binary decision per word (sigmoid)",
    )
    constrained: bool = option(
        True, "CRF: forbid transitions that the BIO scheme does not allow, such as O to I-"
    )
    sentence_loss_weight: float = option(
        1.0,
        "Weight of the sentence label's loss relative to the word labels'; 0: the sentence label is not "
        "learnt",
        ge=0,
    )
    keep_best: str = option(
        "score",
        "Metric of the best checkpoint: score (F1 or word accuracy, plus sentence label accuracy), loss, f1, "
        "word-accuracy, macro-f1, f1:TYPE, sentence-label-accuracy or sentence-label-macro-f1",
    )


class PooledConfig(LabellingConfig):
    """Options common to classifiers of texts and of pairs."""

    title: ClassVar[str] = "Classifier"
    searched: ClassVar[Suggestions] = {"pooling": EveryChoice()}
    conditions: ClassVar[Conditions] = {
        "pooling": When("model", "recurrent"),
        **dict.fromkeys(("window", "scheme", "tags_column", "entities_column"), OnlyIn("taggers")),
    }
    main_options: ClassVar[tuple[str, ...]] = (*LabellingConfig.main_options, "keep_best")
    best_metrics: ClassVar[tuple[str, ...]] = ("score", "loss", "accuracy", "macro-f1")

    model: Literal["recurrent", "average"] = option(
        "recurrent", "Recurrent network, or the average of the word vectors regardless of order"
    )
    pooling: Literal["last", "mean", "max", "centre", "attention"] = option(
        "max",
        "Pooling of the states over time; centre is the state at the middle step",
    )
    keep_best: str = option(
        "score",
        "Metric of the best checkpoint: score (accuracy), loss, accuracy, macro-f1 or f1:LABEL",
    )


class ClassifyConfig(PooledConfig):
    """The options of `recurra train classify`."""

    task: ClassVar[str] = "recurra.tasks.labelling.task:Classification"
    summary: ClassVar[str] = "Train a classifier of texts, or of sequences of vectors or images."
    example: ClassVar[str] = "recurra train classify --data reviews.csv -o runs/reviews"
    conditions: ClassVar[Conditions] = dict.fromkeys(_OF_PAIRS, OnlyIn("classifiers of pairs"))

    format: Literal[
        "auto", "atis", "parallel", "label-text", "trees", "csv", "tsv", "jsonl", "folder", "arrays"
    ] = default(RowsPart, "format", "auto")


class PairConfig(PooledConfig):
    """The options of `recurra train pair`."""

    title: ClassVar[str] = "Classifier of pairs"
    task: ClassVar[str] = "recurra.tasks.labelling.task:PairClassification"
    summary: ClassVar[str] = "Train a classifier of text pairs, such as paraphrases."
    example: ClassVar[str] = "recurra train pair --data paraphrases.tsv -o runs/pairs"
    conditions: ClassVar[Conditions] = {
        **dict.fromkeys(_OF_TREES, OnlyIn("classifiers of single texts")),
        "turns_together": OnlyIn("taggers and classifiers of single texts"),
        "vectors_column": OnlyIn("taggers and classifiers of single sequences"),
        "conversation_column": AnyOf(Unless("valid"), When("folds")),
        "pooling": [When("model", "recurrent"), When("matching", "siamese")],
        **dict.fromkeys(("class_weights", "label_smoothing", "label_column"), Unless("score_column")),
    }
    main_options: ClassVar[tuple[str, ...]] = (
        *("data", "valid", "format", "score_column", "model", "matching", "symmetric", "overlap_features"),
        *("length_features", "number_features", "folds", "vectors", "hidden_size", "dropout"),
        *("epochs", "learning_rate", "patience", "seed", "seeds", "from_run"),
    )
    best_metrics: ClassVar[tuple[str, ...]] = (*PooledConfig.best_metrics, "pearson", "spearman")
    prediction: ClassVar[type[Part]] = PairPredictionPart
    searched: ClassVar[Suggestions] = {"matching": EveryChoice()}

    format: Literal["auto", "csv", "tsv", "jsonl"] = default(RowsPart, "format", "auto")
    matching: Literal["siamese", "aligned"] = option(
        "siamese",
        "Compare the vectors of the two texts (siamese), or align the texts word by word by attention and "
        "compare the aligned words (aligned)",
    )
    symmetric: bool = option(False, "Make the prediction independent of the order of the two texts")
    overlap_features: bool = option(
        False, "Features for the overlap of the texts: shared words, n-grams and characters"
    )
    length_features: bool = option(False, "Features for the lengths of the texts")
    number_features: bool = option(False, "Features for the numbers in the texts")
    keep_best: str = option(
        "score",
        "Metric of the best checkpoint: score (accuracy; of scores, the loss), loss, accuracy, macro-f1, "
        "f1:LABEL, pearson or spearman",
    )
