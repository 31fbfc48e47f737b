"""What comes out of a training, whatever the model."""

from dataclasses import dataclass
from pathlib import Path

from recurra.metrics import LikelihoodFigures
from recurra.training import Outcome

TASK = "lm"


@dataclass(frozen=True)
class TrainingResult:
    """A finished training: how it went, and how the best weights predict the validation text, and the
    test text where one was named."""

    run: Path
    outcome: Outcome
    validation: LikelihoodFigures
    test: LikelihoodFigures | None
    is_main_process: bool
