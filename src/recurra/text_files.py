"""Reading of text files with clear error messages."""

import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from recurra.errors import DataError
from recurra.plain import reason_of

_CHUNK_CHARACTERS = 1 << 20
UTF_8 = "utf-8"


@contextmanager
def named_faults(path: Path, what: str = "text file") -> Iterator[None]:
    """Turn the faults of reading a file into sentences; `what` is what it should be.

    Raises: DataError.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file; check the path.") from error
    except IsADirectoryError as error:
        raise DataError(f"{path}: is a folder; name a {what} in it.") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}{_first_bad_line(path)}: is not UTF-8 text (byte 0x{error.object[error.start]:02x}); "
            "convert it, e.g. with `iconv -f latin1 -t utf-8`."
        ) from error
    except UnicodeError as error:
        raise DataError.advising(
            f"{path}: is not in the given encoding ({reason_of(error)})", "convert it", "correct --encoding"
        ) from error
    except ValueError as error:
        raise DataError(f"{str(path)!r}: cannot be read ({error}).") from error  # a zero byte in the name
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}: is not a whole gzip file ({error}); fetch or pack it again.") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from error


def exists(path: Path) -> bool:
    """Return whether a file or folder to read exists.

    Raises: DataError where that cannot be told, such as for a name that is too long.
    """
    with named_faults(path):
        return path.exists()


def is_folder(path: Path) -> bool:
    """Return whether a path to read is a folder. Raises: DataError as `exists`."""
    with named_faults(path):
        return path.is_dir()


def entries(folder: Path) -> list[Path]:
    """Return the files and folders in a folder, sorted by name. Raises: DataError if it cannot be listed."""
    with named_faults(folder):
        return sorted(folder.iterdir())


def _first_bad_line(path: Path) -> str:
    """Return `:N` for the first line that is not UTF-8, or "" if it is not known."""
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
    path: Path,
    chunk_characters: int = _CHUNK_CHARACTERS,
    *,
    errors: str = "strict",
    encoding: str = UTF_8,
    keep_crlf: bool = False,
) -> Iterator[str]:
    """Yield the text of a UTF-8 file, plain or `.gz`, in chunks, without loading all of it into memory.

    A byte-order mark is dropped and CRLF is read as LF unless it is kept; a lone CR is an ordinary character.
    With `errors` "surrogateescape", bytes that are not UTF-8 become lone surrogates, which `is_text` detects.

    Raises: DataError if the file is missing, empty, binary, truncated, not UTF-8, or its line ends are CR.
    """
    with named_faults(path), ExitStack() as stack:
        file = stack.enter_context(path.open("rb"))
        head = file.peek(4096)[:4096]  # a pipe could not be opened again
        if not head:
            raise DataError(f"{path}: is empty; give a file with text in it.")
        packed = head[:2] == b"\x1f\x8b"
        if not packed and b"\0" in head and encoding == UTF_8:
            raise looks_binary(str(path))
        total = 0
        raw = stack.enter_context(gzip.open(file, "rb")) if packed else file
        text = io.TextIOWrapper(
            raw, encoding="utf-8-sig" if encoding == UTF_8 else encoding, errors=errors, newline=""
        )
        has_lf = has_cr = has_begun = False
        held = ""  # a CR at the end of a chunk, which may be half of a CRLF
        while chunk := text.read(chunk_characters):
            if "\0" in chunk:
                raise looks_binary(str(path))
            if not has_begun:  # only some encodings drop it: utf-16-le and utf-8 under another name do not
                chunk, has_begun = chunk.removeprefix("\ufeff"), True
            chunk = held + chunk
            held = "\r" if chunk.endswith("\r") else ""
            chunk = chunk.removesuffix("\r")
            if not keep_crlf:
                chunk = chunk.replace("\r\n", "\n")
            has_lf, has_cr = has_lf or "\n" in chunk, has_cr or "\r" in chunk
            total += len(chunk)
            if chunk:
                yield chunk
        if held:
            total += 1
            yield held
        if (has_cr or held) and not has_lf:
            raise only_carriage_returns(str(path))
        if not total:
            raise DataError(f"{path}: is empty; give a file with text in it.")


def looks_binary(name: str) -> DataError:
    """Return the error for a text with zero bytes."""
    return DataError(f"{name}: looks binary, or UTF-16 (it has zero bytes); give UTF-8 text.")


def only_carriage_returns(name: str) -> DataError:
    """Return the error for a text whose line ends are CR alone (classic Mac OS)."""
    return DataError(
        f"{name}: has carriage returns (CR) and no line feed (LF); convert its line ends with "
        "`tr '\\r' '\\n'`."
    )


def read_text(path: Path, *, encoding: str = UTF_8) -> str:
    """Return the whole text of a UTF-8 file; see `read_text_chunks`."""
    return "".join(read_text_chunks(path, encoding=encoding))


def is_text(line: str) -> bool:
    """Return whether a line that was read with "surrogateescape" was UTF-8."""
    return line.isascii() or not any("\ud800" <= character <= "\udfff" for character in line)


def read_lines(
    path: Path, *, errors: str = "strict", encoding: str = UTF_8, keep_crlf: bool = False
) -> Iterator[str]:
    """Yield the lines of a UTF-8 file without their line ends; see `read_text_chunks`.

    With `keep_crlf` the CR of a CRLF is the last character of its line.
    """
    yield from lines_of(read_text_chunks(path, errors=errors, encoding=encoding, keep_crlf=keep_crlf))


def lines_of(chunks: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a text given in chunks, without line ends, in time linear in the length."""
    pieces: list[str] = []  # of a line that is longer than a chunk
    for chunk in chunks:
        first, *others = chunk.split("\n")
        pieces.append(first)
        if others:
            yield "".join(pieces)
            yield from others[:-1]
            pieces = [others[-1]]
    if rest := "".join(pieces):
        yield rest
