"""Word vectors in the plane: t-SNE, the plane of pairs of words, and files for the Embedding Projector."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.errors import ConfigError, MissingExtra
from recurra.files import write_text
from recurra.models.word_vectors.directions import Floats, Pairs, unit_rows
from recurra.models.word_vectors.lookup import WordLookup
from recurra.plain import listed

_LEAST = 4  # words
_NEIGHBOURS = 10
_AT_ONCE = 256  # words whose cosines with all others are held at once


@dataclass(frozen=True)
class WordMap:
    """Words with their places in the plane, their counts if known, and their nearest words of all.

    `perplexity` is the one that was used. Shapes: points (n, 2).
    """

    words: tuple[str, ...]
    points: Floats
    nearest: tuple[tuple[tuple[str, float], ...], ...]
    counts: tuple[int, ...] | None
    perplexity: float


def map_words(
    vectors: WordLookup, words: Sequence[str], *, perplexity: float = 30.0, seed: int = 1
) -> WordMap:
    """Place words in the plane by t-SNE, so that words with similar vectors are near each other.

    Distances are 1 - cosine. The perplexity, about the number of neighbours that a word keeps, is at most a
    third of the number of words. The same seed gives the same map. Words with a vector of
    zeros are left out.

    Raises: MissingWord; ConfigError for fewer than four words, or if all have the same vector; MissingExtra
    without openTSNE.
    Source: L. van der Maaten & G. Hinton, Visualizing data using t-SNE (2008); openTSNE computes it.
    """
    words = list(dict.fromkeys(words))
    rows = unit_rows(vectors, words)
    kept = np.flatnonzero(rows.any(1))  # a zero vector has no cosine
    words, rows = [words[place] for place in kept.tolist()], rows[kept]
    if len(words) < _LEAST:
        raise ConfigError(
            f"words: got {len(words)}, expected >= {_LEAST} different words for a map, the vectors of which "
            "are not zero."
        )
    if not np.ptp(rows, axis=0).any():
        raise ConfigError("words: all have the same vector but for its length; give others.")
    tsne = _open_tsne()
    used = min(perplexity, (len(words) - 1) / 3)
    found = tsne.TSNE(
        perplexity=used,
        metric="cosine",
        initialization="pca",
        neighbors="exact",
        negative_gradient_method="bh",
        # One number of 32 bits is a seed as it is; a longer one is given in two parts.
        random_state=np.random.RandomState(seed if seed < 1 << 32 else [seed & 0xFFFFFFFF, seed >> 32]),
        n_jobs=1,
    ).fit(_planar(rows))
    points: Floats = np.asarray(found, dtype=np.float64)
    counts = vectors.expandos.get("count")
    return WordMap(
        tuple(words),
        points,
        nearest_of(vectors, words),
        None if counts is None else tuple(int(counts[vectors.key_to_index[word]]) for word in words),
        used,
    )


def _planar(rows: Floats) -> Floats:
    """Return rows with two components at least, the added ones zero. Shapes: (n, D); (n, max(D, 2))."""
    return np.pad(rows, ((0, 0), (0, max(0, 2 - rows.shape[1]))))


def _open_tsne() -> Any:
    try:
        import openTSNE
    except ImportError as error:
        raise MissingExtra(
            "map: needs the package openTSNE; install it with `pip install 'recurra[maps]'`."
        ) from error
    return openTSNE


def nearest_of(vectors: WordLookup, words: Sequence[str]) -> tuple[tuple[tuple[str, float], ...], ...]:
    """Return the ten nearest words of each word among all words, with their cosines."""
    every: NDArray[np.float32] = unit_rows(vectors, vectors.index_to_key).astype(np.float32)
    count = min(_NEIGHBOURS, len(vectors) - 1)
    found = []
    for at in range(0, len(words), _AT_ONCE):
        some = words[at : at + _AT_ONCE]
        cosines = unit_rows(vectors, some).astype(np.float32) @ every.T
        for row, word in zip(cosines, some, strict=True):
            row[vectors.key_to_index[word]] = -2.0
            best = np.argpartition(-row, count - 1)[:count] if count else np.zeros(0, np.int64)
            best = best[np.argsort(-row[best], kind="stable")]
            found.append(tuple((vectors.index_to_key[place], round(float(row[place]), 3)) for place in best))
    return tuple(found)


@dataclass(frozen=True)
class PairPlane:
    """Pairs of words in the plane of the two principal components of their vectors.

    `explained` has the shares of variance of both axes. Shapes: points (pairs, 2, 2).
    """

    pairs: tuple[tuple[str, str], ...]
    points: Floats
    explained: tuple[float, float]


def plane_of_pairs(vectors: WordLookup, pairs: Pairs) -> PairPlane:
    """Project the unit vectors of pairs on their first two principal components.

    Pairs that differ alike, as man:woman and king:queen, give a parallelogram.

    Raises: ConfigError for fewer than two pairs of known words.
    """
    known = [(a, b) for a, b in pairs if a in vectors and b in vectors]
    if len(known) < 2:
        names = listed(f"{a}:{b}" for a, b in pairs)
        raise ConfigError(f"pairs: two pairs of known words are needed, got {names}; give others.")
    rows = _planar(unit_rows(vectors, [word for pair in known for word in pair]))
    centred = rows - rows.mean(0)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    plane = (left * singular)[:, :2]
    # The sign of a component is arbitrary: the first word is at the left, and below.
    plane = plane * np.where(plane[0] > 0, -1.0, 1.0)
    shares = np.square(singular) / max(float(np.square(singular).sum()), 1e-30)
    return PairPlane(tuple(known), plane.reshape(-1, 2, 2), (float(shares[0]), float(shares[1])))


def write_projector(vectors: WordLookup, words: Sequence[str], folder: Path) -> None:
    """Write vectors.tsv and metadata.tsv, which the Embedding Projector of TensorBoard reads.

    metadata.tsv has a header if it has two columns, the word and its count, and none if it has words alone.

    Raises: MissingWord; StorageError.
    """
    rows = vectors[list(words)].tolist()
    write_text(folder / "vectors.tsv", "".join("\t".join(f"{x:.7g}" for x in row) + "\n" for row in rows))
    names = [" ".join(word.split()) or "(blank)" for word in words]
    counts = vectors.expandos.get("count")
    if counts is None:
        lines = names
    else:
        numbers = [int(counts[vectors.key_to_index[word]]) for word in words]
        lines = ["word\tcount", *(f"{name}\t{count}" for name, count in zip(names, numbers, strict=True))]
    write_text(folder / "metadata.tsv", "".join(f"{line}\n" for line in lines))
