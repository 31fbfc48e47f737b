"""The options for training, evaluating and completing with language models."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import model_validator

from recurra.config import (
    CellPart,
    ContextPart,
    ModelPart,
    NGramPart,
    Part,
    RecurrentNetworkConfig,
    RecurrentPart,
    RegularizationPart,
    RunPart,
    StreamPart,
    TaskConfig,
    TextPart,
    VectorsPart,
    option,
)
from recurra.config.conditions import AnyOf, Condition, Conditions, Unless, When

_CHARACTER_VECTOR = 64


_ON_TOP = {"validation_fraction", "test_fraction", "threads", "log_every", "checkpoint_every_s"}
_SAID_BY_ARPA = (
    *("data", "order", "smoothing", "cutoff", "min_count", "max_vocabulary_size", "chunk_size"),
    *("validation_fraction", "test_fraction", "log_every", "checkpoint_every_s"),
)


def _of(parts: Sequence[type[Part]], *models: str) -> dict[str, Condition]:
    """Restrict the options of some parts to some models, except the options of all models."""
    return {name: When("model", *models) for part in parts for name in part.model_fields.keys() - _ON_TOP}


def _both(*each: Mapping[str, Condition]) -> dict[str, Sequence[Condition]]:
    """Combine conditions that must all be met."""
    return {name: [one[name] for one in each if name in one] for one in each for name in one}


class ReadingPart(Part):
    """Options for reading a text in evaluation."""

    title: ClassVar[str] = "Language models"
    conditions: ClassVar[Conditions] = {
        "cache_weight": When("cache_size"),
        "cache_sharpness": When("cache_size"),
        "dynamic_decay": When("dynamic_rate"),
        "dynamic_steps": When("dynamic_rate"),
    }

    streams: int = option(
        1, "Number of parallel streams; 1 carries the state through the whole text, more are faster", ge=1
    )
    cache_size: int | None = option(None, "Neural cache: number of symbols to remember", unit="symbols", ge=1)
    cache_weight: float = option(0.1, "Neural cache: weight in the mixture", gt=0, lt=1)
    cache_sharpness: float = option(0.3, "Neural cache: sharpness (theta) of the similarity of states", ge=0)
    dynamic_rate: float | None = option(None, "Dynamic evaluation: learning rate, 1e-4 for example", gt=0)
    dynamic_decay: float = option(1e-3, "Dynamic evaluation: decay towards the trained weights", ge=0)
    dynamic_steps: int = option(
        5, "Dynamic evaluation: number of symbols between updates", unit="symbols", ge=1
    )


class CompletionPart(Part):
    """Options for completing a line."""

    title: ClassVar[str] = "Language models"

    n_best: int = option(1, "Number of most probable continuations", ge=1)
    length: int | None = option(
        None,
        "Maximum number of words, or of symbols that complete a word (if not given: 1 word, 24 symbols)",
        ge=1,
    )


class LanguageModelConfig(
    RunPart,
    ModelPart,
    TextPart,
    StreamPart,
    VectorsPart,
    RecurrentNetworkConfig,
    ContextPart,
    NGramPart,
    TaskConfig,
):
    """The options of `recurra train lm`.

    Raises: ConfigError (through `build_config`) if options contradict each other.
    """

    title: ClassVar[str] = "Language model"
    task: ClassVar[str] = "recurra.tasks.language_modeling.task:LanguageModeling"
    summary: ClassVar[str] = "Train a language model: a recurrent or feed-forward network, or n-gram counts."
    example: ClassVar[str] = "recurra train lm --data shakespeare.txt -o runs/shakespeare"
    conditions: ClassVar[Conditions] = _both(
        _of((NGramPart,), "ngram"),
        _of((ContextPart,), "feed-forward"),
        _of((CellPart, RegularizationPart), "recurrent"),
        {name: When("model", "recurrent") for name in ("cell", "num_layers", "backend")},
        _of((StreamPart, RecurrentPart, TaskConfig), "recurrent", "feed-forward"),
        {name: Unless("arpa") for name in _SAID_BY_ARPA},
        {"vectors": When("model", "recurrent", "feed-forward"), "freeze_vectors": Unless("tie_weights")},
        # Words of an n-gram model are counted within lines.
        {"documents": AnyOf(When("model", "recurrent", "feed-forward"), When("unit", "char", "subword"))},
    )
    main_options: ClassVar[tuple[str, ...]] = (
        *("data", "valid", "test", "unit", "model", "order", "cell", "hidden_size", "num_layers", "dropout"),
        *("batch_size", "segment_length", "epochs", "learning_rate", "patience", "seed", "seeds", "threads"),
        "from_run",
    )
    presets: ClassVar[Path | None] = Path(__file__).parent / "presets"
    evaluation: ClassVar[type[Part]] = ReadingPart
    prediction: ClassVar[type[Part]] = CompletionPart

    embedding_size: int | None = option(
        None,
        f"Size of the embeddings (if not given: hidden_size, for characters at most {_CHARACTER_VECTOR})",
        ge=1,
    )

    @model_validator(mode="after")
    def _check(self) -> "LanguageModelConfig":
        if self.tie_weights and self.adaptive_softmax:
            raise ValueError("adaptive_softmax: cannot be combined with tie_weights; remove one of them")
        if self.shift_segments and self.at_document == "cut" and self.documents != "none":
            raise ValueError("shift_segments: cannot be combined with at_document 'cut'; use 'reset'")
        if self.update_every is not None and self.segment_length % self.update_every:
            raise ValueError(
                f"update_every: got {self.update_every}, expected a divisor of segment_length, "
                f"{self.segment_length}"
            )
        if self.updates_within_segment > 1 and self.at_document == "cut" and self.documents != "none":
            raise ValueError("update_every: cannot be combined with at_document 'cut'; use 'reset'")
        return self

    @property
    def updates_within_segment(self) -> int:
        """k2 / k1: the number of updates that the gradient spans."""
        return self.segment_length // (self.update_every or self.segment_length)

    def resolved(self) -> "LanguageModelConfig":
        """Return a copy with the options set that depend on other options."""
        if self.model == "ngram":
            return self
        found: dict[str, Any] = {}
        if self.embedding_size is None:
            small = self.unit == "char" and not self.tie_weights
            found["embedding_size"] = min(_CHARACTER_VECTOR, self.hidden_size) if small else self.hidden_size
        if self.layer_dropout is None and self.model == "recurrent":
            found["layer_dropout"] = self.dropout
        if self.cell == "jordan":
            found["num_layers"] = 1
        return self.model_copy(update=found)
