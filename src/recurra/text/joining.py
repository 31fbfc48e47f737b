"""Joining vocabularies: the symbols of a trained model first, in their order, then new ones."""

from collections.abc import Iterable

from recurra.text.tokenizers import SubwordTokenizer, Tokenizer, tokenizer_of
from recurra.text.vocabulary import Vocabulary
from recurra.text.word_encoder import WordEncoder


def joined(first: Iterable[str], more: Iterable[str]) -> Vocabulary:
    """Return the vocabulary of the first symbols and of those others that are not among them."""
    return Vocabulary(list(dict.fromkeys([*first, *more])))


def joined_tokenizer(first: Tokenizer, own: Tokenizer) -> Tokenizer:
    """Return a tokenizer with the symbols of `first`, then the new ones of `own`.

    Subwords depend on each other, so those of `first` are kept as they are.
    """
    if isinstance(first, SubwordTokenizer):
        return first
    return tokenizer_of(first.unit, joined(first.vocabulary.symbols, own.vocabulary.symbols))


def joined_words(first: WordEncoder, own: WordEncoder) -> WordEncoder:
    """Return an encoder with the words, characters and so on of `first`, then the new ones of `own`."""
    shapes = first.shapes
    if shapes is not None and own.shapes is not None:
        shapes = joined(shapes.symbols, own.shapes.symbols)
    return WordEncoder(
        joined(first.words.symbols, own.words.symbols),
        joined(first.characters.symbols, own.characters.symbols),
        joined(first.trigrams.symbols, own.trigrams.symbols),
        first.forms,
        shapes,
    )
