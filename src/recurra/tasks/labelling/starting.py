"""Starting a labelling task from a run of one, or from the word vectors and layers of another kind of run."""

import re
from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor, nn

from recurra.config import CellPart, RepresentationPart
from recurra.errors import ConfigError
from recurra.models.pair import AlignedNetwork
from recurra.tasks.labelling.config import LabellingConfig
from recurra.tasks.starting import Offer, Piece, Source, Start, id_map, told_new
from recurra.text import UNK, Vocabulary
from recurra.text.joining import joined, joined_words
from recurra.text.label_symbols import Symbols
from recurra.text.word_encoder import WordEncoder

_NOT_OF_NETWORK = ("min_count", "max_vocabulary_size", "vectors", "freeze_vectors", "tune_after")
_OF_INPUT = (
    "split",
    *(
        RepresentationPart.model_fields.keys()
        - {*_NOT_OF_NETWORK, "vectors_limit", "word_dropout", "word_vectors"}
        - {"gazetteer", "gazetteer_ignore_case", "gazetteer_dropout"}
    ),
)
_OF_ENCODER = (
    *("model", "bidirectional", "cell", "hidden_size", "num_layers"),
    *(CellPart.model_fields.keys() - {"forget_bias"}),
)
_OF_HEAD = (
    *("decoder", "pooling", "window", "matching", "symmetric"),
    *("overlap_features", "length_features", "number_features"),
)
_OF_ROWS = ("labels", "classes")
_READER, _WORDS = "reader.", "reader.words."
_RECURRENT = "reader.encoder.recurrent."
_NAMES = {
    "reader.words.words": "word vectors",
    "reader.words.characters": "character network",
    "reader.words.characters.recurrent": "character layer",
    "reader.words.trigrams": "trigram vectors",
    "reader.words.casing": "casing vectors",
    "reader.words.shapes": "shape vectors",
    "reader.words.lists": "word list vectors",
    "reader.frames": "picture network",
    "reader.encoder.hidden": "window layer",
    _RECURRENT: "recurrent layer",
    "attention": "attention pooling",
    "hidden": "layer of pairs",
    "classes": "sentence label layer",
    "crf": "label transitions",
    "output": "output layer",
}
_PART_NAMES = {
    **_NAMES,
    **{f"pooled.{prefix}": name for prefix, name in _NAMES.items()},
    **{f"encoder.{prefix.removeprefix('reader.')}": name for prefix, name in _NAMES.items()},
    "composer.recurrent": "composing layer",
    "compared": "layer of compared words",
    "projection": "projection of aligned words",
    "direct": "weights of the features",
}


_PLACES = r"^(pooled\.reader|encoder)\."  # of the reader in networks of texts and pairs


def _place_of_reader(network: nn.Module) -> str:
    """Return the prefix of the reader's weights in a network."""
    if hasattr(network, "pooled"):
        return "pooled.reader."
    return "encoder." if isinstance(network, AlignedNetwork) else _READER


class LabelStart(Start):
    """A labelling run that starts from another one: all weights of the same task, else input and encoder."""

    def __init__(self, source: Source, config: LabellingConfig) -> None:
        super().__init__(source)
        self.names = _PART_NAMES
        own: LabellingConfig = source.config
        self._is_same = type(own) is type(config)
        names = [*_OF_INPUT]
        if self._is_same or getattr(own, "model", "") == "recurrent":
            names += _OF_ENCODER
        if self._is_same:
            names += [name for name in _OF_HEAD if name in type(config).model_fields]
        self.options = {name: getattr(own, name) for name in names}
        # The vectors of a file are part of the source's weights.
        is_file = own.word_vectors == "pretrained"
        self.options |= {"word_vectors": "learnt" if is_file else own.word_vectors}
        self.required = tuple(self.options) if self._is_same else ()
        self._appends = config.new_words == "append"
        self._hides_lists = bool(config.gazetteer_dropout)

    def join(self, own: Symbols) -> Symbols:
        """Return the source's words and labels, each with the new ones of the data."""
        symbols: Symbols = self.source.symbols
        if symbols.vector_shape != own.vector_shape:
            got, wanted = (_described(one.vector_shape) for one in (own, symbols))
            raise ConfigError(
                f"from_run: {self.source.path} reads {wanted}, but the data have {got}; name another run."
            )
        if own.gazetteer is not None:
            kept = "has word lists of its own, which are kept" if symbols.gazetteer else "has no word lists"
            raise ConfigError(f"gazetteer: {self.source.path} {kept}; remove the option.")
        if symbols.gazetteer is None and self._hides_lists:
            raise ConfigError(f"gazetteer_dropout: {self.source.path} has no word lists; remove the option.")
        words = own.words
        if words is not None and symbols.words is not None:
            words = joined_words(symbols.words, words) if self._appends else symbols.words
            is_wider = len(words.words) > len(symbols.words.words)
            if is_wider and self.source.config.word_vectors == "one-hot":
                raise ConfigError(
                    f"new_words: the one-hot vectors of {self.source.path} have a fixed number of words, so "
                    "new ones cannot be appended; use unknown."
                )
        labels, classes = own.labels, own.classes
        scale, features = own.scale, own.features
        if self._is_same:
            if (symbols.scale is None) != (own.scale is None):
                kind = "labels" if symbols.scale is None else "scores"
                raise ConfigError(
                    f"score_column: {self.source.path} predicts {kind}; name a run of the same kind, or "
                    "change score_column."
                )
            scale, features = symbols.scale, symbols.features
            labels, classes = (_first(getattr(symbols, each), getattr(own, each)) for each in _OF_ROWS)
            if own.labels is not None and own.spans != symbols.spans:
                marks = "mark spans" if symbols.spans else "do not mark spans"
                raise ConfigError(
                    f"scheme: the word labels of {self.source.path} {marks}, those of the data are of the "
                    "other kind; read them otherwise with scheme, or name another run."
                )
        return replace(
            own,
            words=words,
            labels=labels,
            classes=classes,
            gazetteer=symbols.gazetteer,
            scale=scale,
            features=features,
        )

    def told(self, symbols: Symbols) -> str:
        """Return the numbers of words and labels, with the names of new labels."""
        before: Symbols = self.source.symbols
        found = []
        if symbols.words is not None and before.words is not None:
            count = len(before.words.words)
            found.append(told_new(count, len(symbols.words.words) - count, "word"))
        for each, noun in zip(_OF_ROWS, ("word label", "label"), strict=True):
            old, new = getattr(before, each), getattr(symbols, each)
            if self._is_same and old is not None and new is not None:
                found.append(told_new(len(old), len(new) - len(old), noun))
                if len(new) > len(old):
                    found[-1] += f" ({', '.join(new.symbols[len(old) :][:10])})"
        return ", ".join(found) or "numbers"

    def pieces(self, network: nn.Module, symbols: Symbols) -> Mapping[str, Piece]:
        """Return the weights of the source by the names of the new network."""
        found = {}
        for name, tensor in self.source.weights.items():
            plain = re.sub(_PLACES, _READER, name, count=1)
            if self._is_same or plain.startswith(_READER):
                own = name if self._is_same else _place_of_reader(network) + plain.removeprefix(_READER)
                found[own] = self._piece(plain, tensor, symbols)
        return found

    def _piece(self, name: str, tensor: Tensor, symbols: Symbols) -> Piece:
        before: Symbols = self.source.symbols
        if name.startswith(_WORDS) and symbols.words is not None and before.words is not None:
            tables = {
                "words.weight": (before.words.words, symbols.words.words, "word"),
                "characters.embedding.weight": (
                    before.words.characters,
                    symbols.words.characters,
                    "character",
                ),
                "trigrams.weight": (before.words.trigrams, symbols.words.trigrams, "trigram"),
                "shapes.weight": (before.words.shapes, symbols.words.shapes, "shape"),
            }
            if (table := tables.get(name.removeprefix(_WORDS))) is not None:
                known, wanted, noun = table
                assert known is not None, "it has a table"
                assert wanted is not None, "it is the same kind of network"
                return Piece(tensor, [id_map(wanted.symbols, known.symbols)], noun)
            return Piece(tensor)
        part = name.split(".")[0]
        is_tagger = symbols.labels is not None
        old, new = before.labels, symbols.labels
        if part == "classes" or (part == "output" and not is_tagger):
            old, new = before.classes, symbols.classes
        if part not in ("output", "crf", "classes") or old is None or new is None:
            return Piece(tensor)
        if part == "output" and len(tensor) != len(old):  # one score for two labels
            return Piece(tensor)
        rows = id_map(new.symbols, old.symbols)
        both = [rows, rows] if name == "crf.transitions" else [rows]
        return Piece(tensor, both, "label")


class WordStart(Start):
    """A labelling run that starts from what a run of another kind offers: word vectors, recurrent layers."""

    def __init__(self, source: Source, config: LabellingConfig, offer: Offer) -> None:
        super().__init__(source)
        self.names = _PART_NAMES
        self.offer = offer
        splits = {"word": ("blanks", "punctuation"), "char": ("characters",)}
        if config.split not in splits.get(offer.unit, ()):
            ways = {"word": "--split blanks or punctuation", "char": "--split characters"}
            way = ways.get(offer.unit)
            raise ConfigError(
                f"from_run: the symbols of {source.path} are {offer.unit}s, but the words of the data are "
                f"split by {config.split}; " + (f"use {way}, or " if way else "") + "name another run."
            )
        is_recurrent = getattr(config, "model", "") == "recurrent"
        self.options = {
            name: value
            for name, value in offer.options.items()
            if name in type(config).model_fields and (is_recurrent or name == "embedding_size")
        }
        self._appends = config.new_words == "append"

    def join(self, own: Symbols) -> Symbols:
        """Return the words of the source, with the new ones of the data."""
        if own.words is None:
            raise ConfigError(
                f"from_run: {self.source.path} has word vectors, but the steps of the data are numbers; name "
                "another run."
            )
        left_out = {self.offer.unknown, *self.offer.special}
        known = [UNK, *(each for each in self.offer.symbols if each not in left_out)]
        words = joined(known, own.words.words.symbols if self._appends else ())
        mine = own.words
        return replace(own, words=WordEncoder(words, mine.characters, mine.trigrams, mine.forms, mine.shapes))

    def told(self, symbols: Symbols) -> str:
        """Return the number of words and of new ones."""
        assert symbols.words is not None, "joined"
        known = len(symbols.words.words) - self._new(symbols)
        noun = "character" if self.offer.unit == "char" else "word"
        return told_new(known, self._new(symbols), noun)

    def _new(self, symbols: Symbols) -> int:
        assert symbols.words is not None, "joined"
        known = {UNK, *self.offer.symbols}
        return sum(word not in known for word in symbols.words.words.symbols)

    def pieces(self, network: nn.Module, symbols: Symbols) -> Mapping[str, Piece]:
        """Return the word vectors, and the recurrent layers that read in the same direction."""
        assert symbols.words is not None, "joined"
        place = _place_of_reader(network)
        rows = self.offer.ids(symbols.words.words.symbols)
        if self.offer.unknown is not None:
            rows[0] = list(self.offer.symbols).index(self.offer.unknown)
        found = {f"{place}words.words.weight": Piece(self.offer.vectors, [rows], "word")}
        reads_back = self.offer.direction == "backward"
        for name, tensor in self.offer.recurrent.items():
            found[f"{place}encoder.recurrent.{name}{'_reverse' if reads_back else ''}"] = Piece(tensor)
        return found


def start_from(source: Source, config: LabellingConfig) -> Start | None:
    """Return how a labelling run starts from a source; None if it cannot."""
    if isinstance(source.symbols, Symbols):
        return LabelStart(source, config)
    offer = source.offer
    return None if offer is None else WordStart(source, config, offer)


def _first(before: Vocabulary | None, own: Vocabulary | None) -> Vocabulary | None:
    if before is None or own is None:
        return own
    return joined(before.symbols, own.symbols)


def _described(shape: tuple[int, ...]) -> str:
    return f"numbers of shape {shape}" if shape else "words"
