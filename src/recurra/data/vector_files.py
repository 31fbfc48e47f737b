"""Word vector files: GloVe text, word2vec text and word2vec binary."""

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from recurra.data.examples import CORRECT_IT, SKIP_IT, BadRow, BadRows, checked_text, split_at_blanks
from recurra.errors import DataError
from recurra.files import write_text
from recurra.plain import counted, reason_of
from recurra.text.words import composed
from recurra.text_files import read_lines

_NUMBER = re.compile(r"[+-]?(?=\.?\d)\d*\.?\d*(?:[eE][+-]?\d+)?")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_LONGEST_WORD = 4096  # bytes, in a binary file
_LONGEST_NUMBER = 32  # characters, in a text file
_LOOKED_AT = 50  # lines
_LARGEST = 100_000  # numbers of a vector


class VectorTable(NamedTuple):
    """Words with one vector each. Shapes: vectors (N, size)."""

    words: list[str]
    vectors: NDArray[np.float32]

    @property
    def size(self) -> int:
        """Number of components of a vector."""
        return int(self.vectors.shape[1])


def read_vectors(
    path: Path, bad: BadRows, keep: Callable[[str, int], bool] = lambda word, place: True
) -> VectorTable:
    """Read the vectors of the words for which `keep(word, place)` is true; places count from 0.

    Words are read in Unicode normalisation form C.

    A GloVe text file has a word and its numbers per line; a word2vec file begins with a line of two numbers,
    the number of words and the vector size. If a word occurs twice, its first vector is kept, or the first
    one in this form if the file has others.

    Raises: DataError for a file that is none or does not have the number of words in its first line, or for a
    line too short or with what is no number, by its line.
    """
    head, binary = _head_of(path)
    pairs = _binary(path, head, bad) if binary else _text(path, head, bad)
    found: dict[str, NDArray[np.float32]] = {}
    others: dict[str, NDArray[np.float32]] = {}  # of words in other forms
    for place, (word, vector) in enumerate(pairs):
        form = composed(word)
        kept = found if form == word else others
        if form not in kept and keep(form, place):
            kept[form] = vector
    for form, vector in others.items():
        found.setdefault(form, vector)
    if not found:
        raise DataError(f"{path}: contains no vectors of the requested words.")
    return VectorTable(list(found), np.stack(list(found.values())))


def write_vectors(path: Path, vectors: VectorTable) -> None:
    """Write words and vectors in the word2vec text format.

    Raises: StorageError if the file cannot be written.
    """
    lines = [f"{len(vectors.words)} {vectors.size}\n"]
    lines += [
        f"{word} {' '.join(map(repr, vector))}\n"
        for word, vector in zip(vectors.words, vectors.vectors.tolist(), strict=True)
    ]
    write_text(path, "".join(lines))


def is_binary(path: Path) -> bool:
    """Whether a file has word vectors in the binary format of word2vec. Raises: DataError."""
    return _head_of(path)[1]


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading bytes; gzip files are decompressed."""
    with ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb"))
            packed = file.peek(2)[:2] == b"\x1f\x8b"
            yield cast(IO[bytes], stack.enter_context(gzip.open(file))) if packed else file
        except FileNotFoundError as error:
            raise DataError(f"{path}: there is no such file; check the path.") from error
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{path}: cannot be read ({reason_of(error)}).") from error


def _head_of(path: Path) -> tuple[tuple[int, int] | None, bool]:
    """Return the two numbers of a word2vec header, or None, and whether the vectors are binary."""
    with _opened(path) as file:
        parts = file.readline(_LONGEST_WORD).split()
        if len(parts) != 2 or not all(part.isdigit() for part in parts):
            return None, False
        words, size = int(parts[0][:20]), int(parts[1][:20])
        if not 1 <= size <= _LARGEST:
            raise DataError(f"{path}:1: says that a vector has {size:,} numbers, expected 1 to {_LARGEST:,}.")
        rows = file.read(_LONGEST_WORD + _LONGEST_NUMBER * size)
    line = rows.partition(b" ")[2][: 4 * size].partition(b"\n")[0].strip()
    has_other_bytes = not line or bool(set(line) - set(b" \t0123456789+-.eEnaif"))
    return (words, size), has_other_bytes and not _is_row_of_text(rows.partition(b"\n")[0], size)


def _is_row_of_text(row: bytes, size: int) -> bool:
    """Whether the first row is a word, which may contain blanks, and numbers in text."""
    fields = split_at_blanks(row.decode("utf-8", errors="replace"))
    return len(fields) > size and all(map(_NUMBER.fullmatch, fields[-size:]))


def _text(
    path: Path, head: tuple[int, int] | None, bad: BadRows
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    size = head[1] if head else _usual_size(path)
    rows = 0
    for number, line in enumerate(read_lines(path, errors="surrogateescape"), start=1):
        if (number == 1 and head) or not line.strip():
            continue
        rows += 1
        try:
            fields = split_at_blanks(line)
            # A word may contain blanks (". . ."), but numbers before the vector belong to it.
            if len(fields) <= size or size < 1 or any(map(_NUMBER.fullmatch, fields[1:-size])):
                raise BadRow(f"has {counted(len(fields) - 1, 'number')}, expected {max(1, size)}")
            checked_text(line)
            vector = _numbers(fields[-size:])
        except BadRow as fault:
            bad.refuse(f"{path}:{number}", str(fault))
            continue
        yield " ".join(fields[:-size]), vector
    if head and rows != head[0]:
        bad.refuse(
            f"{path}:1",
            f"says that the file has {counted(head[0], 'word')}, but it has {rows:,}",
            "download it again",
            CORRECT_IT,
            SKIP_IT,
        )


def _usual_size(path: Path) -> int:
    """Return the most common number of values per line among the first lines."""
    lines = islice(read_lines(path, errors="surrogateescape"), _LOOKED_AT)
    counts = Counter(len(split_at_blanks(line)) - 1 for line in lines if line.strip())
    return max(counts, key=lambda size: (counts[size], size), default=0)


def _numbers(fields: list[str]) -> NDArray[np.float32]:
    try:
        vector = np.array(fields, dtype=np.float32)
    except ValueError as error:
        raise BadRow(f"has a value that is not a number ({reason_of(error)})") from error
    if not np.isfinite(vector).all():
        raise BadRow("has a number that is not finite")
    joined = " ".join(fields)  # numpy also reads 1_0, digits of other scripts, and white space around numbers
    if "_" in joined or not (joined.isascii() and joined.isprintable()):
        raise BadRow("has a value that is not a number")
    return vector


def _binary(
    path: Path, head: tuple[int, int] | None, bad: BadRows
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    assert head is not None, "a binary file begins with two numbers"
    count, size = head
    ends_lines = False  # some writers end each vector with a newline
    with _opened(path) as file:
        file.readline(_LONGEST_WORD)
        for number in range(1, count + 1):
            first = file.read(1)
            if number == 2:
                ends_lines = first == b"\n"
            if number > 1 and first and ends_lines != (first == b"\n"):
                raise _not_in_step(path, number)
            word = _word_of(file, b"" if first == b"\n" else first)
            if len(word) > _LONGEST_WORD:
                raise DataError(f"{path}: is not a word vector file (word {number:,} has no end).")
            raw = file.read(4 * size)
            if len(raw) < 4 * size:
                raise DataError(f"{path}: is truncated at word {number:,} of {count:,}; download it again.")
            vector = np.frombuffer(raw, dtype="<f4")
            if not np.isfinite(vector).all():
                raise DataError(f"{path}: has numbers that are not finite at word {number:,}.")
            try:
                text = _decoded(word)
            except BadRow as fault:
                bad.refuse(f"{path}: word {number:,}", str(fault), CORRECT_IT, SKIP_IT)
                continue
            yield text, vector.copy()
        if file.read(2) not in (b"", b"\n"):
            raise DataError(
                f"{path}:1: says that the file has {counted(count, 'word')}, but it has more; download it "
                "again."
            )


def _word_of(file: IO[bytes], first: bytes) -> bytes:
    """Read a word up to its blank, or a little more than the longest word; `first` are bytes read before."""
    word = bytearray()
    byte = first or file.read(1)
    while byte not in (b" ", b"") and len(word) <= _LONGEST_WORD:
        word += byte
        byte = file.read(1)
    return bytes(word)


def _decoded(word: bytes) -> str:
    """Return a word of a binary file. Raises: BadRow if it is empty, not UTF-8, or has control characters."""
    text = checked_text(word.decode("utf-8", errors="surrogateescape"))
    if not text.strip(" ") or _CONTROL.search(text):
        raise BadRow("is empty or has control characters; words of binary files contain no blanks")
    return text


def _not_in_step(path: Path, number: int) -> DataError:
    return DataError(
        f"{path}: word {number:,} does not begin after a vector, or the word before it contains a blank; "
        "download it again."
    )
