"""The symbols of an encoder-decoder, and how they are built from pairs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from recurra.data.readers.pairs import Pair
from recurra.errors import VocabularyError
from recurra.models.seq2seq import SourceKind
from recurra.tasks.seq2seq.config import ChatConfig, Seq2SeqConfig
from recurra.text import Tokenizer, build_tokenizer, load_tokenizer
from recurra.text.words import composed

_BYTES = 256
_SOURCE_FOLDER = "source"  # subfolder of a run with the source's own symbols


@dataclass(frozen=True)
class PairSymbols:
    """The symbols of both sides, or for pictures those of the target and the shape of the input.

    `source` is the same object as `target` if the vocabulary is joint, and None for pictures.
    `copies`: an unknown symbol of a source has an id of its own, V + its first position in the source, with V
    the size of the joint vocabulary, so that the decoder can copy it (See et al. 2017).
    """

    source: Tokenizer | None
    target: Tokenizer
    vector_shape: tuple[int, ...] = ()
    copies: bool = False

    @property
    def kind(self) -> SourceKind:
        """The kind of source that the network reads."""
        if self.source is None:
            return SourceKind(vector_shape=self.vector_shape)
        return SourceKind(self.source.vocabulary_size, self.source is self.target, unknown=self.unknown)

    @property
    def unknown(self) -> int | None:
        """The symbol of a target that stands for unknown ones, or None if every text can be written."""
        return self.target.unk_id

    @property
    def end(self) -> int:
        """The symbol that ends a target; it is also the decoder's first input."""
        end = self.target.end_id
        assert end is not None, "the tokenizers of this task have an end symbol"
        return end

    def encode_source(self, source: Sequence[str]) -> list[int]:
        """Return the ids of a text, or of turns separated by an end symbol."""
        tokenizer = self.source
        assert tokenizer is not None, "only called for text sources"
        ids = tokenizer.encode_line(one_line(source[0])) if source else []
        for turn in source[1:]:
            assert tokenizer.end_id is not None, "the tokenizers of this task have an end symbol"
            ids += [tokenizer.end_id, *tokenizer.encode_line(one_line(turn))]
        return self._with_unknown(ids, self.pieces(source), source) if self._lacks(ids) else ids

    def pieces(self, source: Sequence[str]) -> tuple[str, ...]:
        """Return the text of each symbol of a source, also of unknown ones; a line end between turns."""
        tokenizer = self.source
        assert tokenizer is not None, "only called for text sources"
        found = tokenizer.pieces(one_line(source[0])) if source else []
        for turn in source[1:]:
            found += ["\n", *tokenizer.pieces(one_line(turn))]
        return tuple(found)

    def encode_target(self, text: str, source: Sequence[str] = ()) -> list[int]:
        """Return the ids of a target, without its end; its unknown symbols may be copies from `source`."""
        line = one_line(text)
        ids = self.target.encode_line(line)
        return self._with_unknown(ids, self.target.pieces(line), source) if self._lacks(ids) else ids

    def _lacks(self, ids: Sequence[int]) -> bool:
        return self.copies and self.unknown in ids

    def _with_unknown(self, ids: list[int], pieces: Sequence[str], source: Sequence[str]) -> list[int]:
        """Replace the ids of unknown pieces that the source has by V + their first position in it."""
        size, known = self.target.vocabulary_size, self.target.vocabulary.ids
        places: dict[str, int] = {}
        for place, piece in enumerate(map(composed, self.pieces(source))):
            places.setdefault(piece, place)
        return [
            size + places[piece] if piece in places and piece not in known and id_ == self.unknown else id_
            for id_, piece in zip(ids, map(composed, pieces), strict=True)
        ]

    def save(self, folder: Path) -> None:
        """Write the files of both tokenizers."""
        self.target.save(folder)
        if self.source is not None and self.source is not self.target:
            (folder / _SOURCE_FOLDER).mkdir(exist_ok=True)
            self.source.save(folder / _SOURCE_FOLDER)

    @classmethod
    def load(cls, folder: Path, vector_shape: tuple[int, ...] = (), *, copies: bool = False) -> "PairSymbols":
        """Load what `save` wrote.

        Raises: VocabularyError if a file is missing or damaged.
        """
        target = load_tokenizer(folder)
        if target.end_id is None:
            raise VocabularyError(
                f"{folder}: the vocabulary has no end-of-line symbol; copy it from its run."
            )
        if vector_shape:
            return cls(None, target, vector_shape)
        own = folder / _SOURCE_FOLDER
        return cls(load_tokenizer(own) if own.exists() else target, target, copies=copies)


def one_line(text: str) -> str:
    """Join the lines of a text by spaces, as the end of a line is the end of an output."""
    return " ".join(text.split("\n")) if "\n" in text else text


def learn_symbols(config: Seq2SeqConfig, train: Sequence[Pair]) -> PairSymbols:
    """Build the symbols from the training pairs.

    Raises: VocabularyError for a vocabulary size that is too small.
    """
    vectors = train[0].vectors
    if config.unit == "subword" and config.max_vocabulary_size < _BYTES:
        raise VocabularyError(
            f"max_vocabulary_size: got {config.max_vocabulary_size}, expected >= {_BYTES} for subwords, "
            "which begin with the 256 bytes."
        )

    def learn(*sides: Iterable[str]) -> Tokenizer:
        lines = (f"{one_line(text)}\n" for side in sides for text in side)
        return build_tokenizer(
            config.unit, lines, min_count=config.min_count, max_size=config.max_vocabulary_size
        )

    sources = [turn for pair in train for turn in pair.source]
    targets = [target for pair in train for target in pair.targets]
    if vectors is not None:
        return PairSymbols(None, learn(targets), vectors.shape)
    if isinstance(config, ChatConfig):  # nearly every turn is the last of some pair
        sources = [pair.source[-1] for pair in train]
    if config.vocabulary == "joint":
        both = learn(sources, targets)
        return PairSymbols(both, both, copies=config.copying)
    return PairSymbols(learn(sources), learn(targets))
