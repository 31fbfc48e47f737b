"""Encoded corpora in memory-mapped token files, cached by fingerprint."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from recurra.data.cache import cache_folder, digest, new_entry
from recurra.data.sources import TextSource
from recurra.errors import DataError, VocabularyError
from recurra.files import fault_in
from recurra.plain import parsed_json
from recurra.text import EncodedChunk, Tokenizer, build_tokenizer, lines_backward, load_tokenizer
from recurra.text.sentences import EndWithinLine
from recurra.text.tokenizers import Documents

_TOKENS, _DOCUMENTS, _ABOUT = "tokens.bin", "documents.bin", "about.json"


@dataclass(frozen=True)
class TokenFile:
    """Token ids of a corpus on disk, memory-mapped, with the start positions of its documents.

    Shapes: ids (N,), unsigned integers; document_starts (D,), int64, rising.
    """

    ids: npt.NDArray[np.unsignedinteger]
    document_starts: npt.NDArray[np.int64]
    fingerprint: str
    from_cache: bool

    def __len__(self) -> int:
        return len(self.ids)

    def count(self, id_: int | None, chunk: int = 1 << 22) -> int:
        """Count the tokens equal to `id_`; 0 for None."""
        if id_ is None:
            return 0
        return sum(
            int(np.count_nonzero(self.ids[at : at + chunk] == id_)) for at in range(0, len(self.ids), chunk)
        )

    def counts(self, vocabulary_size: int, chunk: int = 1 << 22) -> npt.NDArray[np.int64]:
        """Count the tokens of each id. Shapes: result (V,)."""
        found = np.zeros(vocabulary_size, np.int64)
        for at in range(0, len(self.ids), chunk):
            found += np.bincount(self.ids[at : at + chunk], minlength=vocabulary_size)
        return found


@contextmanager
def _naming(source: TextSource) -> Iterator[None]:
    """Name the file of a line that a tokenizer refuses. Raises: DataError."""
    try:
        yield
    except EndWithinLine as fault:
        raise DataError(f"{source.path}: {fault}") from fault


def open_tokenizer(source: TextSource, unit: str, *, min_count: int, max_size: int | None) -> Tokenizer:
    """Return the tokenizer of a text (see `build_tokenizer`) from the cache, or build and cache it.

    Raises: DataError if the text cannot be read or split into symbols; VocabularyError if it has no symbols.
    """
    folder = cache_folder() / "tokenizers" / digest(source.fingerprint, unit, min_count, max_size)
    if fault_in(folder) is None:
        with suppress(VocabularyError):  # removed since the check
            return load_tokenizer(folder)
    with _naming(source):
        tokenizer = build_tokenizer(unit, source.chunks(), min_count=min_count, max_size=max_size)
    with new_entry(folder) as aside:
        tokenizer.save(aside)
    return tokenizer


def open_tokens(
    source: TextSource, tokenizer: Tokenizer, documents: Documents = "none", *, backward: bool = False
) -> TokenFile:
    """Return the tokens of a text from the cache, or encode the text in chunks and cache them.

    With `backward` the tokens of each line are reversed; its end symbol stays at the end.

    Raises: DataError if the text cannot be read or has no symbols; StorageError if the disk is full.
    """
    fingerprint = digest(
        source.fingerprint, tokenizer.fingerprint, documents, *(["backward"] if backward else [])
    )
    folder = cache_folder() / "tokens" / fingerprint
    known = _open(folder, fingerprint, from_cache=True)
    if known is not None:
        return known
    chunks = tokenizer.encode_chunks(source.chunks(), documents)
    if backward:
        chunks = lines_backward(chunks, tokenizer.end_id)
    with _naming(source):
        _encode(folder, chunks, tokenizer.vocabulary_size, fingerprint, source)
    made = _open(folder, fingerprint, from_cache=False)
    if made is None:
        raise DataError(f"{folder}: changed while it was being read; try again.")
    return made


def _encode(
    folder: Path, chunks: Iterator[EncodedChunk], vocabulary_size: int, fingerprint: str, source: TextSource
) -> None:
    """Write the token file chunk by chunk; it appears only once it is complete."""
    kind = np.dtype(np.uint16 if vocabulary_size <= 1 << 16 else np.uint32)
    total, starts = 0, 0
    with new_entry(folder) as aside:
        with (aside / _TOKENS).open("wb") as tokens, (aside / _DOCUMENTS).open("wb") as places:
            for chunk in chunks:
                tokens.write(chunk.ids.astype(kind).tobytes())
                places.write((chunk.document_starts.astype(np.int64) + total).tobytes())
                total += len(chunk.ids)
                starts += len(chunk.document_starts)
        if not total:
            raise DataError(f"{source.path}: contains no symbols; give a file with text.")
        about = {"fingerprint": fingerprint, "dtype": kind.name, "tokens": total, "documents": starts}
        (aside / _ABOUT).write_text(json.dumps(about), encoding="utf-8")


def _open(folder: Path, fingerprint: str, *, from_cache: bool) -> TokenFile | None:
    """Open the token file in `folder`; None if it is missing or damaged."""
    if fault_in(folder, (_TOKENS, _DOCUMENTS, _ABOUT)) is not None:
        return None
    try:
        about = parsed_json((folder / _ABOUT).read_text(encoding="utf-8"))
        kind = np.dtype(about["dtype"])
        sizes = (about["tokens"] * kind.itemsize, about["documents"] * 8)
        found = tuple((folder / name).stat().st_size for name in (_TOKENS, _DOCUMENTS))
        if about["fingerprint"] != fingerprint or sizes != found:
            return None
        ids = np.memmap(folder / _TOKENS, dtype=kind, mode="r")
        starts = np.fromfile(folder / _DOCUMENTS, dtype=np.int64)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return TokenFile(ids, starts, fingerprint, from_cache)
