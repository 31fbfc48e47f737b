"""From files to batches: sources, memory-mapped token files, streams through time."""

from recurra.data.sources import TextSource, split_source
from recurra.data.streams import Segment, TokenStreams
from recurra.data.token_files import TokenFile, open_tokens

__all__ = ["Segment", "TextSource", "TokenFile", "TokenStreams", "open_tokens", "split_source"]
