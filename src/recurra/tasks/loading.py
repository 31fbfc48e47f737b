"""From a run folder to the facade of its task."""

from pathlib import Path
from typing import TypeVar

from recurra.errors import RunError
from recurra.runs import RunFolder
from recurra.tasks.labelling.facade import LABELLERS, Labeller
from recurra.tasks.language_modeling.facade import LanguageModel
from recurra.tasks.seq2seq.facade import PAIR_MODELS, Captioner, ChatBot, PairModel, Translator

PairModelT = TypeVar("PairModelT", bound=PairModel)
_NAMES: dict[type[PairModel], str] = {
    PairModel: "translators, chat-bots and captioners",
    Translator: "translators",
    ChatBot: "chat-bots",
    Captioner: "captioners",
}


def load(run: str | Path) -> LanguageModel | Labeller | PairModel:
    """The trained model in a run folder, as the facade of its task.

    Raises: RunError if there is none, it is damaged or of a task that this version does not know.
    """
    task = RunFolder.open(Path(run)).read_settings().get("task")
    if task == "lm":
        return LanguageModel.load(run)
    if task in LABELLERS:
        return LABELLERS[task].load(run)
    if task in PAIR_MODELS:
        return PAIR_MODELS[task].load(run)
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
        verb = f"; use `recurra {model.task}`" if isinstance(model, PairModel) else ""
        raise RunError(
            f"{run}: is a run of task {model.task!r}, and this is for taggers and classifiers{verb}."
        )
    return model


def load_pair_model(run: str | Path, kind: type[PairModelT]) -> PairModelT:
    """The translator, chat-bot or captioner in a run folder.

    Raises: RunError as `load`, and if the run is of another task.
    """
    model = load(run)
    if not isinstance(model, kind):
        raise RunError(f"{run}: is a run of task {model.task!r}, and this is for {_NAMES[kind]}.")
    return model
