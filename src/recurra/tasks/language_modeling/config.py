"""Every option of a language model's training."""

from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import model_validator

from recurra.config import (
    CellPart,
    LoopPart,
    ModelPart,
    NGramPart,
    OptimizerPart,
    Part,
    RecurrentNetworkConfig,
    RecurrentPart,
    RegularizationPart,
    RunPart,
    SchedulePart,
    StreamPart,
    TaskConfig,
    TextPart,
    WindowPart,
    option,
)

_CHARACTER_VECTOR = 64


# Options that a model has no use for, by the parts that hold them; some of those are for all models.
_NETWORK = (RecurrentPart, CellPart, RegularizationPart)
_TRAINING = (StreamPart, *_NETWORK, OptimizerPart, SchedulePart, LoopPart)
_OF_OTHERS: dict[str, tuple[type[Part], ...]] = {
    "recurrent": (NGramPart, WindowPart),
    "feed-forward": (NGramPart, CellPart, RegularizationPart),
    "ngram": (WindowPart, TaskConfig, *_TRAINING),
}
_FOR_ALL = {"validation_fraction", "seed", "threads", "device", "log_every", "checkpoint_every_s"}
_SAID_BY_ARPA = ("data", "order", "smoothing", "cutoff", "min_count", "max_vocabulary_size", "chunk_size")
_OF_RECURRENCE = {"cell", "num_layers", "backend"}
_CACHE = ("cache_weight", "cache_sharpness")
_DYNAMIC = ("dynamic_decay", "dynamic_steps")


class ReadingPart(Part):
    """How a text is read to be evaluated."""

    title: ClassVar[str] = "Language models"

    streams: int = option(1, "parallel streams: 1 carries the state over all the text, more are faster", ge=1)
    cache_size: int | None = option(
        None, "neural cache: remember so many symbols, and their states", unit="symbols", ge=1
    )
    cache_weight: float = option(0.1, "share of the cache in the mixture", gt=0, lt=1)
    cache_sharpness: float = option(0.3, "how much the likeness of states counts in the cache", ge=0)
    dynamic_rate: float | None = option(
        None, "dynamic evaluation: learn from what was read at this rate (1e-4, say)", gt=0
    )
    dynamic_decay: float = option(1e-3, "its pull back to the trained weights", ge=0)
    dynamic_steps: int = option(5, "between its steps", unit="symbols", ge=1)

    @model_validator(mode="after")
    def _check_reading(self) -> Self:
        for needed, names in (("cache_size", _CACHE), ("dynamic_rate", _DYNAMIC)):
            for name in names:
                if getattr(self, needed) is None and name in self.model_fields_set:
                    flags = [f"--{one.replace('_', '-')}" for one in (name, needed)]
                    raise ValueError(f"{flags[0]}: goes with {flags[1]}; give that too, or leave it out")
        return self


class CompletionPart(Part):
    """How the beginning of a line is gone on with."""

    title: ClassVar[str] = "Language models"

    n_best: int = option(1, "the n likeliest ways to go on, the likeliest first", ge=1)
    length: int | None = option(
        None, "at most so many words (1 if not given), or symbols of the rest of a word (24)", ge=1
    )


class LanguageModelConfig(
    RunPart,
    ModelPart,
    TextPart,
    StreamPart,
    RecurrentNetworkConfig,
    WindowPart,
    NGramPart,
    TaskConfig,
):
    """The options of `recurra train lm`.

    Raises: ConfigError (through `build_config`) where options contradict each other.
    """

    title: ClassVar[str] = "Language model"
    task: ClassVar[str] = "recurra.tasks.language_modeling.task:LanguageModeling"
    summary: ClassVar[str] = (
        "Train a language model of characters, words or subwords: a recurrent network, or counts of n-grams."
    )
    example: ClassVar[str] = "recurra train lm --data shakespeare.txt -o runs/shakespeare"
    presets: ClassVar[Path | None] = Path(__file__).parent / "presets"
    evaluation: ClassVar[type[Part]] = ReadingPart
    prediction: ClassVar[type[Part]] = CompletionPart

    @model_validator(mode="after")
    def _check(self) -> "LanguageModelConfig":
        if self.tie_weights and self.adaptive_softmax:
            raise ValueError("adaptive_softmax: does not go with tie_weights; leave one of them out")
        if self.shift_segments and self.at_document == "cut" and self.documents != "none":
            raise ValueError("shift_segments: does not go with at_document 'cut'; use 'reset'")
        if self.update_every is not None and self.segment_length % self.update_every:
            raise ValueError(
                f"update_every: got {self.update_every}, expected a divisor of segment_length, "
                f"{self.segment_length}"
            )
        if self.updates_within_segment > 1 and self.at_document == "cut" and self.documents != "none":
            raise ValueError("update_every: does not go with at_document 'cut'; use 'reset'")
        if self.smoothing != "add-k" and self.add_k != NGramPart().add_k:
            raise ValueError(f"add_k: goes with smoothing add-k, not with {self.smoothing}")
        if self.cutoff and self.smoothing not in ("kneser-ney", "witten-bell"):
            raise ValueError(
                f"cutoff: goes with smoothing kneser-ney or witten-bell, not with {self.smoothing}"
            )
        if self.arpa is not None:
            for name in _SAID_BY_ARPA:
                if getattr(self, name) != self.default_of(name):
                    raise ValueError(f"{name}: has no meaning beside arpa, which says it; leave it out")
        self._refuse_options_of_others()
        return self

    def _refuse_options_of_others(self) -> None:
        """An option that the model has no use for is a mistake, if it is not at its default."""
        names = {name for part in _OF_OTHERS[self.model] for name in part.model_fields} - _FOR_ALL
        if self.model == "feed-forward":
            names |= _OF_RECURRENCE
        self.refuse(sorted(names), f"has no meaning for model {self.model!r}")

    @property
    def updates_within_segment(self) -> int:
        """k2 / k1: over how many updates the gradient flows back."""
        return self.segment_length // (self.update_every or self.segment_length)

    def resolved(self) -> "LanguageModelConfig":
        """The same with what depends on other options filled in."""
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
