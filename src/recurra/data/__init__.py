"""From files to batches: sources, memory-mapped token files, streams through time."""

from recurra.data.sources import TextSource, split_source
from recurra.data.streams import Segment, TokenStreams, join_segments
from recurra.data.token_files import TokenFile, open_tokenizer, open_tokens

__all__ = [
    "Segment",
    "TextSource",
    "TokenFile",
    "TokenStreams",
    "join_segments",
    "open_tokenizer",
    "open_tokens",
    "split_source",
]
