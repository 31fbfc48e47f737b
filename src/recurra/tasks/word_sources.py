"""Word vectors that another task starts from: those of a file, of a saved folder, or of a run."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from recurra.data.examples import BadRows
from recurra.data.vector_files import VectorTable, read_vectors
from recurra.errors import ConfigError, DataError, StorageError
from recurra.files import sha256_of
from recurra.models.word_vectors.keyed import KeyedVectors
from recurra.plain import shell
from recurra.runs import RunFolder
from recurra.tasks.opening import task_and_config
from recurra.text.words import composed
from recurra.text_files import exists

_WORD2VEC = (".bin", ".txt", ".vec")


def source_vectors(
    path: Path, words: Iterable[str], bad: BadRows, keep: Callable[[str, int], bool]
) -> VectorTable:
    """Return the vectors of the words for which `keep(word, place)` is true; see `read_vectors`.

    `path` is a file of vectors, what `KeyedVectors.save_vectors` wrote, or a run that trained vectors. If
    the run has subwords, those of `words` that it does not know have the vectors of their n-grams.

    Raises: ConfigError for a run of another task; DataError, RunError if they cannot be read.
    """
    if not path.is_dir() and path.suffix != ".npz":
        return read_vectors(path, bad, keep)
    found = open_vectors(path)
    rows: dict[str, int] = {}
    for place, word in enumerate(found.index_to_key):
        form = composed(word)
        if form not in rows and keep(form, place):
            rows[form] = place
    others = [word for word in dict.fromkeys(words) if word not in rows and word in found]
    if not rows and not others:
        raise DataError(f"{path}: contains no vectors of the requested words.")
    known = np.asarray(found.vectors)[list(rows.values())]
    return VectorTable([*rows, *others], np.concatenate([known, found[others]]) if others else known)


def open_vectors(path: Path) -> KeyedVectors:
    """Return the vectors of a run that trained word vectors, or those of a file or folder.

    Raises: ConfigError for a run of another task; DataError, RunError if they cannot be read.
    """
    run = RunFolder(path)
    if not run.settings.exists():
        return KeyedVectors.load_vectors(path)
    task, _ = task_and_config(run)
    kind: Any = task.model
    if not issubclass(kind, KeyedVectors):
        raise ConfigError(
            f"{path}: is a run of the task {task.name}; write its word vectors into a file first: recurra "
            f"vectors from {shell(path)} -o vectors.npz."
        )
    found: KeyedVectors = kind.load(path)
    return found


def check_vectors_out(out: Path, *, overwrite: bool) -> None:
    """Refuse a name of another format, or one that exists, before any work is done.

    Raises: ConfigError, StorageError.
    """
    if _format_of(out) not in (*_WORD2VEC, ".npz", ""):
        raise ConfigError(
            f"out: got {out.name!r}, expected a name that ends in .npz, .txt, .vec or .bin, or that of a "
            "folder, without an ending."
        )
    check_free(out, overwrite=overwrite)


def check_free(out: Path, *, overwrite: bool) -> None:
    """Refuse a file or folder that exists, before any work is done. Raises: StorageError."""
    if exists(out) and not overwrite:
        raise StorageError(f"{out}: already exists; name another file, or overwrite it with --overwrite.")


def write_vectors(vectors: KeyedVectors, out: Path) -> None:
    """Write vectors in the format of the file's name: .bin, .txt, .vec (word2vec), .npz, or a folder.

    Raises: ConfigError for a word that the format cannot hold; StorageError.
    """
    suffix = _format_of(out)
    if suffix in _WORD2VEC:
        vectors.save_word2vec_format(out, binary=suffix == ".bin")
    else:
        vectors.save_vectors(out)


def _format_of(out: Path) -> str:
    """Return the ending of a file name that tells its format; that of a packed file is the one before .gz."""
    return out.with_suffix("").suffix if out.suffix == ".gz" else out.suffix


def vectors_sum(path: Path) -> str:
    """Return the SHA-256 of the file that has the vectors: of a run, its weights."""
    if not path.is_dir():
        return sha256_of(path)
    run = RunFolder(path)
    return sha256_of(run.weights if run.settings.exists() else path / "vectors.safetensors")
