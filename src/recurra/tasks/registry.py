"""The registry of tasks by name: the only list of tasks in the package; each is loaded on first use."""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from recurra.config import TaskConfig
from recurra.errors import ConfigError, RunError
from recurra.plain import quoted

if TYPE_CHECKING:
    from recurra.runs import RunFolder
    from recurra.tasks.task import Task

ENTRY_POINTS = "recurra.tasks"
"""Entry point group in which installed packages register the configuration classes of their tasks:
`letters = "package.config:LettersConfig"`. The configuration gives the location of the task."""

_OURS = {
    "lm": "recurra.tasks.language_modeling.config:LanguageModelConfig",
    "tag": "recurra.tasks.labelling.config:TagConfig",
    "classify": "recurra.tasks.labelling.config:ClassifyConfig",
    "pair": "recurra.tasks.labelling.config:PairConfig",
    "translate": "recurra.tasks.seq2seq.config:TranslateConfig",
    "chat": "recurra.tasks.seq2seq.config:ChatConfig",
    "caption": "recurra.tasks.seq2seq.config:CaptionConfig",
    "vectors": "recurra.tasks.vectors.config:VectorsConfig",
    "detect": "recurra.tasks.detection.config:DetectConfig",
}
_added: "dict[str, Task]" = {}


def add(task: "type[Task]") -> None:
    """Register a task in this process; see `ENTRY_POINTS` to register one permanently.

    Raises: ConfigError if another task has the same name, or the task is incomplete.
    """
    name = task.name
    if name in names() and type(_added.get(name)) is not task:
        raise ConfigError(f"task: a task with the name {name!r} exists already; choose another name.")
    _added[name] = _checked(name, task())


def was_added(name: str) -> bool:
    """Return whether a task is known to this process only, because `add` registered it."""
    return name in _added


def names() -> list[str]:
    """Return the names of all tasks, the built-in ones first."""
    return list({**_OURS, **_installed(), **_added})


def configs(tell: Callable[[str], None] | None = None) -> dict[str, type[TaskConfig]]:
    """Return the configuration classes of all tasks by name.

    Packages that cannot be loaded are skipped; `tell` is called with one sentence for each of them.
    """
    found = {}
    for name in names():
        try:
            found[name] = config_of(name)
        except ConfigError as error:
            if tell is not None:
                tell(str(error))
    return found


def config_of(name: str) -> type[TaskConfig]:
    """Return the configuration class of a task, without loading the training code.

    Raises: ConfigError if the task is unknown, or its package cannot be loaded.
    """
    if name in _added:
        return _added[name].config
    if name not in names():
        raise ConfigError(f"task: got {name!r}, expected one of {', '.join(names())}.")
    found: type[TaskConfig] = _named(_OURS[name]) if name in _OURS else _of_package(name)
    return found


@cache
def _of_package(name: str) -> type[TaskConfig]:
    """Return the configuration class that an installed package names."""
    point = _installed()[name]
    try:
        found = point.load()
        if not (isinstance(found, type) and issubclass(found, TaskConfig)):
            raise TypeError("it is not a subclass of TaskConfig")
    except Exception as error:  # a third-party module may raise anything
        raise ConfigError(
            f"task: {name!r} cannot be loaded from {point.value} ({error}); fix or remove that package."
        ) from error
    return found


def get(name: str) -> "Task":
    """Return a task by its name.

    Raises: ConfigError as `config_of`, and if the task is incomplete.
    """
    return _added[name] if name in _added else _made(name)


def task_of(run: "RunFolder") -> "Task":
    """Return the task of a run.

    Raises: RunError if the task is unknown.
    """
    name = run.read_settings().get("task")
    if name not in names():
        raise RunError(
            f"{run.path}: belongs to the task {quoted(name)}, which is unknown here; upgrade Recurra, or "
            "install the package of the task."
        )
    return get(str(name))


@cache
def _made(name: str) -> "Task":
    place = config_of(name).task
    try:
        task = _named(place)()
    except Exception as error:
        if name in _OURS:
            raise
        raise ConfigError(
            f"task: {name!r} cannot be loaded from {place} ({error}); fix or remove that package."
        ) from error
    return _checked(name, task)


def _checked(name: str, task: "Task") -> "Task":
    """Check, before any other work, that a task defines everything that the framework needs; return it.

    Raises: ConfigError naming what is missing or wrong.
    """
    from recurra.tasks.model import Model

    config, model = task.config, task.model
    faults = [f"{type(task).__name__}.name is {task.name!r}"] if task.name != name else []
    faults += [f"{model.__name__}.task is {model.task!r}"] if model.task != name else []
    needed = ("title", "summary", "example")
    faults += [f"{config.__name__} has no {one}" for one in needed if not hasattr(config, one)]
    options = ("data", "valid", "test", "batch_size", *task.options)
    faults += [f"{config.__name__} has no option {one}" for one in options if one not in config.model_fields]
    verbs = ("read_file", "predictions", "evaluation")
    own = [one for one in verbs if getattr(model, one) is not getattr(Model, one)]
    faults += [f"{model.__name__} has no read_file"] if not {"read_file", "evaluation"} & set(own) else []
    faults += [f"{model.__name__} has no predictions"] if "predictions" not in own else []
    if faults:
        raise ConfigError(f"task: {name!r} is incomplete: {', '.join(faults)}; see CONTRIBUTING.md.")
    return task


@cache
def _installed() -> dict[str, EntryPoint]:
    """Return the tasks of other installed packages; they cannot replace built-in names."""
    return {point.name: point for point in entry_points(group=ENTRY_POINTS) if point.name not in _OURS}


def _named(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
