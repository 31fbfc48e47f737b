"""Symbols to ids and back: vocabularies, and the ways to cut text into symbols."""

from recurra.text.tokenizers import (
    CharTokenizer,
    EncodedChunk,
    SubwordTokenizer,
    Tokenizer,
    WordTokenizer,
    build_tokenizer,
    lines_backward,
    lines_of,
    load_tokenizer,
    tokenizer_of,
)
from recurra.text.vocabulary import EOS, UNK, Vocabulary

__all__ = [
    "EOS",
    "UNK",
    "CharTokenizer",
    "EncodedChunk",
    "SubwordTokenizer",
    "Tokenizer",
    "Vocabulary",
    "WordTokenizer",
    "build_tokenizer",
    "lines_backward",
    "lines_of",
    "load_tokenizer",
    "tokenizer_of",
]
