"""Every option of a language model's training."""

from typing import Any, ClassVar

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
    TextPart,
    WindowPart,
)

_CHARACTER_VECTOR = 64


# Options that a model has no use for, by the parts that hold them; some of those are for all models.
_NETWORK = (RecurrentPart, CellPart, RegularizationPart)
_TRAINING = (StreamPart, *_NETWORK, OptimizerPart, SchedulePart, LoopPart)
_OF_OTHERS: dict[str, tuple[type[Part], ...]] = {
    "recurrent": (NGramPart, WindowPart),
    "feed-forward": (NGramPart, CellPart, RegularizationPart),
    "ngram": (WindowPart, *_TRAINING),
}
_FOR_ALL = {"validation_fraction", "seed", "threads", "device"}
_OF_RECURRENCE = {"cell", "num_layers", "backend"}


class LanguageModelConfig(
    RunPart,
    ModelPart,
    TextPart,
    StreamPart,
    RecurrentNetworkConfig,
    WindowPart,
    NGramPart,
    OptimizerPart,
    SchedulePart,
    LoopPart,
):
    """The options of `recurra train lm`.

    Raises: ConfigError (through `build_config`) where options contradict each other.
    """

    title: ClassVar[str] = "Language model"

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
        if self.averaging == "none" and self.averaging_after != self.default_of("averaging_after"):
            raise ValueError("averaging_after: goes with averaging non-monotone; leave it out")
        if self.smoothing != "add-k" and self.add_k != NGramPart().add_k:
            raise ValueError(f"add_k: goes with smoothing add-k, not with {self.smoothing}")
        if self.cutoff and self.smoothing not in ("kneser-ney", "witten-bell"):
            raise ValueError(
                f"cutoff: goes with smoothing kneser-ney or witten-bell, not with {self.smoothing}"
            )
        if self.arpa is not None:
            for name in ("data", "order", "smoothing", "cutoff", "min_count", "max_vocabulary_size"):
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
