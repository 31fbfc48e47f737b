"""Files of word vectors: those of word2vec, GloVe and fastText, `.npz`, and a memory-mapped folder."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recurra.data.examples import BadRows
from recurra.data.vector_files import read_vectors
from recurra.errors import ConfigError, DataError
from recurra.files import fault_in, folder_written_whole, write_sums, write_text, written_whole
from recurra.plain import json_text, parsed_json, quoted, reason_of

if TYPE_CHECKING:
    from recurra.models.word_vectors.keyed import KeyedVectors

_WORDS, _VECTORS = "words.json", "vectors.npy"
Found = tuple[list[str], NDArray[np.float32]]


def read_word2vec(path: Path, *, limit: int | None, skip_bad: bool) -> Found:
    """Read the first `limit` words of a word2vec file (text or binary), a GloVe file, or fastText's `.vec`.

    Raises: DataError naming the line or word that cannot be read.
    """
    bad = BadRows(skip_bad)
    found = read_vectors(path, bad, lambda word, place: limit is None or place < limit)
    return list(found.words), found.vectors


def write_word2vec(vectors: "KeyedVectors", path: Path, *, binary: bool, header: bool) -> None:
    """Write the word2vec format; in text without a header, that of GloVe.

    A binary file has no line ends between vectors, as gensim writes it. Raises: ConfigError for a word with a
    blank, which the format cannot hold.
    """
    words = vectors.index_to_key
    wrong = next((word for word in words if not word or any(map(str.isspace, word))), None)
    if wrong is not None and (binary or header):
        raise ConfigError(
            f"words: {quoted(wrong)} contains a blank, which word2vec files cannot hold; write .npz."
        )
    with written_whole(path) as file:
        if header:
            file.write(f"{len(words)} {vectors.vector_size}\n".encode())
        for word, row in zip(words, vectors.vectors, strict=True):
            if binary:
                file.write(word.encode() + b" " + np.asarray(row, "<f4").tobytes())
            else:
                file.write(f"{word} {' '.join(map(repr, row.tolist()))}\n".encode())


def write_npz(vectors: "KeyedVectors", path: Path) -> None:
    """Write `words` (UTF-8 bytes, each ended by a zero byte) and `vectors` into one `.npz` file."""
    joined = "".join(f"{word}\0" for word in vectors.index_to_key).encode("utf-8", "surrogatepass")
    with written_whole(path) as file:
        np.savez(file, words=np.frombuffer(joined, np.uint8), vectors=vectors.vectors)


def read_npz(path: Path) -> Found:
    """Read what `write_npz` wrote, or a file with an array of words and one of vectors.

    Raises: DataError for another file.
    """
    try:
        with np.load(path, allow_pickle=False) as content:
            words, vectors = content["words"], np.asarray(content["vectors"], np.float32)
        if words.dtype == np.uint8:
            listed = words.tobytes().decode("utf-8", "surrogatepass").split("\0")[:-1]
        else:
            listed = [str(word) for word in words.tolist()]
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file; check the path.") from error
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{path}: is not an .npz file with words and vectors ({reason_of(error)}); save them again."
        ) from error
    return listed, vectors


def write_folder(vectors: "KeyedVectors", folder: Path) -> None:
    """Write words.json and vectors.npy, which can be memory-mapped, into a new folder with checksums."""
    with folder_written_whole(folder) as aside:
        write_text(aside / _WORDS, json_text(vectors.index_to_key, indent=0) + "\n")
        np.save(aside / _VECTORS, vectors.vectors, allow_pickle=False)
        write_sums(aside)


def read_folder(folder: Path, *, mapped: bool) -> Found:
    """Read what `write_folder` wrote; the vectors stay on disk if they are `mapped`.

    Raises: DataError if a file is missing or damaged.
    """
    fault = fault_in(folder, (_WORDS, _VECTORS)) if not mapped else None
    try:
        if fault is not None:
            raise ValueError(fault)
        words = parsed_json((folder / _WORDS).read_text(encoding="utf-8"))
        vectors = np.load(folder / _VECTORS, mmap_mode="r" if mapped else None, allow_pickle=False)
        if vectors.ndim != 2 or len(words) != len(vectors):
            raise ValueError("words and vectors do not fit")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{folder}: is not a folder of word vectors, or is damaged ({reason_of(error)}); copy it again."
        ) from error
    return [str(word) for word in words], vectors
