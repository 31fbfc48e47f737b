"""What comes out of a training, whatever the model."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from recurra.metrics import LikelihoodFigures
from recurra.runs import RunFolder
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


def log_final(run: RunFolder, outcome: Outcome, results: Mapping[str, LikelihoodFigures | None]) -> None:
    """The last records: the best weights on each text, read as one stream; once only."""
    if any(record["kind"] == "final" for record in run.metrics.read()):
        return
    for kind, result in results.items():
        if result is not None:
            figures = {
                name: value for name, value in result.to_dict().items() if value not in (math.inf, None)
            }
            run.metrics.append({"kind": kind, "step": outcome.best_step, "epoch": outcome.epochs, **figures})
