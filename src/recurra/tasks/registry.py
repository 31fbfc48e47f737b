"""Every task by its name: the only list of tasks in the package; each is loaded where it is asked for."""

from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, NamedTuple

from recurra.config import TaskConfig
from recurra.errors import ConfigError, RunError

if TYPE_CHECKING:
    from recurra.runs import RunFolder
    from recurra.tasks.task import Task

ENTRY_POINTS = "recurra.tasks"
"""Installed packages name tasks of their own in this group: `name = "package.module:TaskClass"`."""


class _Place(NamedTuple):
    """Where a task is, and its configuration, which is known without loading torch."""

    task: str
    config: str


_OURS = {
    "lm": _Place(
        "recurra.tasks.language_modeling.task:LanguageModeling",
        "recurra.tasks.language_modeling.config:LanguageModelConfig",
    ),
    "tag": _Place("recurra.tasks.labelling.task:Tagging", "recurra.tasks.labelling.config:TagConfig"),
    "classify": _Place(
        "recurra.tasks.labelling.task:Classification", "recurra.tasks.labelling.config:ClassifyConfig"
    ),
    "pair": _Place(
        "recurra.tasks.labelling.task:PairClassification", "recurra.tasks.labelling.config:PairConfig"
    ),
    "translate": _Place(
        "recurra.tasks.seq2seq.task:Translation", "recurra.tasks.seq2seq.config:TranslateConfig"
    ),
    "chat": _Place("recurra.tasks.seq2seq.task:Chat", "recurra.tasks.seq2seq.config:ChatConfig"),
    "caption": _Place("recurra.tasks.seq2seq.task:Captioning", "recurra.tasks.seq2seq.config:CaptionConfig"),
}
_added: "dict[str, Task]" = {}


def add(task: "type[Task]") -> None:
    """Make a task of one's own known to this process; see `ENTRY_POINTS` for one that is always known.

    Raises: ConfigError if another task has its name.
    """
    if task.name in names() and type(_added.get(task.name)) is not task:
        raise ConfigError(f"task: there is one with the name {task.name!r} already; choose another name.")
    _added[task.name] = task()


def names() -> list[str]:
    """The names of all tasks, ours first."""
    return list({**_OURS, **_installed(), **_added})


def config_of(name: str) -> type[TaskConfig]:
    """The configuration of a task, without loading what trains it.

    Raises: ConfigError if there is no such task.
    """
    if name in _OURS:
        found: type[TaskConfig] = _named(_OURS[name].config)
        return found
    return get(name).config


def get(name: str) -> "Task":
    """A task by its name.

    Raises: ConfigError if there is none.
    """
    if name in _added:
        return _added[name]
    if name not in _OURS and name not in _installed():
        raise ConfigError(f"task: got {name!r}, expected one of {', '.join(names())}.")
    return _made(name)


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
    made: Task = (_named(_OURS[name].task) if name in _OURS else _installed()[name].load())()
    return made


@cache
def _installed() -> dict[str, EntryPoint]:
    """The tasks of other installed packages; none of them takes the name of one of ours."""
    return {point.name: point for point in entry_points(group=ENTRY_POINTS) if point.name not in _OURS}


def _named(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
