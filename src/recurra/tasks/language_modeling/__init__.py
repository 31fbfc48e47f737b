"""Language models: P(next symbol | all before it), over characters, words or subwords."""

from typing import TYPE_CHECKING

from recurra.lazy import lazy_names

if TYPE_CHECKING:
    from recurra.tasks.language_modeling.config import LanguageModelConfig
    from recurra.tasks.language_modeling.facade import LanguageModel
    from recurra.tasks.language_modeling.outcome import TrainingResult
    from recurra.tasks.language_modeling.scoring import LineScore
    from recurra.tasks.language_modeling.training import resume, train

__all__ = ["LanguageModel", "LanguageModelConfig", "LineScore", "TrainingResult", "resume", "train"]

_HERE = "recurra.tasks.language_modeling"
# Lazy, since the command line reads the configuration for its help, and must not load torch for it.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "LanguageModel": f"{_HERE}.facade",
        "LanguageModelConfig": f"{_HERE}.config",
        "LineScore": f"{_HERE}.scoring",
        "TrainingResult": f"{_HERE}.outcome",
        "resume": f"{_HERE}.training",
        "train": f"{_HERE}.training",
    },
)
