"""Reads and checks the pairs of sequence-to-sequence tasks."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from recurra.data.examples import BadRows
from recurra.data.readers.arrays import with_channels
from recurra.data.readers.pairs import Pair, format_of, read_pairs, read_sources
from recurra.data.readers.pictures import read_captions, read_pictures
from recurra.errors import DataError
from recurra.plain import counted
from recurra.tasks.pretrained import InitialVectors, facts_of
from recurra.tasks.rows import RowCorpus
from recurra.tasks.seq2seq.config import CaptionConfig, ChatConfig, Seq2SeqConfig
from recurra.text import EOS


@dataclass
class PairCorpus(RowCorpus[Pair]):
    """Pairs of sources and targets.

    `empty` is the number of pairs left out because of an empty side, `too_long` because of their length.
    `vectors` are pretrained vectors of the source's words, `target_vectors` of the target's.
    """

    empty: int = 0
    too_long: int = 0
    vectors: InitialVectors | None = None
    target_vectors: InitialVectors | None = None

    def facts(self) -> dict[str, Any]:
        """Return what run.toml records, with the shape of pictures, and whether unknown words are copied."""
        shape: tuple[int, ...] = self.symbols.vector_shape
        found = super().facts() | ({"vector_shape": list(shape)} if shape else {})
        given = facts_of(self.vectors, self.target_vectors)
        return found | ({"copies": True} if self.symbols.copies else {}) | given


def fingerprint_of(pairs: Iterable[Pair]) -> str:
    """A digest that changes with any word or number of any pair."""
    digest = hashlib.sha256()
    for pair in pairs:
        digest.update(repr((pair.source, pair.targets)).encode("utf-8", "surrogatepass"))
        if pair.vectors is not None:
            digest.update(np.ascontiguousarray(pair.vectors).tobytes())
    return digest.hexdigest()


def read_part(config: Seq2SeqConfig, part: str, bad: BadRows) -> list[Pair] | None:
    """Read the pairs of --data ("data"), --valid or --test; None if the option is not given.

    Raises: DataError for files that cannot be used; ConfigError for options that do not fit them.
    """
    data = getattr(config, part)
    if data is None:
        return None
    beside = file_beside(config, part)
    return read_files(config, Path(data), None if beside is None else Path(beside), bad)


def file_beside(config: Seq2SeqConfig, part: str) -> str | None:
    """Return the file with the targets of a part, or with the captions of its pictures."""
    prefix = "" if part == "data" else f"{part}_"
    side = "captions" if isinstance(config, CaptionConfig) else "target"
    found: str | None = getattr(config, prefix + side)
    return found


def read_files(config: Seq2SeqConfig, data: Path, beside: Path | None, bad: BadRows) -> list[Pair]:
    """Read the pairs of the files of any part; `beside` has the targets, or the captions of pictures.

    Raises: as `read_part`.
    """
    pairs = _read(config, data, beside, bad)
    return pairs if config.unit != "word" else [pair for pair in pairs if not _writes_end(pair, bad)]


def _writes_end(pair: Pair, bad: BadRows) -> bool:
    """Whether a pair contains the symbol that ends a target; it is then a bad row."""
    texts = (*pair.source, *pair.targets) if pair.vectors is None else pair.targets
    if not any(EOS in text and EOS in text.split() for text in texts):
        return False
    bad.refuse(pair.place, f"contains {EOS}, which is the end of a sentence, as a word")
    return True


def _read(config: Seq2SeqConfig, data: Path, beside: Path | None, bad: BadRows) -> list[Pair]:
    if isinstance(config, CaptionConfig):
        if beside is None:
            ways = (f"name a JSON lines file with them in --{option}" for option in ("captions", "target"))
            raise DataError.advising(f"{data}: has no captions", *ways)
        return read_captions(read_pictures(data, bad), beside, bad)
    return read_pairs(data, beside, config, bad, memory_turns=_turns_of(config))


def read_asked(config: Seq2SeqConfig, path: Path, bad: BadRows) -> list[Pair]:
    """Read the sources of a table or of JSON lines to predict for. Raises: as `read_sources`."""
    return read_sources(path, config, bad, memory_turns=_turns_of(config))


def formats_of(config: Seq2SeqConfig) -> list[str]:
    """Return the formats of the files of all parts; none for pictures. Raises: as `read_part`."""
    if isinstance(config, CaptionConfig):
        return []
    found = []
    for part in ("data", "valid", "test"):
        file, beside = getattr(config, part), file_beside(config, part)
        if file is not None:
            target = None if beside is None else Path(beside)
            found.append(format_of(Path(file), target, config, memory_turns=_turns_of(config)))
    return found


def _turns_of(config: Seq2SeqConfig) -> int:
    return config.memory_turns if isinstance(config, ChatConfig) else 0


def filled(pairs: Sequence[Pair], path: str | Path, bad: BadRows) -> list[Pair]:
    """Return the pairs without an empty side; the others are counted. Raises: DataError if there are none."""
    found = [pair for pair in pairs if any(pair.targets) and (pair.vectors is not None or any(pair.source))]
    if not found:
        raise DataError(f"{path}: no pair has both a source and a target; check the files.")
    bad.empty += len(pairs) - len(found)
    return found


def empty_told(empty: int) -> list[str]:
    """Return a sentence on the pairs that were left out because of an empty side, if there are any."""
    return [f"{counted(empty, 'pair')} with an empty side left out"] if empty else []


def with_model_channels(pairs: Iterable[Pair], shape: tuple[int, ...]) -> list[Pair]:
    """Convert images between grey and RGB where the model reads the other; other pairs stay as they are."""
    return [
        replace(pair, vectors=with_channels(pair.vectors, shape[0]))
        if pair.vectors is not None and pair.vectors.ndim == len(shape) == 3
        else pair
        for pair in pairs
    ]


def _described(shape: tuple[int, ...]) -> str:
    return f"numbers of shape {shape}" if shape else "a text"


def check_shapes(pairs: Iterable[Pair], shape: tuple[int, ...]) -> None:
    """Check that pairs have the shape that a model reads. Raises: DataError for the first other one."""
    for pair in pairs:
        found = () if pair.vectors is None else pair.vectors.shape
        if found != shape:
            raise DataError(
                f"{pair.place or 'pair'}: has {_described(found)}, expected {_described(shape)} as in the "
                "training data."
            )
