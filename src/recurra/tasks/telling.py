"""Sentences about rows, the same for every task."""

from collections.abc import Iterator, Sequence

_SHOWN = 3


def rows_told(sentences: Sequence[str], what: str) -> Iterator[str]:
    """How many rows there is something to be said of, and of the first ones what."""
    if not sentences:
        return
    yield f"{len(sentences):,} rows {what}:"
    for sentence in sentences[:_SHOWN]:
        yield f"  {sentence}"
    if len(sentences) > _SHOWN:
        yield f"  and {len(sentences) - _SHOWN:,} more"
