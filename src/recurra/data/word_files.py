"""Sentences as ids of known words, in memory-mapped files, for the training of word vectors."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise, repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recurra.data.cache import cache_folder, digest, new_entry
from recurra.data.sources import TextSource
from recurra.errors import DataError
from recurra.files import fault_in
from recurra.plain import parsed_json
from recurra.text.words import Split, composed, plain_words

_TOKENS, _STARTS, _ABOUT = "tokens.bin", "starts.bin", "about.json"
# The end of a sentence: no word, as a text with zero bytes is refused.
_END = "\0"
_UNKNOWN, _ENDS = -1, -2
Pair = tuple[str, str]


@dataclass(frozen=True)
class WordReading:
    """How a line becomes words: split, put into lower case, and joined to phrases.

    `phrases` has one set of pairs for each pass; a pair is joined by an underscore, from left to right.
    """

    split: Split = "blanks"
    lowercase: bool = False
    phrases: tuple[frozenset[Pair], ...] = ()

    def words(self, line: str) -> list[str]:
        """Return the words of a line, in Unicode normalisation form C."""
        return self.joined(self.split_words(self.prepared(line)))

    def prepared(self, text: str) -> str:
        """Return a text in lower case, if asked for, and in form C."""
        return composed(text.lower() if self.lowercase else text)

    def split_words(self, text: str) -> list[str]:
        """Return the words of a prepared text, of which none are joined."""
        return text.split() if self.split == "blanks" else plain_words(text, self.split)

    def joined(self, words: list[str]) -> list[str]:
        """Return words joined to phrases."""
        for pairs in self.phrases:
            words = _joined(words, pairs)
        return words

    @property
    def fingerprint(self) -> str:
        """Digest that changes with any of the options and phrases."""
        return digest(self.split, self.lowercase, *(sorted(pairs) for pairs in self.phrases))


def _joined(words: Sequence[str], pairs: frozenset[Pair]) -> list[str]:
    found: list[str] = []
    at = 0
    while at < len(words):
        if at + 1 < len(words) and (words[at], words[at + 1]) in pairs:
            found.append(f"{words[at]}_{words[at + 1]}")
            at += 2
        else:
            found.append(words[at])
            at += 1
    return found


def count_words(source: TextSource, reading: WordReading, longest: int) -> Counter[str]:
    """Count the words of a text. Lines of more than `longest` words are cut.

    Raises: DataError if it cannot be read.
    """
    counts: Counter[str] = Counter()
    for words in _blocks(source, reading, longest):
        counts.update(words)
    del counts[_END]
    return counts


def find_phrases(
    source: TextSource, reading: WordReading, longest: int, *, min_count: int, threshold: float
) -> frozenset[Pair]:
    """Return the pairs of neighbouring words that occur together more often than their counts suggest.

        (count(a b) - min_count) / (count(a) · count(b)) · words > threshold

    Words that occur less often than `min_count` are in no pair. Source: Mikolov et al. 2013.
    """
    counts = count_words(source, reading, longest)
    known = {word for word, count in counts.items() if count >= min_count}
    together: Counter[Pair] = Counter()
    for words in _blocks(source, reading, longest):
        together.update(pair for pair in pairwise(words) if known.issuperset(pair))
    total = sum(counts[word] for word in known)
    return frozenset(
        (a, b)
        for (a, b), count in together.items()
        if (count - min_count) / (counts[a] * counts[b]) * total > threshold
    )


def _blocks(source: TextSource, reading: WordReading, longest: int) -> Iterator[list[str]]:
    """Yield the words of a text, many lines at once, with `_END` after each sentence.

    A sentence is a line, or `longest` words of a line that has more; a line need not fit into memory.
    """
    held: list[str] = []  # of a word that the next chunk may go on with
    begun: list[str] = []  # words of a line that the next chunk may go on with
    for chunk in chain(source.chunks(), ["\n"]):
        end = max(chunk.rfind("\n"), chunk.rfind(" ")) + 1
        if not end:
            held.append(chunk)
            continue
        *lines, last = reading.prepared("".join((*held, chunk[:end]))).split("\n")
        held = [chunk[end:]]
        words: list[str] = []
        for line in lines:
            _cut(begun + reading.split_words(line), longest, words)
            begun = []
        begun += reading.split_words(last)
        whole = len(begun) // longest * longest
        _cut(begun[:whole], longest, words)
        begun = begun[whole:]
        yield reading.joined(words)


def _cut(words: list[str], longest: int, found: list[str]) -> None:
    """Add words to a list, with `_END` after each sentence."""
    for begin in range(0, len(words), longest):
        found += words[begin : begin + longest]
        found.append(_END)


@dataclass(frozen=True)
class WordFile:
    """The known words of a text on disk, memory-mapped; sentence s is tokens[starts[s]:starts[s + 1]].

    `words` is the number of all words of the text, unknown ones included. Shapes: tokens (N,), starts
    (sentences + 1,).
    """

    tokens: NDArray[np.int32]
    starts: NDArray[np.int64]
    words: int
    fingerprint: str
    from_cache: bool

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def sentences(self) -> int:
        """Number of sentences with at least one known word."""
        return len(self.starts) - 1


def open_words(
    source: TextSource, reading: WordReading, ids: Mapping[str, int], symbols: str, longest: int
) -> WordFile:
    """Return the known words of a text from the cache, or read the text line by line and cache them.

    Unknown words are left out, as if they were not in the text. Lines of more than `longest` words are cut
    into several sentences. `symbols` is a digest of `ids`.

    Raises: DataError if the text cannot be read or has none of the words; StorageError if the disk is full.
    """
    fingerprint = digest(source.fingerprint, reading.fingerprint, symbols, longest)
    folder = cache_folder() / "words" / fingerprint
    known = _open(folder, fingerprint, from_cache=True)
    if known is not None:
        return known
    _write(folder, fingerprint, source, reading, ids, longest)
    made = _open(folder, fingerprint, from_cache=False)
    if made is None:
        raise DataError(f"{folder}: changed while it was being read; try again.")
    return made


def _write(
    folder: Path,
    fingerprint: str,
    source: TextSource,
    reading: WordReading,
    ids: Mapping[str, int],
    longest: int,
) -> None:
    """Write the files block by block; they appear only once they are complete."""
    words = total = 0
    known = {**ids, _END: _ENDS}
    with new_entry(folder) as aside:
        with (aside / _TOKENS).open("wb") as to_tokens, (aside / _STARTS).open("wb") as to_starts:
            to_starts.write(np.zeros(1, np.int64).tobytes())
            for block in _blocks(source, reading, longest):
                found = np.fromiter(map(known.get, block, repeat(_UNKNOWN)), np.int32, len(block))
                tokens = found >= 0
                # The number of known words up to each end, once for each that is not an empty sentence's.
                ends = np.unique(total + np.cumsum(tokens)[found == _ENDS])
                words += len(found) - int((found == _ENDS).sum())
                to_tokens.write(found[tokens].tobytes())
                to_starts.write(ends[ends > total].astype(np.int64).tobytes())
                total += int(tokens.sum())
        if not total:
            raise DataError(
                f"{source.path}: contains none of the words of the vocabulary; give a longer text."
            )
        about = {"fingerprint": fingerprint, "tokens": total, "words": words}
        (aside / _ABOUT).write_text(json.dumps(about), encoding="utf-8")


def _open(folder: Path, fingerprint: str, *, from_cache: bool) -> WordFile | None:
    """Open the files in `folder`; None if they are missing or damaged."""
    if fault_in(folder, (_TOKENS, _STARTS, _ABOUT)) is not None:
        return None
    try:
        about = parsed_json((folder / _ABOUT).read_text(encoding="utf-8"))
        if about["fingerprint"] != fingerprint or about["tokens"] * 4 != (folder / _TOKENS).stat().st_size:
            return None
        tokens = np.memmap(folder / _TOKENS, dtype=np.int32, mode="r")
        starts = np.memmap(folder / _STARTS, dtype=np.int64, mode="r")
        return WordFile(tokens, starts, int(about["words"]), fingerprint, from_cache)
    except (OSError, ValueError, KeyError, TypeError):
        return None
