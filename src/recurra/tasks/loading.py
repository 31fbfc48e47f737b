"""From a run folder to the facade of its task."""

from pathlib import Path

from recurra.errors import RunError
from recurra.runs import RunFolder
from recurra.tasks.labelling.facade import LABELLERS, Labeller
from recurra.tasks.language_modeling.facade import LanguageModel


def load(run: str | Path) -> LanguageModel | Labeller:
    """The trained model in a run folder, as the facade of its task.

    Raises: RunError if there is none, it is damaged or of a task that this version does not know.
    """
    task = RunFolder.open(Path(run)).read_settings().get("task")
    if task == "lm":
        return LanguageModel.load(run)
    if task in LABELLERS:
        return LABELLERS[task].load(run)
    raise RunError(f"{run}: is of task {task!r}, which this Recurra does not know; upgrade it.")


def load_language_model(run: str | Path) -> LanguageModel:
    """The language model in a run folder.

    Raises: RunError as `load`, and if the run is of another task.
    """
    model = load(run)
    if not isinstance(model, LanguageModel):
        raise RunError(f"{run}: is a run of task {model.task!r}, and this is for language models ('lm').")
    return model


def load_labeller(run: str | Path) -> Labeller:
    """The tagger or classifier in a run folder.

    Raises: RunError as `load`, and if the run is of another task.
    """
    model = load(run)
    if not isinstance(model, Labeller):
        raise RunError(f"{run}: is a language model, and this is for taggers and classifiers.")
    return model
