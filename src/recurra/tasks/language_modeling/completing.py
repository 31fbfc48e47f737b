"""Predictive typing: the most probable continuations after each key."""

import math
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from recurra.decoding import Following, complete
from recurra.errors import ConfigError
from recurra.layers import rows_of_state
from recurra.remember import Remembered
from recurra.text.byte_pieces import bytes_of, split_incomplete
from recurra.text.words import composed, is_in_word

if TYPE_CHECKING:
    from recurra.tasks.language_modeling.text_model import TextModel

_WORD_PART = "'\u2019-_"
_WORD_BEGUN = re.compile(r" ?\S*\Z")
_TYPED = re.compile(r"\S*\Z")
_LONGEST_WORD = 24  # symbols


class Ending(NamedTuple):
    """A continuation of a text, so that text + ending is the continued text, and its probability."""

    ending: str
    probability: float

    def __repr__(self) -> str:
        return f"Ending({self.ending!r}, {self.probability:.4g})"


class Completer:
    """Computes the completions of one model; see `TextModel.complete`.

    It caches the state after the last text, so that each key costs only one step and the search.
    """

    def __init__(self, model: "TextModel") -> None:
        self._model = model
        self._tokenizer = model.tokenizer
        self._read: list[int] = []  # the ids that lead to the state below
        self._state: Any = None
        self._spelt_by = Remembered(self._spells, size=256)
        self._following = Remembered(self._follows, size=256)

    def complete(self, text: str, *, n_best: int, length: int | None) -> list[Ending]:
        """Return the `n_best` most probable endings of a text."""
        if n_best < 1 or (length is not None and length < 1):
            raise ConfigError(f"n_best and length: got {n_best} and {length}, expected >= 1.")
        if self._model.reads_backward:
            raise ConfigError("complete: the model reads backward; use a forward model.")
        by_words = self._tokenizer.unit == "word"
        found = (self._word_endings if by_words else self._spelt_endings)(text, n_best, length)
        endings: dict[str, float] = {}
        for ending, probability in found:  # spellings of the same ending are added up
            endings[ending] = endings.get(ending, 0.0) + probability
        ordered = sorted(endings.items(), key=lambda item: (-item[1], item[0]))
        return [Ending(ending, probability) for ending, probability in ordered if ending][:n_best]

    def _spelt_endings(self, text: str, n_best: int, length: int | None) -> Iterator[tuple[str, float]]:
        """Yield endings of characters or subwords."""
        typed = self._begun(text)
        ids = self._model.prime_ids(text.removesuffix(typed))
        for found, probability in self._endings(ids, 2 * n_best if self._bytes else n_best, length, typed):
            yield self._ending_of(found, typed), probability

    def _word_endings(self, text: str, n_best: int, length: int | None) -> Iterator[tuple[str, float]]:
        """Yield endings of whole words. Probabilities are normalised over the words that begin as typed.

        A typed text that is itself a word may also be complete, so that the next words follow it.
        """
        rest = _TYPED.sub("", text)
        typed = composed(text[len(rest) :])
        before = self._model.prime_ids(rest)
        if not typed:
            for ids, probability in self._endings(before, n_best, length):
                yield self._tokenizer.decode(ids), probability
            return
        first = self._begun_by(typed)
        probs = self._next_log_probs(before).exp()
        total = float(probs[first].sum())
        whole = self._model.prime_ids(text)
        if total > 0 and first[whole[-1]]:  # the typed text is a word
            share = float(probs[whole[-1]]) / total
            first[whole[-1]] = False
            for ids, probability in self._endings(whole, n_best, length) if share else ():
                yield f" {self._tokenizer.decode(ids)}", share * probability
        share = float(probs[first].sum()) / total if total > 0 else 0.0
        for ids, probability in self._endings(before, n_best, length, first=first) if share else ():
            yield composed(self._tokenizer.decode(ids))[len(typed) :], share * probability

    def _begun_by(self, typed: str) -> Tensor:
        """Return a mask of the words that begin with a text; no symbol that is never proposed or ends."""
        ends, never = self._following(b"")
        words, ids = self._in_order
        first = torch.zeros_like(ends)
        at = bisect_left(words, typed)
        while at < len(words) and words[at].startswith(typed):
            first[ids[at]] = True
            at += 1
        return first & ~(ends | never)

    @cached_property
    def _in_order(self) -> tuple[list[str], list[int]]:
        """The words of the vocabulary in order, and their ids."""
        symbols = map(composed, self._tokenizer.vocabulary.symbols)
        pairs = sorted((word, id_) for id_, word in enumerate(symbols))
        return [word for word, _ in pairs], [id_ for _, id_ in pairs]

    def next_words(self, text: str, count: int) -> dict[str, float]:
        """Return the most probable whole words next to a text, with log P."""
        tokenizer = self._tokenizer
        ids = self._model.prime_ids(text)
        if tokenizer.unit == "word":
            ends, never = self._following(b"")
            return self._likeliest(ids, ~(ends | never), count)
        if self._model.reads_backward and tokenizer.unit == "subword":
            # Read backward, a word ends with the subword that begins with a blank; use whole words only.
            return self._likeliest(ids, self._whole_words, count)
        direction, typed = -1 if self._model.reads_backward else 1, self._begun(text)
        if typed:
            ids = self._model.prime_ids(text.removesuffix(typed))
        words: dict[str, float] = {}
        for ending, probability in self._endings(ids, count, None, typed):
            word = self._ending_of(ending[::direction], typed).strip()
            if word and not any(map(str.isspace, word)):
                words[word] = words.get(word, 0.0) + probability
        return {word: math.log(p) for word, p in words.items() if p > 0}

    def _likeliest(self, ids: list[int], words: Tensor, count: int) -> dict[str, float]:
        """Return the most probable next symbols among `words`, with log P."""
        log_probs = self._next_log_probs(ids).masked_fill(~words, -torch.inf)
        found = log_probs.topk(min(count, int(log_probs.isfinite().sum())))
        pairs = zip(found.indices.tolist(), found.values.tolist(), strict=True)
        return {self._pieces[id_].strip(): log_p for id_, log_p in pairs}

    def _begun(self, text: str) -> str:
        """Return the unfinished word with the blank before it; empty except for forward subword models.

        Subwords must spell it again, because they split a whole word differently from its beginning.
        """
        if self._tokenizer.unit != "subword" or self._model.reads_backward:
            return ""
        return text[len(_WORD_BEGUN.sub("", text)) :]

    def _endings(
        self,
        ids: list[int],
        n_best: int,
        length: int | None,
        typed: str = "",
        first: Tensor | None = None,
    ) -> list[tuple[tuple[int, ...], float]]:
        rest, state = self._after(ids)
        usual = 1 if self._tokenizer.unit == "word" else _LONGEST_WORD
        ends, never = self._following(b"")
        found = complete(
            self._model.step,
            rest,
            n_best=n_best,
            max_length=(length or usual) + len(typed.strip().encode("utf-8", "surrogatepass")),
            ends=ends,
            forbidden=never,
            first=first,
            allowed=self._spelling(typed) if typed else None,
            within=self._within(typed) if self._bytes else None,
            select=rows_of_state,
            state=state,
        )
        return [(one.ids, one.probability) for one in found]

    def _after(self, ids: list[int]) -> tuple[list[int], Any]:
        """Return the last of these symbols, and the state after all symbols before it."""
        known = len(self._read)
        if not (known < len(ids) and ids[:known] == self._read):
            known, self._state = 0, None
        if len(ids) - known > 1:
            with torch.no_grad():
                _, self._state = self._model.step(torch.tensor([ids[known:-1]]), self._state)
        self._read = ids[:-1]
        return ids[-1:], self._state

    def _next_log_probs(self, ids: list[int]) -> Tensor:
        rest, state = self._after(ids)
        with torch.no_grad():
            logits, _ = self._model.step(torch.tensor([rest]), state)
        return logits[0, -1].double().log_softmax(dim=-1)

    def _ending_of(self, ids: Sequence[int], typed: str) -> str:
        """Return the text of an ending after `typed`; of subwords, the part that belongs to the word."""
        if not self._bytes:
            return self._tokenizer.decode(ids)
        return self._split(ids, typed)[0]

    def _split(self, ids: Sequence[int], typed: str) -> tuple[str, str, bytes]:
        """Split the text of some subwords after `typed` into the rest of the word, the characters after the
        word, and the bytes of a character that is not complete."""
        text, begun = split_incomplete(self._bytes[id_] for id_ in ids)
        rest = text[len(typed) :]
        end = next((at for at, one in enumerate(rest) if self._ends_word(one)), len(rest))
        return rest[:end], rest[end:], begun

    @cached_property
    def _pieces(self) -> list[str]:
        return [self._tokenizer.decode([id_]) for id_ in range(self._tokenizer.vocabulary_size)]

    @cached_property
    def _bytes(self) -> list[bytes]:
        """The bytes of each subword, as a subword may begin or end within a character; empty for others."""
        if self._tokenizer.unit != "subword":
            return []
        return [*map(bytes_of, self._tokenizer.vocabulary.symbols)]

    @cached_property
    def _whole_words(self) -> Tensor:
        """Mask of the subwords that are a blank followed by letters."""
        pairs = zip(self._pieces, self._bytes, strict=True)
        return torch.tensor(
            [one[:1] == " " and one[1:2].isalnum() and one.encode() == whole for one, whole in pairs]
        )

    def _follows(self, begun: bytes) -> Following:
        """Return the symbols that end a word, and those that are never proposed: `<unk>`, and subwords that
        do not continue the bytes of a character that is not complete."""
        first = self._first_characters(begun)
        ends = [one is not None and self._ends_word(one) for one in first]
        return Following(torch.tensor(ends), torch.tensor([one is None for one in first]))

    def _first_characters(self, begun: bytes) -> list[str | None]:
        """Return the first character of each symbol after some bytes: empty if it stays incomplete, None if
        the symbol is never proposed."""
        if self._bytes:
            return [_first_character(begun, piece) for piece in self._bytes]
        unk = self._tokenizer.unk_id
        return [None if id_ == unk else piece[:1] for id_, piece in enumerate(self._pieces)]

    def _ends_word(self, character: str) -> bool:
        if self._tokenizer.unit == "word":
            return character == "\n"
        return character != "" and not (is_in_word(character) or character in _WORD_PART)

    def _within(self, typed: str) -> Callable[[tuple[int, ...]], Following | None]:
        """Return a function for what follows symbols that stop within a character, or after the word."""
        every = torch.ones(len(self._bytes), dtype=torch.bool)

        def within(ids: tuple[int, ...]) -> Following | None:
            _, after, begun = self._split(ids, typed)
            if after:
                return Following(every, every)
            return self._following(begun) if begun else None

        return within

    def _spells(self, rest: bytes) -> Tensor:
        return torch.tensor([piece.startswith(rest) or rest.startswith(piece) for piece in self._bytes])

    def _spelling(self, typed: str) -> Callable[[tuple[int, ...]], Tensor | None]:
        """Return a function for the subwords that continue to spell `typed`; None once it is complete."""
        spelt = typed.encode("utf-8", "surrogatepass")

        def allowed(ids: tuple[int, ...]) -> Tensor | None:
            rest = spelt[sum(len(self._bytes[id_]) for id_ in ids) :]
            return self._spelt_by(rest) if rest else None

        return allowed


def _first_character(begun: bytes, piece: bytes) -> str | None:
    """Return the first character of `begun` and a subword: empty if it is incomplete, None if not UTF-8."""
    if begun and not 0x80 <= piece[0] < 0xC0:
        return None
    try:
        return split_incomplete([begun, piece])[0][:1]
    except UnicodeDecodeError:
        return None
