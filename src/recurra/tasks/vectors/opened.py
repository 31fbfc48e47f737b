"""Word vectors of a run or of a file, for commands that take either."""

from pathlib import Path

from recurra.arguments import checks_arguments
from recurra.errors import ConfigError
from recurra.models.word_vectors.keyed import KeyedVectors
from recurra.plain import shell
from recurra.runs import RunFolder
from recurra.tasks.opening import task_and_config
from recurra.tasks.vectors.facade import WordVectors


@checks_arguments
def open_vectors(path: str | Path) -> KeyedVectors:
    """Return the vectors of a run of the task vectors, or of a file of `KeyedVectors.load_vectors`.

    Raises: ConfigError for a run of another task; DataError, RunError if they cannot be read.
    """
    path, run = Path(path), RunFolder(Path(path))
    if not run.settings.exists():
        return KeyedVectors.load_vectors(path)
    task, _ = task_and_config(run)
    if task.name != "vectors":
        raise ConfigError(
            f"{path}: is a run of the task {task.name}; write its word vectors into a file first: recurra "
            f"vectors from {shell(path)} -o vectors.npz."
        )
    return WordVectors.load(path)
