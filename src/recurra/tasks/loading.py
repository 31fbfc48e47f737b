"""From a run folder to the facade of its task."""

from pathlib import Path

from recurra.errors import RunError
from recurra.runs import RunFolder
from recurra.tasks.language_modeling.facade import LanguageModel


def load(run: str | Path) -> LanguageModel:
    """The trained model in a run folder, as the facade of its task.

    Raises: RunError if there is none, it is damaged or of a task that this version does not know.
    """
    task = RunFolder.open(Path(run)).read_settings().get("task")
    if task == "lm":
        return LanguageModel.load(run)
    raise RunError(f"{run}: is of task {task!r}, which this Recurra does not know; upgrade it.")
