"""Every option of training a tagger, a classifier or a classifier of pairs."""

from typing import ClassVar, Literal, Self

from pydantic import model_validator

from recurra.config import (
    BatchPart,
    CellPart,
    EncoderConfig,
    LoopPart,
    OptimizerPart,
    ReaderPart,
    RecurrentPart,
    RegularizationPart,
    RunPart,
    SchedulePart,
    default,
    option,
)

_OF_VECTORS = ("freeze_vectors", "tune_after")
# Of the recurrent network, but of no use to those that label.
_OF_LANGUAGE_MODELS = (
    *("embedding_size", "tie_weights", "adaptive_softmax", "embedding_dropout", "init_scale"),
    *("activation_regularization", "temporal_activation_regularization"),
)
_OF_RECURRENCE = {"bidirectional"}.union(
    *(part.model_fields for part in (RecurrentPart, CellPart, RegularizationPart))
) - {"hidden_size", "dropout", "input_dropout", "dropout_mask"}


class LabellingConfig(RunPart, ReaderPart, EncoderConfig, BatchPart, OptimizerPart, SchedulePart, LoopPart):
    """What all tasks that label have in common.

    Raises: ConfigError (through `build_config`) where options contradict each other.
    """

    title: ClassVar[str] = "Labelling"

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

    @model_validator(mode="after")
    def _check_labelling(self) -> Self:
        if self.data is None:
            raise ValueError("data: is missing; name a file to train on")
        if (self.word_vectors == "pretrained") != (self.vectors is not None):
            raise ValueError("vectors: goes with word_vectors pretrained; give both or neither")
        if self.freeze_vectors and self.tune_after:
            raise ValueError("tune_after: does not go with freeze_vectors; leave one of them out")
        names = list(_OF_LANGUAGE_MODELS)
        names += [] if self.word_vectors == "pretrained" else _OF_VECTORS
        names += [] if self.word_vectors == "one-hot" else ["other"]
        names += [] if self.trigrams else ["trigram_size"]
        names += ["word_size"] if self.word_vectors in ("one-hot", "none") else []
        names += [] if self.characters != "none" else ["character_size", "character_hidden"]
        self.refuse(names, "has no use here")
        if getattr(self, "model", "recurrent") != "recurrent":
            self.refuse(sorted(_OF_RECURRENCE), "is of the recurrent model")
        if self.fold is not None and self.fold > (self.folds or 0):
            raise ValueError(f"fold: got {self.fold}, expected one of the {self.folds or 0} folds")
        if self.folds is not None and self.test is not None:
            raise ValueError("test: does not go with folds, which are tested on; leave one of them out")
        if self.averaging == "none" and self.averaging_after != self.default_of("averaging_after"):
            raise ValueError("averaging_after: goes with averaging non-monotone; leave it out")
        return self


class TagConfig(LabellingConfig):
    """The options of `recurra train tag`."""

    title: ClassVar[str] = "Tagger"

    model: Literal["recurrent", "window"] = option(
        "recurrent", "a recurrent network, or a feed-forward one over a window of words"
    )
    decoder: Literal["softmax", "crf", "sigmoid"] = option(
        "softmax",
        "each label by itself, all together with a conditional random field, or a yes or no for each",
    )
    constrained: bool = option(True, "crf: rule out what BIO does, an I- after another type or after O")
    class_share: float = option(
        1.0, "what the label of a whole row weighs beside those of its words; 0 learns none", ge=0
    )

    @model_validator(mode="after")
    def _check_tag(self) -> Self:
        if self.decoder != "softmax" and self.label_smoothing:
            raise ValueError(f"label_smoothing: goes with decoder softmax, not with {self.decoder}")
        if self.decoder == "crf" and self.class_weights != "none":
            raise ValueError("class_weights: does not go with decoder crf; leave it out")
        self.refuse(["max_words"], "is of whole texts")
        if self.decoder != "crf":
            self.refuse(["constrained"], "is of the decoder crf")
        if self.model != "window":
            self.refuse(["window"], "is of the model window")
        self.refuse(["second_column"], "is of pairs")
        return self


class PooledConfig(LabellingConfig):
    """What classifiers of texts and of pairs have in common."""

    title: ClassVar[str] = "Classifier"

    model: Literal["recurrent", "average"] = option(
        "recurrent", "a recurrent network, or the mean of the words' vectors, whatever their order"
    )
    pooling: Literal["last", "mean", "max", "centre", "attention"] = option(
        "max",
        "from all steps to one vector: the last ones, their mean, largest numbers, middle, or attention",
    )

    @model_validator(mode="after")
    def _check_pooled(self) -> Self:
        self.refuse(["window"], "is of taggers")
        if self.model == "average":
            self.refuse(["pooling"], "is of the recurrent model")
        return self


class ClassifyConfig(PooledConfig):
    """The options of `recurra train classify`."""

    @model_validator(mode="after")
    def _check_classify(self) -> Self:
        self.refuse(["second_column"], "is of pairs")
        return self


class PairConfig(PooledConfig):
    """The options of `recurra train pair`."""


CONFIGS: dict[str, type[LabellingConfig]] = {"tag": TagConfig, "classify": ClassifyConfig, "pair": PairConfig}
