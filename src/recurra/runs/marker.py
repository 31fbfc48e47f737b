"""RUN/.recurra: marks a folder as a run, is locked by the process that writes to it, and lists its files.

The first line says what the file is. Each further line names a file of the run in the folder, or is
`# beginning` while a run is being started and the files of an earlier one are removed. The lock is an flock:
the system releases it when the process ends, for whatever reason.
"""

import errno
import fcntl
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from recurra.errors import RunError, StorageError
from recurra.files import make_folder, reading_error, storage_error, sync_folder

MARKER = ".recurra"
_FIRST = b"# Recurra holds this file while it writes to the run in this folder; it keeps the files below.\n"
_BEGINNING = "# beginning"
_TRIES = 100


class Marker:
    """The marker of a folder; every property reads the file again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / MARKER

    def _content(self) -> bytes:
        try:
            return self.path.read_bytes()
        except (FileNotFoundError, IsADirectoryError):
            return b""
        except OSError as error:
            raise reading_error(error, self.path) from error

    @property
    def is_ours(self) -> bool:
        """Whether a run was claimed in the folder: the first line is complete."""
        return self._content().startswith(_FIRST)

    @property
    def is_torn(self) -> bool:
        """Whether the marker is missing, or a crash cut its first line short."""
        return not self.path.is_dir() and _FIRST.startswith(self._content()) and not self.is_ours

    @property
    def beginning(self) -> bool:
        """Whether the last process that started a run here was stopped before the start was complete."""
        return _BEGINNING in self._lines()

    @property
    def names(self) -> list[str]:
        """The listed files, relative to the folder."""
        return [
            str(PurePosixPath(line)) for line in self._lines() if not line.startswith("#") and is_inside(line)
        ]

    def _lines(self) -> list[str]:
        """The complete lines after the first."""
        content = self._content()
        if not content.startswith(_FIRST):
            return []
        whole = content[len(_FIRST) : content.rfind(b"\n") + 1]
        return whole.decode("utf-8", "surrogateescape").split("\n")[:-1]


class HeldMarker(Marker):
    """A marker locked by this process, which alone may write to it. `is_new`: this process made the file."""

    def __init__(self, folder: Path, descriptor: int, *, made: Sequence[Path]) -> None:
        super().__init__(folder)
        self._descriptor, self._made = descriptor, made
        self.is_new = os.fstat(descriptor).st_size == 0
        self.holder = (os.getpid(), threading.get_ident())

    def sign(self) -> None:
        """Mark the folder as a run."""
        if not self.is_ours:
            self._write(_FIRST, 0)
            sync_folder(self.folder)

    def note_beginning(self, names: Iterable[str]) -> None:
        """List files that are about to be removed or written."""
        content = self._content()
        lines = "".join(f"{line}\n" for line in (_BEGINNING, *map(_as_line, names)))
        self._write(lines.encode("utf-8", "surrogateescape"), content.rfind(b"\n") + 1)

    def settle(self, names: Iterable[str]) -> None:
        """List exactly these files: the run has started."""
        lines = "".join(f"{_as_line(name)}\n" for name in names)
        self._write(lines.encode("utf-8", "surrogateescape"), len(_FIRST))

    def withdraw(self) -> None:
        """Remove the marker and the folders that were made for it, if they contain nothing else."""
        with suppress(OSError):
            alone = os.listdir(self.folder) == [MARKER]
            if self.is_new and (alone or not self.is_ours):
                self.path.unlink()
                for made in self._made:
                    made.rmdir()

    def remove(self) -> None:
        """Remove the marker of a removed run, and the folder if it is then empty."""
        self.path.unlink()
        with suppress(OSError):
            self.folder.rmdir()

    def release(self) -> None:
        """Release the lock."""
        os.close(self._descriptor)

    def _write(self, content: bytes, at: int) -> None:
        """Replace the content from position `at` to the end, and sync it to disk."""
        os.ftruncate(self._descriptor, at)
        while content:
            written = os.pwrite(self._descriptor, content, at)
            content, at = content[written:], at + written
        os.fsync(self._descriptor)


_held: dict[str, HeldMarker] = {}


def held_marker(folder: Path) -> HeldMarker | None:
    """Return the marker of a folder if this thread holds it, else None."""
    marker = _held.get(os.path.realpath(folder))
    mine = marker is not None and marker.holder == (os.getpid(), threading.get_ident())
    return marker if mine else None


@contextmanager
def held(folder: Path, *, make: bool = False) -> Iterator[HeldMarker]:
    """Hold a folder's marker, creating it if it is missing; with `make`, also create the folder.

    Raises: RunError if another process or thread holds it; StorageError if it cannot be written.
    """
    marker = held_marker(folder)
    if marker is not None:
        yield marker
        return
    try:
        marker = _take(folder, make=make)
    except OSError as error:
        raise storage_error(error, folder / MARKER) from error
    place = os.path.realpath(folder)
    _held[place] = marker
    try:
        yield marker
    finally:
        del _held[place]
        marker.release()


def _take(folder: Path, *, make: bool) -> HeldMarker:
    """Open and lock the marker; try again if its previous holder removed it in the meantime."""
    path = folder / MARKER
    made: list[Path] = []  # inner folders first
    for _ in range(_TRIES):
        if make and not folder.is_dir():
            made = [each for each in (folder, *folder.parents) if not each.exists()]
            make_folder(folder)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        except FileNotFoundError:
            if make:
                continue
            raise
        except IsADirectoryError as error:
            _remove_if_empty(path, error)
            continue
        try:
            _lock(descriptor, folder)
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return HeldMarker(folder, descriptor, made=made)
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    raise OSError(errno.EBUSY, "other processes keep claiming and releasing it")


def _remove_if_empty(path: Path, error: OSError) -> None:
    """Remove an empty folder in the place of a marker. Raises: `error` if it is not empty."""
    try:
        path.rmdir()
    except OSError:
        raise error from None


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = f"another process{_pid_of_holder(descriptor)}"
        raise RunError(
            f"{folder}: is being written by {holder}; wait until it ends, or stop it first."
        ) from error
    except OSError as error:
        raise StorageError(
            f"{folder}: cannot be locked ({error.strerror or error}); use a disk that supports file locks."
        ) from error


def _pid_of_holder(descriptor: int) -> str:
    """Return ` (pid N)` of the process that holds the lock, or "" if it is unknown."""
    status = os.fstat(descriptor)
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
    with suppress(OSError, ValueError):
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            fields = line.split()  # 1: FLOCK ADVISORY WRITE 4242 fe:00:2146311 0 EOF
            if len(fields) > 5 and fields[1] == "FLOCK" and fields[5] == f"{device}:{status.st_ino}":
                return f" (pid {int(fields[4])})"
    return ""


def is_inside(name: str) -> bool:
    """Whether a relative name stays inside its folder."""
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


def _as_line(name: str) -> str:
    assert "\n" not in name, "a line has one name"
    return f"./{name}" if name.startswith("#") else name
