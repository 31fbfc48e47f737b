"""Starting a language model from another one, and what a language model offers to other tasks."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from recurra.config import CellPart, ContextPart
from recurra.config.conditions import refuse_given
from recurra.errors import ConfigError
from recurra.plain import unit_noun
from recurra.tasks.language_modeling.config import LanguageModelConfig
from recurra.tasks.starting import Offer, Piece, Source, Start, id_map, told_new
from recurra.text import EOS, Tokenizer
from recurra.text.joining import joined_tokenizer
from recurra.training.weights import below

_OF_LAYERS = tuple(CellPart.model_fields.keys() - {"forget_bias"})
_ARCHITECTURE = (
    *("unit", "direction", "model", "cell", "hidden_size", "num_layers", "embedding_size", "tie_weights"),
    *("adaptive_softmax", *_OF_LAYERS, *ContextPart.model_fields),
)
_ROWS = ("embedding.weight", "output.weight", "output.bias")  # with one row per symbol


class TextStart(Start):
    """A language model that starts from another one: all weights, and rows for new symbols."""

    required = _ARCHITECTURE

    def __init__(self, source: Source, config: LanguageModelConfig) -> None:
        super().__init__(source)
        if source.config.model == "ngram":
            raise ConfigError(
                f"from_run: {source.path} has counts of n-grams, which are no weights to start with; name a "
                "run of a network."
            )
        own: LanguageModelConfig = source.config
        self.options = {name: getattr(own, name) for name in _ARCHITECTURE}
        self.names = {
            "embedding": f"{unit_noun(own.unit)} vectors",
            "recurrent": "recurrent layer",
            "last": "last recurrent layer",
            "hidden": "hidden layer",
            "output": "output layer",
        }
        self._appends = config.new_words == "append"
        if own.unit == "subword":
            options = ("new_words", "min_count", "max_vocabulary_size")
            use = "to characters and words; subwords are those of the run to start from"
            refuse_given(config, dict.fromkeys(options, use))

    def join(self, own: Tokenizer) -> Tokenizer:
        """Return the source's tokenizer, with the new symbols of the data."""
        symbols: Tokenizer = self.source.symbols
        found = joined_tokenizer(symbols, own) if self._appends else symbols
        if self.source.config.adaptive_softmax and found.vocabulary_size > symbols.vocabulary_size:
            raise ConfigError(
                f"new_words: the adaptive softmax of {self.source.path} has a fixed number of symbols, so "
                "new ones cannot be appended; use unknown."
            )
        return found

    def told(self, symbols: Tokenizer) -> str:
        """Return the number of symbols and of new ones."""
        count = self.source.symbols.vocabulary_size
        return told_new(count, symbols.vocabulary_size - count, unit_noun(symbols.unit))

    def pieces(self, network: nn.Module, symbols: Tokenizer) -> Mapping[str, Piece]:
        """Return all weights by their names."""
        rows = id_map(symbols.vocabulary.symbols, self.source.symbols.vocabulary.symbols)
        noun = unit_noun(symbols.unit)
        return {
            name: Piece(tensor, [rows], noun) if name in _ROWS else Piece(tensor)
            for name, tensor in self.source.weights.items()
        }


def offer_of(config: LanguageModelConfig, symbols: Tokenizer, weights: Mapping[str, Tensor]) -> Offer | None:
    """Return the vectors, recurrent layers and output layer of a network; None for n-grams."""
    if config.model == "ngram":
        return None
    vectors = weights["embedding.weight"]
    options: dict[str, Any] = {"embedding_size": vectors.shape[1]}
    recurrent: dict[str, Tensor] = {}
    # With a last layer of another size, the layers below it are offered.
    if config.model == "recurrent" and config.cell != "jordan":
        recurrent = below(weights, "recurrent.")
        options |= {name: getattr(config, name) for name in ("cell", *_OF_LAYERS)}
        options["hidden_size"] = recurrent["weight_hh_l0"].shape[1]
        options["num_layers"] = sum(name.startswith("weight_hh_l") for name in recurrent)
        options |= {} if options["num_layers"] > 1 else {"skip": "none"}
    vocabulary = symbols.vocabulary
    return Offer(
        unit=config.unit,
        symbols=vocabulary.symbols,
        vectors=vectors,
        options=options,
        unknown=None if symbols.unk_id is None else vocabulary.symbols[symbols.unk_id],
        special=(EOS,) if config.unit == "word" else ("\n",),
        tokenizer=symbols,
        recurrent=recurrent,
        output={} if config.adaptive_softmax else below(weights, "output."),
        direction=config.direction,
    )
