"""Starting an encoder-decoder from another one, or its decoder from a run of another kind."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from recurra.config import CellPart
from recurra.config.conditions import refuse_given
from recurra.errors import ConfigError
from recurra.models.seq2seq import Seq2SeqNetwork
from recurra.plain import unit_noun
from recurra.tasks.seq2seq.config import CaptionConfig, Seq2SeqConfig
from recurra.tasks.seq2seq.symbols import PairSymbols
from recurra.tasks.starting import FRESH, Offer, Piece, Source, Start, id_map, told_new
from recurra.text import Tokenizer
from recurra.text.joining import joined_tokenizer

_OF_LAYERS = ("cell", *(CellPart.model_fields.keys() - {"forget_bias"}))
_ARCHITECTURE = (
    *("unit", "vocabulary", "hidden_size", "num_layers", "embedding_size", "tie_weights", *_OF_LAYERS),
    *("bidirectional", "decoder_layers", "bridge", "attention", "share_vectors", "coverage", "copying"),
)
_TARGET_ROWS = ("embedding.weight", "output.weight", "output.bias")  # with one row per target symbol
_NAMES = {
    "encoder.embedding": "source vectors",
    "encoder.recurrent": "encoder layer",
    "encoder": "picture encoder",
    "embedding": "target vectors",
    "bridge": "bridge",
    "below": "decoder layer",
    "attentive.recurrent": "attentive decoder layer",
    "attentive.attention": "attention",
    "attentive.combine": "attention output",
    "readout": "readout",
    "copy_gate": "copy gate",
    "output": "output layer",
}


class PairStart(Start):
    """An encoder-decoder that starts from another one: all weights, and rows for new symbols."""

    required = _ARCHITECTURE

    def __init__(self, source: Source, config: Seq2SeqConfig) -> None:
        super().__init__(source)
        self.names = _NAMES
        fields = type(config).model_fields
        self.options = {name: getattr(source.config, name) for name in _ARCHITECTURE if name in fields}
        self._appends = _appends(config, source.config.unit)

    def join(self, own: PairSymbols) -> PairSymbols:
        """Return the source's symbols of both sides, with the new ones of the data."""
        before: PairSymbols = self.source.symbols
        target = self._joined(before.target, own.target)
        if before.source is None or own.source is None:
            return replace(own, target=target)
        if before.source is before.target:
            return replace(own, source=target, target=target)
        return replace(own, source=self._joined(before.source, own.source), target=target)

    def _joined(self, first: Tokenizer, own: Tokenizer) -> Tokenizer:
        return joined_tokenizer(first, own) if self._appends else first

    def told(self, symbols: PairSymbols) -> str:
        """Return the numbers of symbols and of new ones of each side."""
        before: PairSymbols = self.source.symbols
        found = [_told(before.target, symbols.target, "")]
        if before.source is not None and symbols.source is not None and before.source is not before.target:
            found = [_told(before.source, symbols.source, "source "), found[0]]
        return ", ".join(found)

    def pieces(self, network: nn.Module, symbols: PairSymbols) -> Mapping[str, Piece]:
        """Return all weights by their names."""
        before: PairSymbols = self.source.symbols
        noun = unit_noun(symbols.target.unit)
        found = {name: Piece(tensor) for name, tensor in self.source.weights.items()}
        rows = _rows(symbols.target, before.target)
        found |= {name: Piece(found[name].tensor, [rows], noun) for name in _TARGET_ROWS if name in found}
        name = "encoder.embedding.weight"
        if name in found and symbols.source is not None and before.source is not None:
            found[name] = Piece(found[name].tensor, [_rows(symbols.source, before.source)], noun)
        return found


class DecoderStart(Start):
    """A decoder that starts from what a run of another kind offers: vectors, layers and the output layer.

    With a joint vocabulary the source's symbols have these vectors too.
    """

    required = ("unit",)

    def __init__(self, source: Source, config: Seq2SeqConfig, offer: Offer) -> None:
        super().__init__(source)
        self.names = _NAMES
        self.offer = offer
        names = ("embedding_size", "hidden_size", *_OF_LAYERS)
        self.options = {"unit": offer.unit} | {
            name: offer.options[name]
            for name in names
            if name in offer.options and name in type(config).model_fields
        }
        self.options.pop("skip", None)  # of several layers, which the decoder may not have
        self._appends = _appends(config, offer.unit)

    def join(self, own: PairSymbols) -> PairSymbols:
        """Return the symbols of the source for the target, with the new ones of the data."""
        if self.offer.tokenizer is None:
            return own
        target = joined_tokenizer(self.offer.tokenizer, own.target) if self._appends else self.offer.tokenizer
        if target.end_id is None:
            raise ConfigError(
                f"from_run: the vocabulary of {self.source.path} has no line end, which ends a target; name "
                "another run."
            )
        return replace(own, target=target, source=target if own.source is own.target else own.source)

    def told(self, symbols: PairSymbols) -> str:
        """Return the number of symbols and of new ones of the target."""
        count = symbols.target.vocabulary_size
        new = int((self._ids(symbols.target) == FRESH).sum())
        return told_new(count - new, new, unit_noun(symbols.target.unit))

    def _ids(self, tokenizer: Tokenizer) -> Tensor:
        return self.offer.ids(tokenizer.vocabulary.symbols)

    def pieces(self, network: nn.Module, symbols: PairSymbols) -> Mapping[str, Piece]:
        """Return the vectors, the layers of the decoder and the output layer."""
        assert isinstance(network, Seq2SeqNetwork), "an encoder-decoder"
        offer, noun = self.offer, unit_noun(symbols.target.unit)
        rows = self._ids(symbols.target)
        found = {"embedding.weight": Piece(offer.vectors, [rows], noun)}
        if symbols.source is symbols.target:
            found["encoder.embedding.weight"] = found["embedding.weight"]
        if {"weight", "bias"} <= offer.output.keys():
            found |= {f"output.{name}": Piece(each, [rows], noun) for name, each in offer.output.items()}
        if offer.direction != "forward":
            return found
        for name, tensor in offer.recurrent.items():
            if network.below is not None:
                found[f"below.{name}"] = Piece(tensor)
            elif network.attentive is not None:  # its input is a vector, then the fed-back output
                columns = torch.full((network.attentive.recurrent.input_size,), FRESH)
                columns[: offer.vectors.shape[1]] = torch.arange(offer.vectors.shape[1])[: len(columns)]
                is_input = name == "weight_ih_l0"
                found[f"attentive.recurrent.{name}"] = Piece(tensor, [None, columns] if is_input else ())
        return found


def start_from(source: Source, config: Seq2SeqConfig) -> Start | None:
    """Return how an encoder-decoder starts from a source; None if it cannot."""
    if isinstance(source.symbols, PairSymbols):
        both = isinstance(config, CaptionConfig) == isinstance(source.config, CaptionConfig)
        return PairStart(source, config) if both else None
    offer = source.offer
    return None if offer is None else DecoderStart(source, config, offer)


def _appends(config: Seq2SeqConfig, unit: str) -> bool:
    if unit == "subword":
        options = ("new_words", "min_count", "max_vocabulary_size")
        use = "to characters and words; subwords are those of the run to start from"
        refuse_given(config, dict.fromkeys(options, use))
    return config.new_words == "append"


def _rows(symbols: Tokenizer, before: Tokenizer) -> Tensor:
    return id_map(symbols.vocabulary.symbols, before.vocabulary.symbols)


def _told(before: Tokenizer, symbols: Tokenizer, side: str) -> str:
    new = symbols.vocabulary_size - before.vocabulary_size
    return told_new(before.vocabulary_size, new, f"{side}{unit_noun(symbols.unit)}")
