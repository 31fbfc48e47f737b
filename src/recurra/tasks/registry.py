"""Every task by its name: the only list of tasks in the package; each is loaded where it is asked for."""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from recurra.config import TaskConfig
from recurra.errors import ConfigError, RunError

if TYPE_CHECKING:
    from recurra.runs import RunFolder
    from recurra.tasks.task import Task

ENTRY_POINTS = "recurra.tasks"
"""Installed packages name tasks of their own in this group by their configurations, which say where they are:
`letters = "package.config:LettersConfig"`."""

_OURS = {
    "lm": "recurra.tasks.language_modeling.config:LanguageModelConfig",
    "tag": "recurra.tasks.labelling.config:TagConfig",
    "classify": "recurra.tasks.labelling.config:ClassifyConfig",
    "pair": "recurra.tasks.labelling.config:PairConfig",
    "translate": "recurra.tasks.seq2seq.config:TranslateConfig",
    "chat": "recurra.tasks.seq2seq.config:ChatConfig",
    "caption": "recurra.tasks.seq2seq.config:CaptionConfig",
}
_added: "dict[str, Task]" = {}


def add(task: "type[Task]") -> None:
    """Make a task of one's own known to this process; see `ENTRY_POINTS` for one that is always known.

    Raises: ConfigError if another task has its name, or something of it is missing.
    """
    name = task.name
    if name in names() and type(_added.get(name)) is not task:
        raise ConfigError(f"task: there is one with the name {name!r} already; choose another name.")
    _added[name] = _checked(name, task())


def names() -> list[str]:
    """The names of all tasks, ours first."""
    return list({**_OURS, **_installed(), **_added})


def configs(tell: Callable[[str], None] | None = None) -> dict[str, type[TaskConfig]]:
    """The configurations of all tasks by name, without those of packages that cannot be loaded; `tell` is
    handed a sentence about each of those."""
    found = {}
    for name in names():
        try:
            found[name] = config_of(name)
        except ConfigError as error:
            if tell is not None:
                tell(str(error))
    return found


def config_of(name: str) -> type[TaskConfig]:
    """The configuration of a task, without loading what trains it.

    Raises: ConfigError if there is no such task, or the package that has it cannot be loaded.
    """
    if name in _added:
        return _added[name].config
    if name not in names():
        raise ConfigError(f"task: got {name!r}, expected one of {', '.join(names())}.")
    found: type[TaskConfig] = _named(_OURS[name]) if name in _OURS else _of_package(name)
    return found


@cache
def _of_package(name: str) -> type[TaskConfig]:
    """The configuration that an installed package names."""
    point = _installed()[name]
    try:
        found = point.load()
        if not (isinstance(found, type) and issubclass(found, TaskConfig)):
            raise TypeError("it is no subclass of TaskConfig")
    except Exception as error:  # whatever a foreign module raises
        raise ConfigError(
            f"task: {name!r} cannot be loaded from {point.value} ({error}); mend or remove that package."
        ) from error
    return found


def get(name: str) -> "Task":
    """A task by its name.

    Raises: ConfigError as `config_of`, and if something of the task is missing.
    """
    return _added[name] if name in _added else _made(name)


def task_of(run: "RunFolder") -> "Task":
    """The task that a run is of.

    Raises: RunError if it is not known here.
    """
    name = run.read_settings().get("task")
    if name not in names():
        raise RunError(
            f"{run.path}: is of task {name!r}, which is not known here; upgrade Recurra, or install the "
            "package that has the task."
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
            f"task: {name!r} cannot be loaded from {place} ({error}); mend or remove that package."
        ) from error
    return _checked(name, task)


def _checked(name: str, task: "Task") -> "Task":
    """A task that says all that the frame needs, before any work is done with it.

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
        raise ConfigError(f"task: {name!r} is not whole: {', '.join(faults)}; see CONTRIBUTING.md.")
    return task


@cache
def _installed() -> dict[str, EntryPoint]:
    """The tasks of other installed packages; none of them takes the name of one of ours."""
    return {point.name: point for point in entry_points(group=ENTRY_POINTS) if point.name not in _OURS}


def _named(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
