"""Files written whole or not at all, and text read with its faults named."""

import errno
import gzip
import io
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from recurra.errors import DataError, StorageError

_CHUNK_CHARACTERS = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def storage_error(error: OSError, path: Path) -> StorageError:
    """The sentence for a failed write to `path`."""
    if error.errno in _FULL:
        return StorageError(
            f"{path}: no space left to write it; what was saved before is intact. Free some space and go on."
        )
    return StorageError(f"{path}: cannot be written ({error.strerror or error}).")


def sync_folder(folder: Path) -> None:
    """Make a rename inside `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that takes the place of `path` only once it is complete and on the disk.

    Raises: StorageError if it cannot be written; `path` is then as it was before.
    """
    descriptor, name = -1, ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
        sync_folder(path.parent)
    except OSError as error:
        raise storage_error(error, path) from error
    finally:
        if name and os.path.exists(name):
            os.unlink(name)


@contextmanager
def folder_written_whole(path: Path) -> Iterator[Path]:
    """A folder that appears at `path` only once all its files are complete and on the disk.

    Raises: StorageError if it cannot be written; then nothing appears.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        yield aside
        for file in aside.iterdir():
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
        sync_folder(aside)
        _replace_folder(aside, path)
        sync_folder(path.parent)
    except OSError as error:
        raise storage_error(error, path) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _replace_folder(aside: Path, path: Path, tries: int = 10) -> None:
    """Rename, also where another process puts a folder of the same name there at the same time."""
    for attempt in range(tries):
        try:
            os.replace(aside, path)
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or attempt == tries - 1:
                raise
            shutil.rmtree(path, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` in UTF-8, whole or not at all."""
    with written_whole(path) as file:
        file.write(text.encode("utf-8"))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


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
