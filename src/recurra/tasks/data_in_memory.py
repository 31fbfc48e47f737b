"""Training on data in memory: rows are written to files next to the run, which then train it.

The files are in the folder OUT-rows, next to the run folder OUT, named by a digest of their content. The run
reads them again to resume and to evaluate its held-out data, so they are as much a part of it as other
training files.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

from recurra.data.rows_in_memory import has_columns, is_in_memory
from recurra.errors import ArgumentTypeError, RecurraError
from recurra.files import written_whole
from recurra.plain import quoted
from recurra.tasks import registry
from recurra.tasks.task import Task

if TYPE_CHECKING:
    from recurra.tasks.model import Model

ModelT = TypeVar("ModelT", bound="Model")
_PARTS = ("data", "valid", "test")


class DataInMemory:
    """The options of a training with paths in place of data in memory, and the content of these files."""

    def __init__(self, task: Task, out: Path, options: Mapping[str, Any]) -> None:
        self.options, self._out = dict(options), out
        self._content: dict[Path, bytes] = {}
        for part in _PARTS:
            if not is_in_memory(options.get(part)):
                continue
            for name, file in task.files_of_rows(options[part], part).items():
                digest = hashlib.sha256(file.content).hexdigest()[:16]
                path = out.parent / f"{out.name}-rows" / f"{name}-{digest}{file.extension}"
                self.options[name] = path
                self._content[path] = file.content

    @contextmanager
    def written(self) -> Iterator[None]:
        """Write the files; if what follows is refused before the run begins, remove the new ones again.

        Raises: StorageError.
        """
        new = [path for path in self._content if not path.exists()]
        for path, content in self._content.items():
            with written_whole(path) as file:
                file.write(content)
        try:
            yield
        except RecurraError:
            if not self._out.exists():
                for path in new:
                    path.unlink(missing_ok=True)
                with suppress(OSError):  # it has other files
                    self._out.with_name(f"{self._out.name}-rows").rmdir()
            raise


@contextmanager
def files_in_memory(task: Task, data: Any) -> Iterator[dict[str, Path]]:
    """Write data in memory to temporary files, by option; messages about them name rows, not files.

    Raises: as `Task.files_of_rows`; RecurraError of what reads the files.
    """
    with TemporaryDirectory() as folder:
        paths = {}
        for name, file in task.files_of_rows(data, "data").items():
            paths[name] = Path(folder) / f"{name}{file.extension}"
            paths[name].write_bytes(file.content)
        try:
            yield paths
        except RecurraError as error:
            told = str(error)
            for name, path in paths.items():
                told = told.replace(f"{path}:", f"{name}, row ").replace(str(path), name)
            raise type(error)(told) from error


@contextmanager
def reading_rows(
    model: ModelT, data: Any, columns: Sequence[str]
) -> Iterator[tuple[ModelT, dict[str, Path]]]:
    """Yield a copy of a model that reads data in memory, and the temporary files of these data, by option.

    Rows without names of columns have the default ones, not those of the training data; `columns` are the
    options that name them.

    Raises: as `files_in_memory`.
    """
    unnamed = () if has_columns(data) else columns
    plain = {name: model.config.default_of(name) for name in (*unnamed, "format", "delimiter")}
    changed = copy(model)
    changed.config = model.config.model_copy(update=plain)
    with files_in_memory(registry.get(model.task), data) as files:
        yield changed, files


def check_data(data: Any) -> None:
    """Refuse what is neither the path of a file nor data in memory. Raises: ArgumentTypeError."""
    if data is not None and not isinstance(data, str | Path) and not is_in_memory(data):
        raise ArgumentTypeError(
            f"data: got {quoted(data)}, expected the path of a file, a list of rows, or a data frame."
        )
