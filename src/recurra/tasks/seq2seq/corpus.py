"""The pairs that a task is trained on: read, checked, split, and what their symbols are."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recurra.data.examples import BadRows
from recurra.data.readers.pairs import Pair, read_pairs
from recurra.data.readers.pictures import read_captions, read_pictures
from recurra.errors import DataError
from recurra.tasks.rows import RowCorpus
from recurra.tasks.seq2seq.config import CaptionConfig, ChatConfig, Seq2SeqConfig


@dataclass
class PairCorpus(RowCorpus[Pair]):
    """Pairs of what is read and what is to be written.

    `empty` of them had an empty side, `too_long` are left out of training.
    """

    empty: int = 0
    too_long: int = 0

    def facts(self) -> dict[str, Any]:
        """What run.toml says of the data, and of pictures the shape of their numbers."""
        shape: tuple[int, ...] = self.symbols.vector_shape
        return super().facts() | ({"vector_shape": list(shape)} if shape else {})


def fingerprint_of(pairs: Iterable[Pair]) -> str:
    """A digest that changes with any word or number of any pair."""
    digest = hashlib.sha256()
    for pair in pairs:
        digest.update(repr((pair.source, pair.targets)).encode("utf-8", "surrogatepass"))
        if pair.vectors is not None:
            digest.update(np.ascontiguousarray(pair.vectors).tobytes())
    return digest.hexdigest()


def read_part(config: Seq2SeqConfig, part: str, bad: BadRows) -> list[Pair] | None:
    """The pairs of --data ("data"), --valid or --test; None where none is named.

    Raises: DataError for files that cannot be used; ConfigError for options that do not fit them.
    """
    data = getattr(config, part)
    if data is None:
        return None
    beside = file_beside(config, part)
    return read_files(config, Path(data), None if beside is None else Path(beside), bad)


def file_beside(config: Seq2SeqConfig, part: str) -> str | None:
    """The file with the other side of a part, or with the captions of its pictures."""
    prefix = "" if part == "data" else f"{part}_"
    side = "captions" if isinstance(config, CaptionConfig) else "target"
    found: str | None = getattr(config, prefix + side)
    return found


def read_files(config: Seq2SeqConfig, data: Path, beside: Path | None, bad: BadRows) -> list[Pair]:
    """The pairs of files of any part: `beside` has the targets, or the captions of pictures.

    Raises: as `read_part`.
    """
    if isinstance(config, CaptionConfig):
        if beside is None:
            raise DataError(f"{data}: has no captions; name the JSON lines that have them with --captions.")
        return read_captions(read_pictures(data), beside, bad)
    turns = config.memory_turns if isinstance(config, ChatConfig) else 0
    return read_pairs(data, beside, config, bad, memory_turns=turns)


def filled(pairs: Iterable[Pair], path: str | Path) -> list[Pair]:
    """Pairs whose sides both say something. Raises: DataError if there are none."""
    found = [pair for pair in pairs if any(pair.targets) and (pair.vectors is not None or any(pair.source))]
    if not found:
        raise DataError(f"{path}: has no pair with both sides; check the files.")
    return found


def check_shapes(pairs: Iterable[Pair], shape: tuple[int, ...]) -> None:
    """Refuse pairs with other numbers than a model reads. Raises: DataError naming the first."""
    for pair in pairs:
        found = () if pair.vectors is None else pair.vectors.shape
        if found != shape:
            raise DataError(f"{pair.place}: has numbers of shape {found}, expected {shape} as the others.")
