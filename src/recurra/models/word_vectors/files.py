"""Files of word vectors: those of word2vec, GloVe and fastText, `.npz`, and a memory-mapped folder."""

import gzip
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray

from recurra.data.examples import BadRows
from recurra.data.readers.arrays import member_names, read_members
from recurra.data.vector_blocks import decoder, head_of
from recurra.data.vector_files import VectorTable, read_vectors
from recurra.errors import ConfigError, DataError, RecurraError
from recurra.files import (
    SUMS,
    fault_in,
    folder_written_whole,
    storage_error,
    write_sums,
    write_text,
    written_whole,
)
from recurra.plain import counted, json_text, parsed_json, quoted, reason_of
from recurra.runs.tensor_files import mapped_arrays, read_tensors, write_tensors
from recurra.text_files import read_lines

if TYPE_CHECKING:
    from recurra.models.word_vectors.lookup import WordLookup

_WORDS, _VECTORS, _RUN = "words.json", "vectors.safetensors", "run.toml"
_ATTRIBUTE = "attribute."
_FASTTEXT = b"\xba\x16\x4f\x2f"  # begins its .bin files
_PACKED_BY_OTHERS = (".bz2", ".xz", ".zst", ".zip")


class Found(NamedTuple):
    """What a file of vectors has. Shapes: vectors (N, D); attributes (N,) each."""

    words: list[str]
    vectors: NDArray[np.float32]
    attributes: Mapping[str, NDArray[Any]]


class TextFormat(NamedTuple):
    """How a file of word2vec is read: `binary` and `has_header` are found from the file if they are None."""

    binary: bool | None = None
    has_header: bool | None = None
    encoding: str = "utf-8"
    errors: str = "strict"


_ANY_FORMAT = TextFormat()


def read_word2vec(
    path: Path,
    how: TextFormat = _ANY_FORMAT,
    *,
    limit: int | None = None,
    only: Mapping[str, int] | None = None,
    skip_bad: bool = False,
) -> VectorTable:
    """Read the first `limit` words of a word2vec file (text or binary), a GloVe file, or fastText's `.vec`.

    With `only`, the vectors of other words are left out.

    Raises: DataError naming the line or word that cannot be read; ConfigError if the format is another one.
    """
    if _begin_of(path).startswith(b"PK"):
        raise ConfigError(f"{path}: is an .npz file; read it with load_vectors.")
    decode = decoder(how.encoding, how.errors)
    head = head_of(path, has_header=how.has_header)
    if how.binary is not None and how.binary != head.binary:
        kind = "a text" if how.binary else "a binary"
        raise ConfigError(f"binary: got {how.binary}, but {path} is {kind} file; remove the argument.")
    bad = BadRows(skip_bad)
    keep = None if only is None else lambda word, place: word in only
    found = read_vectors(path, bad, keep, limit=limit, composing=False, head=head, decode=decode)
    if bad:
        warnings.warn(f"{counted(len(bad), 'row')} left out; the first: {bad.sentences[0]}", stacklevel=4)
    return found


def read_counts(path: Path) -> dict[str, int]:
    """Read a file with a word and its count per line, as word2vec and gensim write it.

    Raises: DataError for another line.
    """
    found: dict[str, int] = {}
    for number, line in enumerate(read_lines(path), start=1):
        word, _, count = line.rpartition(" ")
        if not word or not (count.isascii() and count.isdigit()) or len(count) > 18:
            raise DataError(f"{path}:{number}: is not a word and its count; correct the line.")
        found.setdefault(word, int(count))
    return found


class Word2vecWriting(NamedTuple):
    """How a file of word2vec is written: see `save_word2vec_format`."""

    binary: bool = False
    header: bool = True
    total: int | None = None
    prefix: str = ""
    append: bool = False


def write_word2vec(vectors: "WordLookup", order: Sequence[int], path: Path, how: Word2vecWriting) -> None:
    """Write the word2vec format, with the bytes that gensim writes; text without a header is that of GloVe.

    Raises: ConfigError for a word with a blank, which the format cannot hold; StorageError.
    """
    words, plain = vectors.index_to_key, how.binary or how.header
    wrong = next((word for word in words if not (word and _fits(how.prefix + word, plain=plain))), None)
    if wrong is not None:
        raise ConfigError(
            f"words: {quoted(how.prefix + wrong)} is empty, has a blank or is not Unicode, which word2vec "
            "files cannot hold; write .npz."
        )
    with _written(path, append=how.append) as file:
        if how.header:
            total = len(words) if how.total is None else how.total
            file.write(f"{total} {vectors.vector_size}\n".encode())
        for at in order:
            begin, row = f"{how.prefix}{words[at]} ".encode(), vectors.vectors[at]
            if how.binary:
                file.write(begin + np.asarray(row, "<f4").tobytes())
            else:
                file.write(begin + " ".join(map(str, row)).encode() + b"\n")


def write_counts(
    vectors: "WordLookup", order: Sequence[int], counts: NDArray[Any], path: Path, how: Word2vecWriting
) -> None:
    """Write a word and its count per line. Shapes: counts (N,). Raises: StorageError."""
    with _written(path, append=how.append) as file:
        file.writelines(f"{how.prefix}{vectors.index_to_key[at]} {counts[at]}\n".encode() for at in order)


def _fits(word: str, *, plain: bool) -> bool:
    """Whether a file can have a word: without blanks if it is `plain`, else without line ends."""
    if any(map(str.isspace, word)) if plain else word.splitlines() != [word]:
        return False
    try:
        return bool(word.encode())
    except UnicodeEncodeError:
        return False


@contextmanager
def _written(path: Path, *, append: bool) -> Iterator[IO[bytes]]:
    """Open a file to write or to append; `.gz` is compressed. Raises: StorageError, ConfigError."""
    if path.suffix in _PACKED_BY_OTHERS:
        raise ConfigError(f"fname: {path.suffix} files are not written; write {path.stem} or {path.stem}.gz.")

    @contextmanager
    def packed(file: IO[bytes]) -> Iterator[IO[bytes]]:
        if path.suffix != ".gz":
            yield file
            return
        with gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as inside:
            yield cast(IO[bytes], inside)

    if not append:
        with written_whole(path) as file, packed(file) as inside:
            yield inside
        return
    try:
        with path.open("ab") as file, packed(file) as inside:
            yield inside
    except OSError as error:
        raise storage_error(error, path) from error


# Files of our own


def write_own(vectors: "WordLookup", attributes: Mapping[str, NDArray[Any]], path: Path) -> None:
    """Write one file if the path ends in .npz, else a folder that can be memory-mapped, with checksums.

    Raises: ConfigError for attributes that are no numbers, or a word that a file cannot hold; StorageError.
    """
    for name, values in attributes.items():
        if values.dtype == object:
            raise ConfigError(
                f"{name}: its values are not all numbers, which files cannot hold; remove it from `expandos`."
            )
    arrays = {"vectors": vectors.vectors} | {_ATTRIBUTE + name: each for name, each in attributes.items()}
    if path.suffix == ".npz":
        wrong = next((word for word in vectors.index_to_key if "\0" in word), None)
        if wrong is not None:
            raise ConfigError(
                f"words: {quoted(wrong)} has a NUL character, which .npz files cannot hold; write a folder."
            )
        joined = "".join(f"{word}\0" for word in vectors.index_to_key).encode("utf-8", "surrogatepass")
        with written_whole(path) as file:
            np.savez(file, words=np.frombuffer(joined, np.uint8), **arrays)
        return
    _check_replaceable(path)
    with folder_written_whole(path) as aside:
        write_text(aside / _WORDS, json_text(vectors.index_to_key, indent=0) + "\n")
        with warnings.catch_warnings(), written_whole(aside / _VECTORS) as file:
            warnings.simplefilter("ignore", UserWarning)  # the tensors of read-only arrays are only read
            write_tensors(file, {name: torch.from_numpy(np.asarray(each)) for name, each in arrays.items()})
        write_sums(aside)


def _check_replaceable(path: Path) -> None:
    """Raises: ConfigError if a folder to write exists and is not one of vectors."""
    names = {_WORDS, _VECTORS, SUMS}
    if path.is_file() or (path.is_dir() and any(entry.name not in names for entry in path.iterdir())):
        kind = "a file" if path.is_file() else "a folder with other files"
        raise ConfigError(f"{path}: is {kind}, which would be lost; name another folder, or an .npz file.")


def read_own(path: Path, *, mapped: bool) -> Found:
    """Read what `write_own` wrote, an .npz of others with words and vectors, or a file of word2vec or GloVe.

    Vectors of a folder stay on disk if they are `mapped`. Raises: DataError for another file or a damaged
    one; ConfigError for a file that cannot be mapped, or is a pickle.
    """
    if path.is_dir():
        return _read_folder(path, mapped=mapped)
    if mapped:
        raise ConfigError(f"mmap: {path} is not a folder of vectors; write one with save_vectors.")
    if _begin_of(path).startswith(b"PK"):
        return _read_npz(path)
    return Found(*read_word2vec(path), {})


def _begin_of(path: Path) -> bytes:
    """Return the first bytes of a file. Raises: DataError; ConfigError for a file that is never read."""
    try:
        with path.open("rb") as file:
            begin = file.read(4)
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file; check the path.") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{str(path)!r}: cannot be read ({reason_of(error)}); check the path.") from error
    if begin[:1] == b"\x80":
        raise ConfigError(
            f"{path}: is a pickle, as gensim's `save` writes it, which can run any code when it is read; "
            "load it in gensim and write it with save_word2vec_format."
        )
    if begin == _FASTTEXT:
        raise ConfigError(f"{path}: is a model of fastText with its training state; give its .vec file.")
    return begin


def _read_npz(path: Path) -> Found:
    members = read_members(path)
    if "words" not in members or "vectors" not in members:
        raise DataError(
            f"{path}: has no arrays words and vectors, but {', '.join(member_names(path))}; save them again."
        )
    words, vectors = members["words"], members["vectors"]
    if words.dtype == np.uint8:
        listed = words.tobytes().decode("utf-8", "surrogatepass").split("\0")[:-1]
    else:
        listed = [str(word) for word in words.ravel().tolist()]
    if vectors.dtype.kind not in "fiu" or vectors.ndim != 2:
        raise DataError(f"{path}: has vectors of shape {vectors.shape} of {vectors.dtype}; save them again.")
    found = _fitting(path, listed, members)
    finite = np.isfinite(found.vectors).all(1)
    if not finite.all():
        word = quoted(found.words[int(finite.argmin())])
        raise DataError(
            f"{path}: the vector of {word} has a number that is not finite in single precision; remove it or "
            "correct it, and save them again."
        )
    return found


def _read_folder(folder: Path, *, mapped: bool) -> Found:
    if (folder / _RUN).exists():
        raise ConfigError(f"{folder}: is the folder of a trained run; load it with recurra.WordVectors.load.")
    try:
        fault = fault_in(folder, (_WORDS,))
        if fault is not None:
            raise ValueError(fault)
        words = parsed_json((folder / _WORDS).read_text(encoding="utf-8"))
        if mapped:
            arrays = mapped_arrays(folder / _VECTORS)
        else:
            arrays = {name: each.numpy() for name, each in read_tensors(folder / _VECTORS).items()}
        return _fitting(folder, [str(word) for word in words], arrays)
    except (OSError, ValueError, KeyError, TypeError, RecurraError) as error:
        raise DataError(
            f"{folder}: is not a folder of word vectors, or is damaged ({reason_of(error)}); copy it again."
        ) from error


def _fitting(path: Path, words: list[str], arrays: Mapping[str, NDArray[Any]]) -> Found:
    """Return words with their arrays. Raises: DataError if there is not one vector and value per word."""
    vectors = arrays["vectors"]
    attributes = {
        name.removeprefix(_ATTRIBUTE): each for name, each in arrays.items() if name.startswith(_ATTRIBUTE)
    }
    if len(vectors) != len(words) or any(each.shape != (len(words),) for each in attributes.values()):
        raise DataError(
            f"{path}: has {counted(len(words), 'word')}, but {counted(len(vectors), 'vector')}; "
            "save them again."
        )
    with np.errstate(over="ignore"):
        single = vectors if vectors.dtype == np.float32 else vectors.astype(np.float32)
    return Found(words, single, attributes)
