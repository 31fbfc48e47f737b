"""Sentences as ids of known words, in memory-mapped files, for the training of word vectors."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recurra.data.cache import cache_folder, digest, new_entry
from recurra.data.sources import TextSource
from recurra.errors import DataError
from recurra.files import fault_in
from recurra.plain import parsed_json
from recurra.text.words import Split, composed, plain_words
from recurra.text_files import lines_of

_TOKENS, _STARTS, _ABOUT = "tokens.bin", "starts.bin", "about.json"
_LINES = 20_000  # lines between two writes
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
        found = plain_words(composed(line.lower() if self.lowercase else line), self.split)
        for pairs in self.phrases:
            found = _joined(found, pairs)
        return found

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


def count_words(source: TextSource, reading: WordReading) -> Counter[str]:
    """Count the words of a text. Raises: DataError if it cannot be read."""
    counts: Counter[str] = Counter()
    for line in lines_of(source.chunks()):
        counts.update(reading.words(line))
    return counts


def find_phrases(
    source: TextSource, reading: WordReading, *, min_count: int, threshold: float
) -> frozenset[Pair]:
    """Return the pairs of neighbouring words that occur together more often than their counts suggest.

        (count(a b) - min_count) / (count(a) · count(b)) · words > threshold

    Words that occur less often than `min_count` are in no pair. Source: Mikolov et al. 2013.
    """
    counts = count_words(source, reading)
    known = {word for word, count in counts.items() if count >= min_count}
    together: Counter[Pair] = Counter()
    for line in lines_of(source.chunks()):
        words = reading.words(line)
        together.update(pair for pair in pairwise(words) if known.issuperset(pair))
    total = sum(counts[word] for word in known)
    return frozenset(
        (a, b)
        for (a, b), count in together.items()
        if (count - min_count) / (counts[a] * counts[b]) * total > threshold
    )


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


def _sentences(source: TextSource, reading: WordReading, longest: int) -> Iterator[list[str]]:
    for line in lines_of(source.chunks()):
        words = reading.words(line)
        for begin in range(0, len(words), longest):
            yield words[begin : begin + longest]


def _write(
    folder: Path,
    fingerprint: str,
    source: TextSource,
    reading: WordReading,
    ids: Mapping[str, int],
    longest: int,
) -> None:
    """Write the files piece by piece; they appear only once they are complete."""
    words = total = 0
    tokens: list[int] = []
    ends: list[int] = []
    with new_entry(folder) as aside:
        with (aside / _TOKENS).open("wb") as to_tokens, (aside / _STARTS).open("wb") as to_starts:
            to_starts.write(np.zeros(1, np.int64).tobytes())

            def flush() -> None:
                to_tokens.write(np.array(tokens, np.int32).tobytes())
                to_starts.write(np.array(ends, np.int64).tobytes())
                tokens.clear()
                ends.clear()

            for sentence in _sentences(source, reading, longest):
                words += len(sentence)
                found = [ids[word] for word in sentence if word in ids]
                if not found:
                    continue
                tokens += found
                total += len(found)
                ends.append(total)
                if len(ends) == _LINES:
                    flush()
            flush()
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
