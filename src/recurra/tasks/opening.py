"""Opening a run again: its task, its configuration and its symbols."""

from typing import TYPE_CHECKING, Any

from recurra.config import TaskConfig, build_config
from recurra.errors import ConfigError, RunError
from recurra.runs import RunFolder
from recurra.tasks import registry

if TYPE_CHECKING:
    from recurra.tasks.task import Task

PART_NAMES = {"train": "training", "valid": "validation", "test": "test"}
"""The names of the parts of a run's data in messages."""


def task_and_config(run: RunFolder) -> "tuple[Task, TaskConfig]":
    """Return the task and the configuration of a run.

    Raises: RunError if the task is not known or the configuration is damaged.
    """
    settings = run.read_settings()
    task = registry.task_of(run)
    try:
        return task, build_config(task.config, known=settings["config"])
    except ConfigError as error:
        raise RunError(f"{run.settings}: is damaged: {error}") from error


def symbols_of(task: "Task", run: RunFolder) -> Any:
    """Load the symbols of a run. Raises: RunError, VocabularyError if a file is missing or damaged."""
    run.check_artefacts()
    return task.load_symbols(run.path, run.read_settings()["data"])


def holds_same(run: RunFolder, asked: TaskConfig) -> bool:
    """Whether a run is what training with a configuration writes, so that it can be resumed instead.

    Options that the files or a run to start from have set do not count.

    Raises: RunError if the run is damaged.
    """
    task, found = task_and_config(run)
    expected, given = asked.resolved().with_absolute_paths(), asked.given()
    settled = [name for name in run.read_settings().get("settled", ()) if name not in given]
    same = {name: getattr(found, name) for name in (*task.settled, *settled)}
    return found.with_absolute_paths() == expected.model_copy(update=same)
