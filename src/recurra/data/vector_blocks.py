"""Blocks of words with their vectors, read from the files of word2vec, GloVe and fastText."""

import gzip
import re
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from recurra.data.examples import CORRECT_IT, SKIP_IT, BadRow, BadRows, checked_text, split_at_blanks
from recurra.errors import ConfigError, DataError
from recurra.plain import counted, quoted, reason_of
from recurra.text_files import looks_binary, only_carriage_returns

_NUMBER = re.compile(r"[+-]?(?=\.?\d)\d*\.?\d*(?:[eE][+-]?\d+)?")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_OF_NUMBERS = b"0123456789+-.eE "
_BOM = b"\xef\xbb\xbf"
_LONGEST_WORD = 4096  # bytes, in a binary file
_LONGEST_NUMBER = 32  # characters, in a text file
_LONGEST_LINE = 1 << 26  # bytes
_LOOKED_AT = 50  # lines
_LARGEST = 100_000  # numbers of a vector
_BEGIN, _AT_ONCE = 1 << 22, 1 << 22  # bytes: to find the vector size, and of a block

Decode = Callable[[bytes], str]


class Head(NamedTuple):
    """The beginning of a file: the numbers of a word2vec header, and whether vectors are binary."""

    words: int | None
    size: int
    binary: bool


class Block(NamedTuple):
    """Consecutive words of a file with their vectors. Shapes: vectors (n, D)."""

    words: list[str]
    vectors: NDArray[np.float32]


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading bytes; gzip files are decompressed. Raises: DataError."""
    with ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb"))
            packed = file.peek(2)[:2] == b"\x1f\x8b"
            yield cast(IO[bytes], stack.enter_context(gzip.open(file))) if packed else file
        except FileNotFoundError as error:
            raise DataError(f"{path}: there is no such file; check the path.") from error
        except (OSError, EOFError, ValueError, zlib.error) as error:  # ValueError: a zero byte in the name
            raise DataError(
                f"{str(path)!r}: cannot be read ({reason_of(error)}); check the path and the file."
            ) from error


def head_of(path: Path, *, has_header: bool | None = None) -> Head:
    """Read the beginning of a file; `has_header` says whether it is a header if its first line might be one.

    Raises: DataError if the file cannot be read, or its header is wrong.
    """
    with opened(path) as file:
        line = file.readline(_LONGEST_WORD).removeprefix(_BOM)
        parts = line.split()
        if len(parts) != 2 or not all(part.isdigit() for part in parts) or has_header is False:
            if has_header:
                raise DataError(f"{path}:1: is not the number of words and the vector size; add such a line.")
            return Head(None, _usual_size(line + file.read(_BEGIN)), False)
        words, size = int(parts[0][:20]), int(parts[1][:20])
        if not 1 <= size <= _LARGEST:
            raise DataError(f"{path}:1: says that a vector has {size:,} numbers, expected 1 to {_LARGEST:,}.")
        rows = file.read(_LONGEST_WORD + _LONGEST_NUMBER * size)
    line = rows.partition(b" ")[2][: 4 * size].partition(b"\n")[0].strip()
    has_other_bytes = not line or bool(set(line) - set(b" \t0123456789+-.eEnaif"))
    return Head(words, size, has_other_bytes and not _is_row_of_text(rows.partition(b"\n")[0], size))


def decoder(encoding: str = "utf-8", errors: str = "strict") -> Decode:
    """Return a function that decodes a word, and raises BadRow if it is not in the encoding.

    Raises: ConfigError for an unknown encoding, or one in which blanks and digits are not those of ASCII.
    """
    try:
        if "a 1\n".encode(encoding) != b"a 1\n" or not isinstance(b"a".decode(encoding, errors), str):
            raise LookupError("blanks and digits are not those of ASCII")
        b"\xff".decode("ascii", errors)
    except (LookupError, ValueError, TypeError) as error:
        if not isinstance(error, UnicodeDecodeError):
            raise ConfigError(
                f"encoding: got {quoted(encoding)} with errors {quoted(errors)} ({reason_of(error)}); give "
                "utf-8, or another encoding of single bytes."
            ) from error
    if errors == "strict" and encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
        return lambda word: checked_text(word.decode("utf-8", errors="surrogateescape"))

    def decode(word: bytes) -> str:
        try:
            return word.decode(encoding, errors)
        except UnicodeDecodeError as error:
            raise BadRow(f"is not {encoding} (byte 0x{error.object[error.start]:02x})") from error

    return decode


def blocks_of(path: Path, head: Head, bad: BadRows, decode: Decode) -> Iterator[Block]:
    """Yield the words and vectors of a file in blocks; bad rows are refused by their line or word number.

    Raises: DataError for a file that does not have the number of words in its first line.
    """
    return _binary(path, head, bad, decode) if head.binary else _text(path, head, bad, decode)


def _is_row_of_text(row: bytes, size: int) -> bool:
    """Whether the first row is a word, which may contain blanks, and numbers in text."""
    fields = split_at_blanks(row.decode("utf-8", errors="replace"))
    return len(fields) > size and all(map(_NUMBER.fullmatch, fields[-size:]))


def _usual_size(begin: bytes) -> int:
    """Return the most common number of values per line among the first lines."""
    lines = begin.decode("latin-1").split("\n")
    whole = lines[:-1] or lines  # the last one may be cut
    counts = Counter(len(split_at_blanks(line)) - 1 for line in whole[:_LOOKED_AT] if line.strip())
    return max(counts, key=lambda size: (counts[size], size), default=0)


# Text


def _text(path: Path, head: Head, bad: BadRows, decode: Decode) -> Iterator[Block]:
    number = rows = 0
    for lines in _lines_of(path):
        first = number + 1
        number += len(lines)
        if first == 1 and head.words is not None:
            first, lines = 2, lines[1:]
        there = [place for place, line in enumerate(lines) if line.strip()]
        rows += len(there)
        yield _block(
            _Rows(path, head.size, bad, decode), [lines[i] for i in there], [first + i for i in there]
        )
    if head.words is not None and rows != head.words:
        _refuse_count(path, head.words, f"{rows:,}", bad)


def _refuse_count(path: Path, told: int, found: str, bad: BadRows) -> None:
    bad.refuse(
        f"{path}:1",
        f"says that the file has {counted(told, 'word')}, but it has {found}",
        "download it again",
        CORRECT_IT,
        SKIP_IT,
    )


def _lines_of(path: Path) -> Iterator[list[bytes]]:
    """Yield the lines of a file in blocks, without line feeds and byte-order mark. Raises: DataError."""
    with opened(path) as file:
        rest, has_begun, has_lf = b"", False, False
        while chunk := file.read(_AT_ONCE):
            if b"\0" in chunk:
                raise looks_binary(str(path))
            chunk = chunk if has_begun else chunk.removeprefix(_BOM)
            has_begun = True
            *lines, last = chunk.split(b"\n")
            if lines:
                lines[0], rest, has_lf = rest + lines[0], b"", True
                yield lines
            rest += last
            if len(rest) > _LONGEST_LINE:
                raise DataError(f"{path}: is not a word vector file (a line has no end); check the path.")
        if not has_begun:
            raise DataError(f"{path}: is empty; give a file with vectors in it.")
        if not has_lf and b"\r" in rest.rstrip(b"\r"):
            raise only_carriage_returns(str(path))
        if rest:
            yield [rest]


class _Rows(NamedTuple):
    """How rows of text are read."""

    path: Path
    size: int
    bad: BadRows
    decode: Decode

    def parsed(self, line: bytes) -> tuple[str, NDArray[np.float32]]:
        """Read one line. Raises: BadRow."""
        text = line.decode("latin-1")  # blanks and digits are the same bytes in every allowed encoding
        fields = split_at_blanks(text)
        # A word may contain blanks (". . ."), but numbers before the vector belong to it.
        size = self.size
        if len(fields) <= size or size < 1 or any(map(_NUMBER.fullmatch, fields[1:-size])):
            raise BadRow(f"has {counted(len(fields) - 1, 'number')}, expected {max(1, size)}")
        word = self.decode(" ".join(fields[:-size]).encode("latin-1"))
        return word, _numbers(fields[-size:])


def _block(how: _Rows, lines: list[bytes], numbers: list[int]) -> Block:
    """Read lines at once; those that are not a word without blanks and its numbers are read one by one."""
    words: list[str | None] = [None] * len(lines)
    vectors = np.zeros((len(lines), max(1, how.size)), np.float32)
    each = [line.strip(b" \r").partition(b" ") for line in lines]
    plain = [at for at, (word, _, rest) in enumerate(each) if word and rest.count(b" ") == how.size - 1]
    found = _at_once([each[at][2] for at in plain], how.size) if plain else None
    decoded = _decoded_at_once([each[at][0] for at in plain], how.decode)
    if found is None or decoded is None:
        plain = []
    else:
        vectors[plain] = found
        for at, word in zip(plain, decoded, strict=True):
            words[at] = word
    for at in sorted(set(range(len(lines))) - set(plain)):
        try:
            words[at], vectors[at] = how.parsed(lines[at])
        except BadRow as fault:
            how.bad.refuse(f"{how.path}:{numbers[at]}", str(fault))
    if None in words:
        vectors = vectors[[word is not None for word in words]]
    return Block([word for word in words if word is not None], vectors)


def _at_once(rows: list[bytes], size: int) -> NDArray[np.float32] | None:
    """Parse rows of `size` numbers with single blanks between them; None if one of them is not that."""
    joined = b" ".join(rows)
    if joined.translate(None, _OF_NUMBERS) or b"  " in joined or joined[:1] == b" ":
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)  # older versions of numpy stop at a fault
            found = np.fromstring(joined, np.float32, sep=" ")
    except (ValueError, DeprecationWarning):
        return None
    if len(found) != len(rows) * size or not np.isfinite(found).all():
        return None
    return np.asarray(found.reshape(-1, size), np.float32)


def _decoded_at_once(words: list[bytes], decode: Decode) -> list[str] | None:
    """Decode words; None if one of them is in another encoding, or has a tab."""
    joined = b"\n".join(words)
    if b"\t" in joined:
        return None
    try:
        found = decode(joined).split("\n")
    except BadRow:
        return None
    return found if len(found) == len(words) else None


def _numbers(fields: list[str]) -> NDArray[np.float32]:
    joined = " ".join(fields)  # numpy also reads 1_0, digits of other scripts, and white space around numbers
    if "_" in joined or not (joined.isascii() and joined.isprintable()):
        raise BadRow("has a value that is not a number")
    try:
        with np.errstate(over="ignore"):
            vector = np.array(fields, dtype=np.float32)
    except ValueError as error:
        raise BadRow(f"has a value that is not a number ({reason_of(error)})") from error
    if not np.isfinite(vector).all():
        raise BadRow("has a number that is not finite")
    return vector


# Binary


def _binary(path: Path, head: Head, bad: BadRows, decode: Decode) -> Iterator[Block]:
    assert head.words is not None, "a binary file begins with two numbers"
    count, length, done = head.words, 4 * head.size, 0
    with opened(path) as file:
        file.readline(_LONGEST_WORD)
        steps, buffer, more = _Steps(path, count, length), b"", True
        while done < count and more:
            chunk = file.read(max(_AT_ONCE, 2 * (length + _LONGEST_WORD)))
            more, buffer = bool(chunk), buffer + chunk
            words, places, end = steps.records(buffer, done)
            if not words and not more:
                _refuse_end(path, buffer, done, head, bad)
                return
            raw = b"".join([buffer[place : place + length] for place in places])
            vectors = np.frombuffer(raw, "<f4").reshape(len(words), head.size).astype(np.float32)
            yield _checked(path, Block([], vectors), words, done, bad, decode)
            done, buffer = done + len(words), buffer[end:]
        if (buffer + file.read(2))[:2] not in (b"", b"\n"):
            _refuse_count(path, count, "more", bad)


def _refuse_end(path: Path, rest: bytes, done: int, head: Head, bad: BadRows) -> None:
    """Refuse a binary file that ends before its last word. Raises: DataError."""
    if len(rest) > _LONGEST_WORD and b" " not in rest[1 : _LONGEST_WORD + 2]:
        raise DataError(f"{path}: is not a word vector file (word {done + 1:,} has no end); check the path.")
    bad.refuse(
        str(path), f"is truncated at word {done + 1:,} of {head.words:,}", "download it again", SKIP_IT
    )


class _Steps:
    """Finds where the words and vectors of a binary file begin."""

    def __init__(self, path: Path, count: int, length: int) -> None:
        self.path, self.count, self.length = path, count, length
        self.ends_lines: bool | None = None  # some writers end each vector with a line feed

    def records(self, buffer: bytes, done: int) -> tuple[list[bytes], list[int], int]:
        """Return the whole records in a buffer: words, places of their vectors, and the end of the last one.

        Raises: DataError if a record does not begin after a vector.
        """
        words, places, at, length = [], list[int](), 0, self.length
        for number in range(done + 1, self.count + 1):
            blank = buffer.find(b" ", at, at + _LONGEST_WORD + 2)
            if blank < 0 or blank + 1 + length > len(buffer):
                if blank < 0 and len(buffer) - at > _LONGEST_WORD + 1:
                    raise DataError(f"{self.path}: is not a word vector file (word {number:,} has no end).")
                break
            begins_line = buffer[at] == 10
            if number == 2:
                self.ends_lines = begins_line
            elif number > 2 and begins_line != self.ends_lines:
                raise DataError(
                    f"{self.path}: word {number:,} does not begin after a vector, or the word before it "
                    "contains a blank; download it again."
                )
            words.append(buffer[at + begins_line : blank])
            places.append(blank + 1)
            at = blank + 1 + length
        return words, places, at


def _checked(path: Path, block: Block, words: list[bytes], done: int, bad: BadRows, decode: Decode) -> Block:
    """Decode the words of a block and refuse rows that cannot be used."""
    vectors = block.vectors
    finite = np.asarray(np.isfinite(vectors).all(axis=1))
    good = []
    for at, word in enumerate(words):
        try:
            if not finite[at]:
                raise BadRow("has numbers that are not finite")
            text = decode(word)
            if not text.strip(" ") or _CONTROL.search(text):
                raise BadRow("is empty or has control characters; words of binary files contain no blanks")
        except BadRow as fault:
            bad.refuse(f"{path}: word {done + at + 1:,}", str(fault), CORRECT_IT, SKIP_IT)
            continue
        block.words.append(text)
        good.append(at)
    return block if len(good) == len(words) else Block(block.words, vectors[good])
