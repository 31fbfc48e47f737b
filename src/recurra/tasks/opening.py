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
