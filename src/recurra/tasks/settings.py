"""What a run folder says that it is of: the task, and its configuration."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from recurra.config import Part, build_config
from recurra.errors import ConfigError, RunError
from recurra.runs import RunFolder

ConfigT = TypeVar("ConfigT", bound=Part)


def resumable(out: Path) -> RunFolder:
    """The run in a folder, which has a checkpoint to go on from.

    Raises: RunError if there is none.
    """
    run = RunFolder.open(out)
    if not run.checkpoints.exists():
        raise RunError(
            f"{out}: has no checkpoint to go on from (stopped before its first, or copied without); "
            "begin anew with --overwrite."
        )
    return run


def paths_as_options(files: Mapping[str, object]) -> dict[str, str]:
    """Files by the names of their options, without those that are not given.

    Raises: ConfigError for what is no path.
    """
    for name, file in files.items():
        if not isinstance(file, str | Path | None):
            raise ConfigError(f"{name}: got {type(file).__name__}, expected the path of a file.")
    return {name: str(file) for name, file in files.items() if file is not None}


def task_and_config(run: RunFolder, configs: Mapping[str, type[ConfigT]]) -> tuple[str, ConfigT]:
    """Task and configuration of a run, of one of the tasks whose configurations are named.

    Raises: RunError if the run is of another task or its configuration is damaged.
    """
    settings = run.read_settings()
    task = str(settings.get("task"))
    if task not in configs:
        expected = repr(next(iter(configs))) if len(configs) == 1 else f"one of {', '.join(configs)}"
        raise RunError(f"{run.path}: is a run of task {task!r}, expected {expected}.")
    try:
        return task, build_config(configs[task], overrides=settings["config"])
    except ConfigError as error:
        raise RunError(f"{run.settings}: is damaged: {error}") from error
