"""Atomic writes of files and folders, checksums, and clear error messages."""

import errno
import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from recurra.errors import RunError, StorageError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# A folder exists at the path of a file, or a file at the path of a folder.
_IN_THE_WAY = (errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY)
SUMS = "SHA256SUMS"
HUB = "hub:"
_SUM_LINE = re.compile(r"(?P<sum>[0-9a-f]{64})  (?P<name>[^/\n]+)")
_ASIDE = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{8}\.partial", re.DOTALL)


def is_of_hub(name: str) -> bool:
    """Return whether a name refers to a public data set of a hub, not to a file."""
    return name.startswith(HUB)


def storage_error(error: OSError, path: Path) -> StorageError:
    """Return the error for a failed write to `path`."""
    if error.errno in _FULL:
        return StorageError(
            f"{path}: no space left to write it; earlier saves are intact. Free some space and try again."
        )
    if error.errno == errno.EEXIST and isinstance(error.filename, str | Path):
        path = Path(error.filename)  # a file at the place of a parent folder of `path`
    remedy = _remedy(error, "check the disk and the permissions")
    return StorageError(f"{path}: cannot be written ({error.strerror or error}); {remedy}.")


def reading_error(error: OSError, path: Path) -> RunError:
    """Return the error for a file or folder of a run that cannot be read."""
    remedy = _remedy(error, "check the disk and the permissions")
    return RunError(f"{path}: cannot be read ({error.strerror or error}); {remedy}.")


def _remedy(error: OSError, otherwise: str) -> str:
    return "move the existing file or folder elsewhere" if error.errno in _IN_THE_WAY else otherwise


def sync_folder(folder: Path) -> None:
    """Make a rename inside `folder` survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Create a folder and its missing parents, so that they survive a power failure."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def sync_tree(folder: Path) -> None:
    """Flush `folder` and all files and folders below it to the disk."""
    for root, _, names in os.walk(folder, topdown=False):
        for name in names:
            with open(os.path.join(root, name), "rb") as file:
                os.fsync(file.fileno())
        sync_folder(Path(root))


def name_aside(path: Path) -> Path:
    """Return a unique temporary name next to `path`; `remove_strays` recognises it.

    Raises: StorageError for a path without a name, such as "" or "/".
    """
    if not path.name:
        raise StorageError(f"{path}: has no file name; name a file or folder to write.")
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")


def remove_strays(
    folder: Path, of: Callable[[str], bool] = lambda name: True, *, unused_s: float = 0.0
) -> None:
    """Remove the temporary files and folders that killed processes left in `folder`.

    Removes only names that `of` accepts and entries that were not written to for `unused_s` seconds; 0 is for
    folders that no other process writes to. Entries that cannot be removed are left.
    """
    with suppress(OSError):
        for entry in list(folder.iterdir()):
            match = _ASIDE.fullmatch(entry.name)
            if match is None or not of(match["name"]) or time.time() - _last_write(entry) < unused_s:
                continue
            with suppress(OSError):
                remove_tree(entry)


def _last_write(path: Path) -> float:
    """Return the time of the last write to a file, a folder or any file in it, in seconds since the epoch."""
    inside = path.iterdir() if path.is_dir() and not path.is_symlink() else ()
    return max((each.lstat().st_mtime for each in (path, *inside)), default=0.0)


def remove_tree(path: Path) -> None:
    """Remove a file, a link or a folder with its content; do nothing if it does not exist."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_at_once(path: Path) -> None:
    """Rename a folder to a temporary name, then remove it, so that it is never seen partly removed."""
    aside = name_aside(path)
    try:
        os.rename(path, aside)
    except FileNotFoundError:
        return
    remove_tree(aside)


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a binary file that replaces `path` only once it is complete and on the disk.

    Raises: StorageError if it cannot be written; `path` is then unchanged.
    """
    aside = name_aside(path)
    try:
        make_folder(path.parent)
        with aside.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
        sync_folder(path.parent)
    except OSError as error:
        raise storage_error(error, path) from error
    finally:
        with suppress(OSError):
            aside.unlink()


@contextmanager
def folder_written_whole(path: Path) -> Iterator[Path]:
    """Create a folder that appears at `path` only once all its files are complete and on the disk.

    Raises: StorageError if it cannot be written; then nothing appears.
    """
    aside = name_aside(path)
    try:
        make_folder(path.parent)
        aside.mkdir()
        yield aside
        sync_tree(aside)
        _replace_folder(aside, path)
        sync_folder(path.parent)
    except OSError as error:
        raise storage_error(error, path) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _replace_folder(aside: Path, path: Path, tries: int = 10) -> None:
    """Rename a folder, also if `path` exists or another process creates it at the same time."""
    for attempt in range(tries):
        try:
            os.replace(aside, path)
            return
        except OSError as error:
            if error.errno not in _IN_THE_WAY or attempt == tries - 1:
                raise
            remove_at_once(path)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` atomically as UTF-8; file names that are not UTF-8 keep their bytes."""
    with written_whole(path) as file:
        file.write(text.encode("utf-8", "surrogateescape"))


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sums(folder: Path) -> None:
    """Write SHA256SUMS for the files in a folder; `sha256sum -c SHA256SUMS` verifies them."""
    names = sorted(file.name for file in folder.iterdir() if file.name != SUMS)
    lines = (f"{sha256_of(folder / name)}  {name}\n" for name in names)
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def fault_in(folder: Path, names: Iterable[str] | None = None) -> str | None:
    """Return the first fault found with SHA256SUMS in a folder, as `FILE: is damaged (why)`; None if none.

    `names` are the files to check; if not given, the folder must contain exactly the listed files.
    """
    try:
        lines = (folder / SUMS).read_bytes().decode("utf-8").removesuffix("\n").split("\n")
        matches = [_SUM_LINE.fullmatch(line) for line in lines]
        sums = {match["name"]: match["sum"] for match in matches if match is not None}
        if names is None:
            names = sums.keys() | {file.name for file in folder.iterdir()} - {SUMS}
    except FileNotFoundError:
        return f"{folder / SUMS}: is missing"
    except (OSError, ValueError) as error:
        return f"{folder / SUMS}: is damaged ({error})"
    if None in matches:
        return f"{folder / SUMS}: is damaged (line {matches.index(None) + 1} is not a sum and a name)"
    for name in sorted(names):
        if name not in sums:
            return f"{folder / SUMS}: is damaged (it does not list {name})"
        fault = fault_of(folder / name, sums[name], "SHA256SUMS")
        if fault is not None:
            return fault
    return None


def fault_of(path: Path, expected: str, listed_in: str) -> str | None:
    """Return the fault of a file with a known sha256, as `FILE: is damaged (why)`; None if it is intact."""
    try:
        if sha256_of(path) != expected:
            return f"{path}: is damaged (its sha256 differs from the one in {listed_in})"
    except FileNotFoundError:
        return f"{path}: is missing"
    except OSError as error:
        return f"{path}: cannot be read ({error.strerror or error})"
    return None
