"""Word vector files: GloVe text, word2vec text and word2vec binary."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recurra.data.examples import BadRows
from recurra.data.vector_blocks import Decode, Head, blocks_of, decoder, head_of
from recurra.errors import DataError
from recurra.files import write_text
from recurra.text.words import composed


class VectorTable(NamedTuple):
    """Words with one vector each. Shapes: vectors (N, size)."""

    words: list[str]
    vectors: NDArray[np.float32]

    @property
    def size(self) -> int:
        """Number of components of a vector."""
        return int(self.vectors.shape[1])


def read_vectors(
    path: Path,
    bad: BadRows,
    keep: Callable[[str, int], bool] | None = None,
    *,
    limit: int | None = None,
    composing: bool = True,
    head: Head | None = None,
    decode: Decode | None = None,
) -> VectorTable:
    """Read the vectors of the words for which `keep(word, place)` is true; places count from 0.

    Words are read in Unicode normalisation form C, or as the file has them without `composing`. Of the file,
    at most the first `limit` words are read.

    A GloVe text file has a word and its numbers per line; a word2vec file begins with a line of two numbers,
    the number of words and the vector size. If a word occurs twice, its first vector is kept, or the first
    one in this form if the file has others. `head` and `decode` are those of `head_of` and `decoder`, if they
    are known.

    Raises: DataError for a file that is none or does not have the number of words in its first line, or for a
    line too short or with what is no number, by its line.
    """
    found: dict[str, int] = {}
    others: dict[str, int] = {}  # of words in other forms
    pieces: list[NDArray[np.float32]] = []
    place = total = 0
    for words, vectors in blocks_of(path, head or head_of(path), bad, decode or decoder()):
        chosen: list[int] = []
        for at, word in enumerate(words if limit is None else words[: limit - place]):
            form = composed(word) if composing else word
            kept = found if form == word else others
            if form not in kept and (keep is None or keep(form, place + at)):
                kept[form] = total + len(chosen)
                chosen.append(at)
        place, total = place + len(words), total + len(chosen)
        pieces.append(vectors if len(chosen) == len(words) else vectors[chosen])
        if limit is not None and place >= limit:
            break
    for form, row in others.items():
        found.setdefault(form, row)
    if not found:
        raise DataError(f"{path}: contains no vectors of the requested words.")
    rows = list(found.values())
    joined = _joined(pieces, total)
    return VectorTable(list(found), joined if rows == list(range(total)) else joined[rows])


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


def _joined(pieces: list[NDArray[np.float32]], total: int) -> NDArray[np.float32]:
    """Join blocks; each is released when it is copied, so that vectors are in memory only once."""
    joined = np.empty((total, pieces[0].shape[1]), np.float32)
    pieces.reverse()
    begin = 0
    while pieces:
        piece = pieces.pop()
        joined[begin : begin + len(piece)] = piece
        begin += len(piece)
    return joined
