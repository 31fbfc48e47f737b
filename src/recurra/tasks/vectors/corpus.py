"""From text files to a vocabulary with counts and files of word ids."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from recurra.data import TextSource
from recurra.data.cache import remembered
from recurra.data.sources import split_texts
from recurra.data.word_files import WordFile, WordReading, count_words, find_phrases, open_words
from recurra.errors import DataError, VocabularyError
from recurra.files import write_text
from recurra.plain import counted, json_text, parsed_json
from recurra.tasks.task import Join, unchanged
from recurra.tasks.vectors.config import VectorsConfig
from recurra.text import Vocabulary
from recurra.text.words import Split

_WORDS = "words.json"


@dataclass(frozen=True)
class WordSymbols:
    """The words of a model, the most frequent first, their counts in the training text, and how text is read.

    Shapes: counts (V,).
    """

    vocabulary: Vocabulary
    counts: NDArray[np.int64]
    reading: WordReading
    # Counts the words of the same text again, with another reading; only while the text is being read.
    recount: "Callable[[WordReading], WordSymbols] | None" = field(default=None, compare=False, repr=False)

    @property
    def words(self) -> tuple[str, ...]:
        """The words, the most frequent first."""
        return self.vocabulary.symbols

    def save(self, folder: Path) -> None:
        """Write words.json."""
        content = {
            "words": self.words,
            "counts": self.counts.tolist(),
            "split": self.reading.split,
            "lowercase": self.reading.lowercase,
            "phrases": [sorted(pairs) for pairs in self.reading.phrases],
        }
        write_text(folder / _WORDS, json_text(content, indent=0) + "\n")

    @classmethod
    def load(cls, folder: Path) -> "WordSymbols":
        """Load what `save` wrote. Raises: VocabularyError if it is missing or damaged."""
        path = folder / _WORDS
        try:
            content = parsed_json(path.read_text(encoding="utf-8"))
            phrases = tuple(frozenset((str(a), str(b)) for a, b in pairs) for pairs in content["phrases"])
            reading = WordReading(content["split"], bool(content["lowercase"]), phrases)
            counts = np.array(content["counts"], np.int64)
            vocabulary = Vocabulary([str(word) for word in content["words"]])
            if counts.shape != (len(vocabulary),) or reading.split not in get_args(Split):
                raise KeyError("counts")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise VocabularyError(
                f"{path}: is missing or damaged; copy it from the run it came with."
            ) from error
        return cls(vocabulary, counts, reading)


@dataclass(frozen=True)
class WordText:
    """One text as ids of known words."""

    source: TextSource
    words: WordFile

    @property
    def place(self) -> str:
        """The part of the file, if it is not the whole."""
        if self.source.start:
            return " in its last part"
        return "" if self.source.stop is None else " in its first part"


@dataclass(frozen=True)
class WordCorpus:
    """The training, validation and test text of word vectors."""

    symbols: WordSymbols
    train: WordText
    valid: WordText
    test: WordText | None = None

    def facts(self) -> dict[str, Any]:
        """Return what run.toml stores, to find the texts again and to detect changes."""
        texts = {"train": self.train, "valid": self.valid, "test": self.test}
        return {
            name: {
                "path": str(text.source.path),
                "start": text.source.start,
                "stop": text.source.stop,
                "fingerprint": text.source.fingerprint,
                "words": text.words.words,
                "known_words": len(text.words),
            }
            for name, text in texts.items()
            if text is not None
        } | {"vocabulary_size": len(self.symbols.vocabulary)}

    def split(self) -> Mapping[str, Sequence[int]]:
        """Return nothing: parts are character ranges of a file, which `facts` contains."""
        return {}


def read_corpus(config: VectorsConfig, join: Join = unchanged) -> WordCorpus:
    """Read and split the texts that a configuration names; the vocabulary is that of the training text.

    `join` joins it to that of the run to start from.

    Raises: DataError if a file cannot be used; VocabularyError if no word is frequent enough.
    """
    texts = split_texts(config, at_line_end=True)
    symbols = join(learn_words(texts.train, config))
    return WordCorpus(
        symbols,
        read_text(texts.train, symbols, config),
        read_text(texts.valid, symbols, config),
        None if texts.test is None else read_text(texts.test, symbols, config),
    )


def learn_words(source: TextSource, config: VectorsConfig, reading: WordReading | None = None) -> WordSymbols:
    """Find the phrases and count the words of a text; both are cached. With a `reading`, use its phrases.

    A run that starts from another one needs the counts of all words, as rare ones may be known there.

    Raises: DataError if the text cannot be read; VocabularyError if no word is frequent enough.
    """
    if reading is None:
        reading = _reading_of(source, config)
    min_count = config.min_count if config.from_run is None else 1
    counts = remembered(
        "word-counts",
        source.fingerprint,
        reading.fingerprint,
        min_count,
        config.max_sentence_length,
        compute=partial(_frequent, source, reading, config.max_sentence_length, min_count),
    )
    if not counts:
        raise VocabularyError(
            f"{source.path}: has no word that occurs {counted(min_count, 'time')}"
            + ("; lower --min-count." if min_count > 1 else "; give a text with words.")
        )
    whole = config.from_run is not None
    vocabulary = Vocabulary.from_counts(counts, max_size=None if whole else config.max_vocabulary_size)
    if len(vocabulary) < 2 and not whole:
        raise DataError(
            f"{source.path}: has one word only that occurs {counted(min_count, 'time')}, but vectors need at "
            "least two; lower --min-count, or give more text."
        )
    numbers = np.array([counts[word] for word in vocabulary.symbols], np.int64)
    return WordSymbols(vocabulary, numbers, reading, partial(learn_words, source, config))


def _frequent(source: TextSource, reading: WordReading, longest: int, min_count: int) -> dict[str, int]:
    counts = count_words(source, reading, longest)
    return {word: count for word, count in counts.items() if count >= min_count}


def _reading_of(source: TextSource, config: VectorsConfig) -> WordReading:
    """Return how the text is read, with the phrases found in it; each pass joins those of the one before."""
    reading = WordReading(config.split, config.lowercase)
    longest = config.max_sentence_length
    how = {"min_count": config.phrase_min_count, "threshold": config.phrase_threshold}
    for _ in range(config.phrase_passes):
        pairs = remembered(
            "phrases",
            source.fingerprint,
            reading.fingerprint,
            longest,
            *how.values(),
            compute=partial(_phrases, source, reading, longest, how),
        )
        if not pairs:
            break
        found = frozenset((first, second) for first, second in pairs)
        reading = WordReading(reading.split, reading.lowercase, (*reading.phrases, found))
    return reading


def _phrases(
    source: TextSource, reading: WordReading, longest: int, how: Mapping[str, Any]
) -> list[list[str]]:
    return sorted(list(pair) for pair in find_phrases(source, reading, longest, **how))


def read_text(source: TextSource, symbols: WordSymbols, config: VectorsConfig) -> WordText:
    """Return the known words of a text, from the cache if it was read before."""
    vocabulary = symbols.vocabulary
    words = open_words(
        source, symbols.reading, vocabulary.ids, vocabulary.fingerprint, config.max_sentence_length
    )
    return WordText(source, words)


@lru_cache(maxsize=4)
def shuffled(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return the order of the parts of a text in an epoch. Shapes: result (count,)."""
    order = np.random.default_rng((seed, epoch)).permutation(count)
    order.setflags(write=False)
    return order


def nothing_to_predict(text: WordText) -> DataError:
    """Return the error for a text without two known words in a line, or with too short lines."""
    return DataError(
        f"{text.source.path}: has no line with enough known words for a prediction{text.place}; give more "
        "text."
    )
