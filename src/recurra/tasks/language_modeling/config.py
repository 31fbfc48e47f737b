"""Every option of a language model's training."""

from typing import ClassVar

from pydantic import model_validator

from recurra.config import (
    LoopPart,
    ModelPart,
    NGramPart,
    OptimizerPart,
    Part,
    RecurrentPart,
    RunPart,
    SchedulePart,
    StreamPart,
    TextPart,
    WindowPart,
)

_CHARACTER_VECTOR = 64


# Options that a model has no use for, by the parts that hold them; some of those are for all models.
_TRAINING = (StreamPart, RecurrentPart, OptimizerPart, SchedulePart, LoopPart)
_OF_OTHERS: dict[str, tuple[type[Part], ...]] = {
    "recurrent": (NGramPart, WindowPart),
    "feed-forward": (NGramPart,),
    "ngram": (WindowPart, *_TRAINING),
}
_FOR_ALL = {"validation_fraction", "seed", "threads", "device"}
_OF_RECURRENCE = {"cell", "nonlinearity", "num_layers", "backend"}


class LanguageModelConfig(
    RunPart,
    ModelPart,
    TextPart,
    StreamPart,
    RecurrentPart,
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
        if self.tie_weights and self.embedding_size not in (None, self.hidden_size):
            raise ValueError(
                f"tie_weights: embedding_size is {self.embedding_size}, expected hidden_size, "
                f"{self.hidden_size}; leave embedding_size out"
            )
        if self.update_every is not None and self.segment_length % self.update_every:
            raise ValueError(
                f"update_every: got {self.update_every}, expected a divisor of segment_length, "
                f"{self.segment_length}"
            )
        if self.updates_within_segment > 1 and self.at_document == "cut" and self.documents != "none":
            raise ValueError("update_every: does not go with at_document 'cut'; use 'reset'")
        if self.nonlinearity != "tanh" and self.cell != "rnn":
            raise ValueError(f"nonlinearity: only cell 'rnn' has one to choose, not {self.cell!r}")
        if self.smoothing != "add-k" and self.add_k != NGramPart().add_k:
            raise ValueError(f"add_k: goes with smoothing add-k, not with {self.smoothing}")
        if self.cutoff and self.smoothing not in ("kneser-ney", "witten-bell"):
            raise ValueError(
                f"cutoff: goes with smoothing kneser-ney or witten-bell, not with {self.smoothing}"
            )
        self._refuse_options_of_others()
        return self

    def _refuse_options_of_others(self) -> None:
        """An option that the model has no use for is a mistake, if it is not at its default."""
        names = {name for part in _OF_OTHERS[self.model] for name in part.model_fields} - _FOR_ALL
        if self.model == "feed-forward":
            names |= _OF_RECURRENCE
        for name in sorted(names):
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name}: has no meaning for model {self.model!r}; leave it out")

    @property
    def updates_within_segment(self) -> int:
        """k2 / k1: over how many updates the gradient flows back."""
        return self.segment_length // (self.update_every or self.segment_length)

    def resolved(self) -> "LanguageModelConfig":
        """The same with what depends on other options filled in."""
        if self.embedding_size is not None or self.model == "ngram":
            return self
        small = self.unit == "char" and not self.tie_weights
        size = min(_CHARACTER_VECTOR, self.hidden_size) if small else self.hidden_size
        return self.model_copy(update={"embedding_size": size})
