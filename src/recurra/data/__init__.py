"""Text sources, memory-mapped token files, token streams, readers and synthetic corpora."""

from typing import TYPE_CHECKING

from recurra.lazy import lazy_names

if TYPE_CHECKING:
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

# Lazy imports: writing a synthetic corpus does not need torch.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Segment": "recurra.data.streams",
        "TextSource": "recurra.data.sources",
        "TokenFile": "recurra.data.token_files",
        "TokenStreams": "recurra.data.streams",
        "join_segments": "recurra.data.streams",
        "open_tokenizer": "recurra.data.token_files",
        "open_tokens": "recurra.data.token_files",
        "split_source": "recurra.data.sources",
    },
)
