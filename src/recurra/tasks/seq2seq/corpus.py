"""The pairs that a task is trained on: read, checked, split, and what their symbols are."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from recurra.data.examples import BadRows
from recurra.data.readers.pairs import Pair, read_pairs
from recurra.data.readers.pictures import read_captions, read_pictures
from recurra.data.splits import stratified_split
from recurra.errors import DataError, VocabularyError
from recurra.models.seq2seq import SourceKind
from recurra.tasks.seq2seq.config import CaptionConfig, ChatConfig, Seq2SeqConfig
from recurra.text import Tokenizer, build_tokenizer, load_tokenizer

_BYTES = 256
_SOURCE_FOLDER = "source"  # of a run: where the source's own symbols are


@dataclass(frozen=True)
class PairSymbols:
    """What a model must know to read and to write: the symbols of both sides, or of the target alone and the
    shape of a picture's numbers. `source` is `target` where they are joint."""

    source: Tokenizer | None
    target: Tokenizer
    vector_shape: tuple[int, ...] = ()

    @property
    def kind(self) -> SourceKind:
        """What the network reads."""
        if self.source is None:
            return SourceKind(vector_shape=self.vector_shape)
        return SourceKind(self.source.vocabulary_size, self.source is self.target)

    @property
    def end(self) -> int:
        """The symbol that ends a target; a decoder is fed it first."""
        end = self.target.end_id
        assert end is not None, "all texts here were given an end"
        return end

    def encode_source(self, source: Sequence[str]) -> list[int]:
        """The ids of a text, or of turns with an end between them."""
        tokenizer = self.source
        assert tokenizer is not None, "asked for of texts"
        ids = tokenizer.encode_line(one_line(source[0])) if source else []
        for turn in source[1:]:
            assert tokenizer.end_id is not None, "all texts here were given an end"
            ids += [tokenizer.end_id, *tokenizer.encode_line(one_line(turn))]
        return ids

    def encode_target(self, text: str) -> list[int]:
        """The ids of an answer, without its end."""
        return self.target.encode_line(one_line(text))

    def save(self, folder: Path) -> None:
        """Write the files of both tokenizers."""
        self.target.save(folder)
        if self.source is not None and self.source is not self.target:
            (folder / _SOURCE_FOLDER).mkdir(exist_ok=True)
            self.source.save(folder / _SOURCE_FOLDER)

    @classmethod
    def load(cls, folder: Path, vector_shape: tuple[int, ...]) -> "PairSymbols":
        """What `save` wrote.

        Raises: VocabularyError if a file is missing or damaged.
        """
        target = load_tokenizer(folder)
        if target.end_id is None:
            raise VocabularyError(f"{folder}: its vocabulary has no end of a line; copy it from its run.")
        if vector_shape:
            return cls(None, target, vector_shape)
        own = folder / _SOURCE_FOLDER
        return cls(load_tokenizer(own) if own.exists() else target, target)


def one_line(text: str) -> str:
    """A text whose lines are joined by blanks: the end of a line ends an answer."""
    return " ".join(text.split("\n")) if "\n" in text else text


@dataclass
class PairCorpus:
    """Pairs to train on, to validate on and to test on."""

    symbols: PairSymbols
    train: list[Pair]
    valid: list[Pair]
    test: list[Pair] | None = None
    skipped: list[str] = field(default_factory=list)
    empty: int = 0

    def facts(self, config: Seq2SeqConfig) -> dict[str, Any]:
        """What run.toml says of the data."""
        parts = {"train": (config.data, self.train), "valid": (config.valid or config.data, self.valid)}
        if self.test is not None:
            parts["test"] = (config.test, self.test)
        found: dict[str, Any] = {"skipped": len(self.skipped), "empty": self.empty}
        if self.symbols.vector_shape:
            found["vector_shape"] = list(self.symbols.vector_shape)
        for name, (path, pairs) in parts.items():
            found[name] = {"path": path, "rows": len(pairs), "fingerprint": fingerprint(pairs)}
        return found


def fingerprint(pairs: Iterable[Pair]) -> str:
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
    prefix = "" if part == "data" else f"{part}_"
    beside = getattr(config, f"{prefix}{'captions' if isinstance(config, CaptionConfig) else 'target'}")
    return read_files(config, Path(data), None if beside is None else Path(beside), bad)


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


def build_corpus(config: Seq2SeqConfig) -> PairCorpus:
    """Read and split all pairs, and learn the symbols of those to train on.

    Pairs with an empty side teach nothing, and are left out.

    Raises: DataError, VocabularyError for files that cannot be used; ConfigError for options that do not fit.
    """
    bad = BadRows(config.skip_bad)
    parts = [read_part(config, part, bad) for part in ("data", "valid", "test")]
    assert parts[0] is not None, "the configuration asks for it"
    said = [None if part is None else list(filled(part)) for part in parts]
    empty = sum(len(part or ()) for part in parts) - sum(len(part or ()) for part in said)
    rows, valid, test = said
    for name, part in zip(("data", "valid", "test"), said, strict=True):
        if part is not None and not part:
            raise DataError(f"{getattr(config, name)}: has no pair with both sides; check the files.")
    assert rows is not None, "read above"
    if valid is not None:
        train = rows
    else:
        train, valid = _split(rows, config)
    symbols = learn_symbols(config, train)
    for pair in [*rows, *valid, *(test or [])]:
        shape = () if pair.vectors is None else pair.vectors.shape
        if shape != symbols.vector_shape:
            raise DataError(
                f"{pair.place}: has numbers of shape {shape}, expected {symbols.vector_shape} as the others."
            )
    return PairCorpus(symbols, train, valid, test, bad.sentences, empty)


def filled(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """Pairs whose sides both say something."""
    for pair in pairs:
        if any(pair.targets) and (pair.vectors is not None or any(pair.source)):
            yield pair


def _split(rows: Sequence[Pair], config: Seq2SeqConfig) -> tuple[list[Pair], list[Pair]]:
    """Pairs to train on and pairs held out; those of one conversation, or with one source, go together."""
    groups: dict[object, list[Pair]] = {}
    for pair in rows:
        key = pair.line if isinstance(config, ChatConfig) else pair.source
        groups.setdefault(key, []).append(pair)
    if len(groups) < 2:
        raise DataError(f"{config.data}: has one source only, so none can be held out; name --valid.")
    each = list(groups.values())
    kept, held = stratified_split([0] * len(each), config.validation_fraction, config.split_seed)
    return [pair for i in kept for pair in each[i]], [pair for i in held for pair in each[i]]


def learn_symbols(config: Seq2SeqConfig, train: Sequence[Pair]) -> PairSymbols:
    """The symbols of the pairs to train on.

    Raises: VocabularyError for a size that cannot be.
    """
    vectors = train[0].vectors
    if config.unit == "subword" and config.vocabulary_size < _BYTES:
        raise VocabularyError(
            f"vocabulary_size: got {config.vocabulary_size}, expected >= {_BYTES}, the bytes, for subwords."
        )

    def learn(*sides: Iterable[str]) -> Tokenizer:
        lines = (f"{one_line(text)}\n" for side in sides for text in side)
        return build_tokenizer(
            config.unit, lines, min_count=config.min_count, max_size=config.vocabulary_size
        )

    sources = [turn for pair in train for turn in pair.source]
    targets = [target for pair in train for target in pair.targets]
    if vectors is not None:
        return PairSymbols(None, learn(targets), vectors.shape)
    if isinstance(config, ChatConfig):  # nearly every turn is an answer to the one before
        sources = [pair.source[-1] for pair in train]
    if config.vocabulary == "joint":
        both = learn(sources, targets)
        return PairSymbols(both, both)
    return PairSymbols(learn(sources), learn(targets))
