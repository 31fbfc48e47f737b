"""Files written whole or not at all, and text read with its faults named."""

import errno
import gzip
import hashlib
import io
import os
import re
import secrets
import shutil
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from recurra.errors import DataError, RunError, StorageError

_CHUNK_CHARACTERS = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# A folder where a file belongs, or a file where a folder does.
_IN_THE_WAY = (errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY)
SUMS = "SHA256SUMS"
HUB = "hub:"
_SUM_LINE = re.compile(r"(?P<sum>[0-9a-f]{64})  (?P<name>[^/\n]+)")
_ASIDE = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{8}\.partial", re.DOTALL)


def is_of_hub(name: str) -> bool:
    """Whether a name is of a public data set of a hub, and of no file."""
    return name.startswith(HUB)


def storage_error(error: OSError, path: Path) -> StorageError:
    """The sentence for a failed write to `path`."""
    if error.errno in _FULL:
        return StorageError(
            f"{path}: no space left to write it; what was saved before is intact. Free some space and go on."
        )
    if error.errno == errno.EEXIST and isinstance(error.filename, str | Path):
        path = Path(error.filename)  # a file, where a folder above `path` was to be made
    remedy = _remedy(error, "check the disk and the permissions")
    return StorageError(f"{path}: cannot be written ({error.strerror or error}); {remedy}.")


def reading_error(error: OSError, path: Path) -> RunError:
    """The sentence for a file or folder of a run that cannot be read."""
    remedy = _remedy(error, "check the disk and the permissions")
    return RunError(f"{path}: cannot be read ({error.strerror or error}); {remedy}.")


def _remedy(error: OSError, otherwise: str) -> str:
    return "move what is in the way elsewhere" if error.errno in _IN_THE_WAY else otherwise


def sync_folder(folder: Path) -> None:
    """Make a rename inside `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, so that they survive a power cut."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def sync_tree(folder: Path) -> None:
    """Put all files and folders below `folder`, and itself, on the disk."""
    for root, _, names in os.walk(folder, topdown=False):
        for name in names:
            with open(os.path.join(root, name), "rb") as file:
                os.fsync(file.fileno())
        sync_folder(Path(root))


def name_aside(path: Path) -> Path:
    """A temporary name beside `path`, no two alike; `remove_strays` knows it again."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")


def remove_strays(
    folder: Path, of: Callable[[str], bool] = lambda name: True, *, unused_s: float = 0.0
) -> None:
    """Remove the temporary files and folders that killed processes left in `folder`.

    Only those of names that `of` accepts, and that nothing was written to for `unused_s` seconds: 0 is for
    folders that no other process writes to. What cannot be removed stays.
    """
    with suppress(OSError):
        for entry in list(folder.iterdir()):
            match = _ASIDE.fullmatch(entry.name)
            if match is None or not of(match["name"]) or time.time() - _last_write(entry) < unused_s:
                continue
            with suppress(OSError):
                remove_tree(entry)


def _last_write(path: Path) -> float:
    """When a file, a folder or any file in it was last written to, in seconds since the epoch."""
    inside = path.iterdir() if path.is_dir() and not path.is_symlink() else ()
    return max((each.lstat().st_mtime for each in (path, *inside)), default=0.0)


def remove_tree(path: Path) -> None:
    """Remove a file, a link or a folder with all that is in it; nothing where there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_at_once(path: Path) -> None:
    """Remove a folder so that it is never seen half removed, by giving it a temporary name first."""
    aside = name_aside(path)
    try:
        os.rename(path, aside)
    except FileNotFoundError:
        return
    remove_tree(aside)


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that takes the place of `path` only once it is complete and on the disk.

    Raises: StorageError if it cannot be written; `path` is then as it was before.
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
    """A folder that appears at `path` only once all its files are complete and on the disk.

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
    """Rename, also where a file has the name, or another process puts a folder there at the same time."""
    for attempt in range(tries):
        try:
            os.replace(aside, path)
            return
        except OSError as error:
            if error.errno not in _IN_THE_WAY or attempt == tries - 1:
                raise
            remove_at_once(path)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` in UTF-8, whole or not at all; names of files that are none stay as they are."""
    with written_whole(path) as file:
        file.write(text.encode("utf-8", "surrogateescape"))


def sha256_of(path: Path) -> str:
    """The sha256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sums(folder: Path) -> None:
    """Write SHA256SUMS over the files in a folder; `sha256sum -c SHA256SUMS` checks them by hand."""
    names = sorted(file.name for file in folder.iterdir() if file.name != SUMS)
    lines = (f"{sha256_of(folder / name)}  {name}\n" for name in names)
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def fault_in(folder: Path, names: Iterable[str] | None = None) -> str | None:
    """The first fault that SHA256SUMS tells of in a folder, as `FILE: is damaged (why)`; None without any.

    `names` are the files that must be there; without them all that are listed, and no others.
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
        return f"{folder / SUMS}: is damaged (line {matches.index(None) + 1} is no sum and name)"
    for name in sorted(names):
        if name not in sums:
            return f"{folder / SUMS}: is damaged (it does not list {name})"
        fault = fault_of(folder / name, sums[name], "SHA256SUMS")
        if fault is not None:
            return fault
    return None


def fault_of(path: Path, expected: str, listed_in: str) -> str | None:
    """What is wrong with a file whose sha256 is known, as `FILE: is damaged (why)`; None where nothing is."""
    try:
        if sha256_of(path) != expected:
            return f"{path}: is damaged (its sha256 differs from the one in {listed_in})"
    except FileNotFoundError:
        return f"{path}: is missing"
    except OSError as error:
        return f"{path}: cannot be read ({error.strerror or error})"
    return None


@contextmanager
def _named_faults(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file; check the path.") from error
    except IsADirectoryError as error:
        raise DataError(f"{path}: is a folder; name a text file in it.") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}{_first_bad_line(path)}: is not UTF-8 text (byte 0x{error.object[error.start]:02x}); "
            "convert it, e.g. with `iconv -f latin1 -t utf-8`."
        ) from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}: is not a whole gzip file ({error}); fetch or pack it again.") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from error


def _first_bad_line(path: Path) -> str:
    """`:N`, the first line that is not UTF-8; nothing where it cannot be told."""
    try:
        with path.open("rb") as file, gzip.open(file, "rb") as unpacked:
            packed = file.peek(2)[:2] == b"\x1f\x8b"
            for number, line in enumerate(unpacked if packed else file, start=1):
                try:
                    line.decode("utf-8")
                except UnicodeDecodeError:
                    return f":{number}"
    except (OSError, EOFError, zlib.error):
        pass
    return ""


def read_text_chunks(
    path: Path, chunk_characters: int = _CHUNK_CHARACTERS, *, errors: str = "strict"
) -> Iterator[str]:
    """The text of a UTF-8 file, plain or `.gz`, chunk by chunk, so that none is held whole.

    A byte-order mark is dropped and CRLF (or a lone CR) is read as LF. With `errors` "surrogateescape" bytes
    that are not UTF-8 come as lone surrogates, which `is_text` tells of.

    Raises: DataError if the file is missing, empty, binary, cut short or not UTF-8.
    """
    with _named_faults(path), ExitStack() as stack:
        file = stack.enter_context(path.open("rb"))
        head = file.peek(4096)[:4096]  # a pipe could not be opened again
        if not head:
            raise DataError(f"{path}: is empty; give a file with text in it.")
        packed = head[:2] == b"\x1f\x8b"
        if not packed and b"\0" in head:
            raise DataError(f"{path}: looks binary, or UTF-16 (it has zero bytes); give UTF-8 text.")
        total = 0
        raw = stack.enter_context(gzip.open(file, "rb")) if packed else file
        text = io.TextIOWrapper(raw, encoding="utf-8-sig", errors=errors)
        while chunk := text.read(chunk_characters):
            if "\0" in chunk:
                raise DataError(f"{path}: looks binary, or UTF-16 (it has zero bytes); give UTF-8 text.")
            total += len(chunk)
            yield chunk
        if not total:
            raise DataError(f"{path}: is empty; give a file with text in it.")


def read_text(path: Path) -> str:
    """The whole text of a UTF-8 file; see `read_text_chunks`."""
    return "".join(read_text_chunks(path))


def is_text(line: str) -> bool:
    """Whether a line that was read with "surrogateescape" was UTF-8."""
    return line.isascii() or not any("\ud800" <= character <= "\udfff" for character in line)


def read_lines(path: Path, *, errors: str = "strict") -> Iterator[str]:
    """The lines of a UTF-8 file without their line ends; see `read_text_chunks`."""
    rest = ""
    for chunk in read_text_chunks(path, errors=errors):
        *lines, rest = (rest + chunk).split("\n")
        yield from lines
    if rest:
        yield rest
