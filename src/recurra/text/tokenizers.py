"""Tokenizers that split text into characters, words or subwords.

All have the same interface and read text in chunks: `count` or `learn` builds a tokenizer, `encode_chunks`
returns ids with the starts of documents, `decode` returns text.
"""

import codecs
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer as SubwordModel
from tokenizers import decoders, models, pre_tokenizers, trainers

from recurra.errors import VocabularyError
from recurra.files import write_text
from recurra.text.byte_pieces import bytes_of, lines_to_learn_from
from recurra.text.sentences import checked_line, words_of_line
from recurra.text.vocabulary import EOS, UNK, Vocabulary
from recurra.text.words import composed
from recurra.text_files import lines_of

Ids = npt.NDArray[np.int64]
Documents = Literal["none", "line", "blank"]
DEFAULT_SUBWORDS = 8000


class EncodedChunk(NamedTuple):
    """Ids of a piece of text, and the positions in it (from 0) where documents begin."""

    ids: Ids
    document_starts: Ids


class Tokenizer(ABC):
    """Converts text to ids and back.

    `start_id` is the symbol that the model reads before a text begins: `<eos>` for words, the newline for
    characters and subwords. `end_id` is the symbol that ends a line, or None. `unk_id` stands for all unknown
    symbols; None if every text can be encoded.
    """

    unit: ClassVar[str]
    vocabulary: Vocabulary
    start_id: int
    end_id: int | None
    unk_id: int | None

    @abstractmethod
    def encode_line(self, line: str) -> list[int]:
        """Encode one line, without its line end."""

    def pieces(self, line: str) -> list[str]:
        """Return the text of each symbol of a line, also of unknown ones."""
        return [self.decode([id_]) for id_ in self.encode_line(line)]

    @abstractmethod
    def decode(self, ids: Iterable[int], others: Sequence[str] = ()) -> str:
        """Decode ids to text; the id V + i, with V the vocabulary size, stands for `others[i]`."""

    @abstractmethod
    def encode_chunks(self, chunks: Iterable[str], documents: Documents = "none") -> Iterator[EncodedChunk]:
        """Encode a text given in chunks, line ends included."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write `vocabulary.json`, or `tokenizer.json` for subwords, into `folder`."""

    @abstractmethod
    def stream(self, ids: Iterable[int], others: Sequence[str] = ()) -> Iterator[str]:
        """Decode ids as they arrive; an incomplete character is held back until it is complete."""

    def begins_document(self, ids: Sequence[int], documents: Documents) -> bool:
        """Whether the next symbol begins a document: after a line end ("line") or a blank line ("blank")."""
        if documents == "none" or self.end_id is None:
            return False
        return list(ids[-1:] if documents == "line" else ids[-2:]) in ([self.end_id], [self.end_id] * 2)

    @property
    def fingerprint(self) -> str:
        """Digest that changes whenever an encoding changes."""
        return f"{self.unit}:{self.vocabulary.fingerprint}"

    @property
    def symbols_fingerprint(self) -> str:
        """Digest that is equal for tokenizers that split all texts into the same symbols (ids may differ)."""
        return f"{self.unit}:{Vocabulary(sorted(self.vocabulary.symbols)).fingerprint}"

    @property
    def vocabulary_size(self) -> int:
        """V, the number of symbols."""
        return len(self.vocabulary)


class CharTokenizer(Tokenizer):
    """Every character is a symbol, including the newline; `<unk>` stands for unseen characters."""

    unit = "char"

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        unk = vocabulary.unk_id
        if unk is None:
            raise VocabularyError("a character vocabulary needs <unk>; add it.")
        self.unk_id: int = unk
        self.end_id = vocabulary.ids.get("\n")
        self.start_id = unk if self.end_id is None else self.end_id
        self._codes = {ord(symbol): id_ for symbol, id_ in vocabulary.ids.items() if len(symbol) == 1}
        table = np.full(max(self._codes, default=0) + 2, unk, dtype=np.int64)
        for code, id_ in self._codes.items():
            table[code] = id_
        self._table = table

    @classmethod
    def count(
        cls, chunks: Iterable[str], *, min_count: int = 1, max_size: int | None = None
    ) -> "CharTokenizer":
        """Build a tokenizer from the characters of a text."""
        counts: Counter[str] = Counter()
        for chunk in chunks:
            counts.update(chunk)
        # A line end ends a text, however rare it is.
        special = (UNK, "\n") if "\n" in counts else (UNK,)
        return cls(Vocabulary.from_counts(counts, min_count=min_count, max_size=max_size, special=special))

    def _lookup(self, codes: npt.NDArray[np.uint32]) -> Ids:
        return self._table[np.minimum(codes, len(self._table) - 1)]

    def encode_line(self, line: str) -> list[int]:
        ids: list[int] = self._lookup(_code_points(line)).tolist()
        return ids

    def pieces(self, line: str) -> list[str]:
        return list(line)

    def decode(self, ids: Iterable[int], others: Sequence[str] = ()) -> str:
        return "".join(self.stream(ids, others))

    def stream(self, ids: Iterable[int], others: Sequence[str] = ()) -> Iterator[str]:
        symbols = (*self.vocabulary.symbols, *others) if others else self.vocabulary.symbols
        return (symbols[id_] for id_ in ids)

    def encode_chunks(self, chunks: Iterable[str], documents: Documents = "none") -> Iterator[EncodedChunk]:
        before = np.array([10, 10], dtype=np.uint32)  # as if a blank line preceded the text
        for chunk in chunks:
            codes = _code_points(chunk)
            around = np.concatenate([before, codes])
            newline = around == 10
            if documents == "line":
                starts = newline[1:-1]
            elif documents == "blank":
                starts = newline[:-2] & newline[1:-1] & ~newline[2:]
            else:
                starts = np.zeros(len(codes), dtype=bool)
            before = around[-2:]
            yield EncodedChunk(self._lookup(codes), np.flatnonzero(starts))

    def save(self, folder: Path) -> None:
        self.vocabulary.save(folder / "vocabulary.json", self.unit)


class WordTokenizer(Tokenizer):
    """Words are separated by blanks; each line is a sentence and ends with `<eos>`.

    Words are counted in Unicode normalisation form C, and looked up as they are written or in this form. A
    text may write `<eos>` at the end of a line, but not before other words; in a single line it is unknown.
    """

    unit = "word"

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        unk, eos = vocabulary.unk_id, vocabulary.eos_id
        if unk is None or eos is None:
            raise VocabularyError("a word vocabulary needs <unk> and <eos>; add them.")
        self.unk_id: int = unk
        self.start_id = eos
        self.end_id: int = eos
        # The words of other programs, as in ARPA files, may have other forms.
        forms = {composed(symbol): vocabulary.ids[symbol] for symbol in reversed(vocabulary.symbols)}
        self._ids = {**forms, **vocabulary.ids, EOS: unk}

    @classmethod
    def count(
        cls, chunks: Iterable[str], *, min_count: int = 1, max_size: int | None = None
    ) -> "WordTokenizer":
        """Build a tokenizer from the words of a text.

        Raises: EndWithinLine for a line with words after `<eos>`.
        """
        counts: Counter[str] = Counter()
        for line in lines_of(chunks):
            counts.update(words_of_line(composed(checked_line(line))))
            counts[EOS] += 1
        special = (UNK, EOS)
        return cls(Vocabulary.from_counts(counts, min_count=min_count, max_size=max_size, special=special))

    def encode_line(self, line: str) -> list[int]:
        ids, unk, words = self._ids, self.unk_id, words_of_line(line)
        found = [ids.get(word, unk) for word in words]
        return list(map(self.id_of, words)) if unk in found and not line.isascii() else found

    def id_of(self, word: str) -> int:
        """Return the id of a word of a line; `<eos>` is no word, so it is unknown."""
        return self._ids.get(word, self._ids.get(composed(word), self.unk_id))

    def pieces(self, line: str) -> list[str]:
        return words_of_line(line)

    def decode(self, ids: Iterable[int], others: Sequence[str] = ()) -> str:
        symbols = (*self.vocabulary.symbols, *others) if others else self.vocabulary.symbols
        words = ("\n" if id_ == self.end_id else symbols[id_] for id_ in ids)
        return " ".join(words).replace(" \n ", "\n").replace(" \n", "\n").replace("\n ", "\n")

    def stream(self, ids: Iterable[int], others: Sequence[str] = ()) -> Iterator[str]:
        symbols = (*self.vocabulary.symbols, *others) if others else self.vocabulary.symbols
        between = ""
        for id_ in ids:
            if id_ == self.end_id:
                yield "\n"
                between = ""
            else:
                yield between + symbols[id_]
                between = " "

    def encode_chunks(self, chunks: Iterable[str], documents: Documents = "none") -> Iterator[EncodedChunk]:
        yield from _encode_lines(self, map(checked_line, lines_of(chunks)), documents)

    def save(self, folder: Path) -> None:
        self.vocabulary.save(folder / "vocabulary.json", self.unit)


class SubwordTokenizer(Tokenizer):
    """Byte-pair encoding over bytes: every text can be encoded, so no symbol is unknown.

    Source: Sennrich et al. 2016; over bytes, Radford et al. 2019. Computed by the `tokenizers` library.
    """

    unit = "subword"

    def __init__(self, model: SubwordModel) -> None:
        self.model = model
        known = model.get_vocab()
        self.vocabulary = Vocabulary(sorted(known, key=known.__getitem__))
        newline = model.encode("\n").ids
        if len(newline) != 1:
            raise VocabularyError("the subword vocabulary lacks the newline; build it with this package.")
        self.start_id = newline[0]
        self.end_id: int = newline[0]
        self.unk_id = None

    @classmethod
    def learn(
        cls, chunks: Iterable[str], *, min_count: int = 1, max_size: int | None = None
    ) -> "SubwordTokenizer":
        """Build a tokenizer by learning merges from a text.

        Raises: VocabularyError for a `max_size` below the 256 bytes, which are always there.
        """
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        if max_size is not None and max_size < len(alphabet):
            raise VocabularyError(
                f"max_vocabulary_size: got {max_size}, expected >= {len(alphabet)} (the bytes) for subwords."
            )
        model = SubwordModel(models.BPE())
        model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        model.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=max_size or DEFAULT_SUBWORDS,
            min_frequency=max(2, min_count),
            initial_alphabet=alphabet,
            special_tokens=[],
            show_progress=False,
        )
        model.train_from_iterator(lines_to_learn_from(lines_of(chunks)), trainer)
        return cls(model)

    @property
    def symbols_fingerprint(self) -> str:
        return self.fingerprint  # how a text is split depends on the order of the merges

    def encode_line(self, line: str) -> list[int]:
        ids: list[int] = self.model.encode(line).ids
        return ids

    def decode(self, ids: Iterable[int], others: Sequence[str] = ()) -> str:
        text: str = self.model.decode(list(ids))  # no id is above the vocabulary: no symbol is unknown
        return text

    def stream(self, ids: Iterable[int], others: Sequence[str] = ()) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for id_ in ids:
            if text := decoder.decode(bytes_of(self.vocabulary.symbols[id_])):
                yield text

    def encode_chunks(self, chunks: Iterable[str], documents: Documents = "none") -> Iterator[EncodedChunk]:
        yield from _encode_lines(self, lines_of(chunks), documents)

    def save(self, folder: Path) -> None:
        write_text(folder / "tokenizer.json", self.model.to_str())

    @classmethod
    def load(cls, path: Path) -> "SubwordTokenizer":
        """Load the tokenizer that `save` wrote."""
        try:
            return cls(SubwordModel.from_str(path.read_text(encoding="utf-8")))
        except VocabularyError:
            raise
        except Exception as error:  # the library raises plain Exception
            raise VocabularyError(
                f"{path}: is missing or is not a tokenizer file; copy it from the run it came with."
            ) from error


def build_tokenizer(
    unit: str, chunks: Iterable[str], *, min_count: int = 1, max_size: int | None = None
) -> Tokenizer:
    """Build a tokenizer of the given unit (`char`, `word` or `subword`) from a text."""
    build = {"char": CharTokenizer.count, "word": WordTokenizer.count, "subword": SubwordTokenizer.learn}
    return build[unit](chunks, min_count=min_count, max_size=max_size)


def load_tokenizer(folder: Path) -> Tokenizer:
    """Load the tokenizer that was saved to `folder`.

    Raises: VocabularyError if there is none or it is damaged.
    """
    if (folder / "tokenizer.json").exists():
        return SubwordTokenizer.load(folder / "tokenizer.json")
    vocabulary, unit = Vocabulary.load(folder / "vocabulary.json")
    if unit not in ("char", "word"):
        raise VocabularyError(f"{folder / 'vocabulary.json'}: unit {unit!r}, expected char or word.")
    return tokenizer_of(unit, vocabulary)


def tokenizer_of(unit: str, vocabulary: Vocabulary) -> Tokenizer:
    """Return the tokenizer for a vocabulary of characters (`char`) or words (`word`).

    Raises: VocabularyError if the vocabulary lacks a symbol that the tokenizer needs.
    """
    return WordTokenizer(vocabulary) if unit == "word" else CharTokenizer(vocabulary)


def lines_backward(chunks: Iterable[EncodedChunk], end_id: int | None) -> Iterator[EncodedChunk]:
    """Reverse the ids of each line; its end id stays at the end.

    A text without line ends is one line. Documents begin at the same positions as before.
    """
    held, held_starts = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)  # of an incomplete line
    for chunk in chunks:
        starts = np.concatenate([held_starts, chunk.document_starts + len(held)])
        held = np.concatenate([held, chunk.ids])
        ends = np.flatnonzero(held == end_id) if end_id is not None else held[:0]
        cut = int(ends[-1]) + 1 if len(ends) else 0
        if cut:
            yield EncodedChunk(_lines_reversed(held[:cut], ends), starts[starts < cut])
        held, held_starts = held[cut:], starts[starts >= cut] - cut
    if len(held):
        yield EncodedChunk(held[::-1].copy(), held_starts)


def _lines_reversed(ids: Ids, ends: Ids) -> Ids:
    """Reverse each line except its end: the token at p comes from begin + (end - 1 - p)."""
    places = np.arange(len(ids))
    line = np.searchsorted(ends, places)
    begins = np.concatenate([[0], ends[:-1] + 1])
    sources = np.where(places == ends[line], places, begins[line] + ends[line] - 1 - places)
    result: Ids = ids[sources]
    return result


def _code_points(text: str) -> npt.NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def _encode_lines(
    tokenizer: WordTokenizer | SubwordTokenizer, lines: Iterable[str], documents: Documents
) -> Iterator[EncodedChunk]:
    """Encode lines, with `end_id` after each, in chunks of 20,000 lines."""
    ids: list[int] = []
    starts: list[int] = []
    after_blank = True
    for number, line in enumerate(lines, start=1):
        line_ids = tokenizer.encode_line(line)
        blank = not line_ids or not line.strip()
        if documents == "line" or (documents == "blank" and after_blank and not blank):
            starts.append(len(ids))
        after_blank = blank
        ids.extend(line_ids)
        ids.append(tokenizer.end_id)
        if number % 20_000 == 0:
            yield EncodedChunk(np.array(ids, dtype=np.int64), np.array(starts, dtype=np.int64))
            ids, starts = [], []
    if ids:
        yield EncodedChunk(np.array(ids, dtype=np.int64), np.array(starts, dtype=np.int64))
