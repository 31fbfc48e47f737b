"""Vocabularies, tokenizers and span labels."""

from recurra.text.schemes import is_iob1
from recurra.text.spans import Span, bio_rules, bio_tags, mark_spans, spans_of
from recurra.text.tokenizers import (
    CharTokenizer,
    EncodedChunk,
    SubwordTokenizer,
    Tokenizer,
    WordTokenizer,
    build_tokenizer,
    lines_backward,
    load_tokenizer,
    tokenizer_of,
)
from recurra.text.vocabulary import EOS, UNK, Vocabulary
from recurra.text_files import lines_of

__all__ = [
    "EOS",
    "UNK",
    "CharTokenizer",
    "EncodedChunk",
    "Span",
    "SubwordTokenizer",
    "Tokenizer",
    "Vocabulary",
    "WordTokenizer",
    "bio_rules",
    "bio_tags",
    "build_tokenizer",
    "is_iob1",
    "lines_backward",
    "lines_of",
    "load_tokenizer",
    "mark_spans",
    "spans_of",
    "tokenizer_of",
]
