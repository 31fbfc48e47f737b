"""Predictive typing: the most probable continuations after each key."""

import math
import re
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from recurra.decoding import complete
from recurra.errors import ConfigError
from recurra.layers import rows_of_state
from recurra.remember import Remembered
from recurra.text.words import is_in_word

if TYPE_CHECKING:
    from recurra.tasks.language_modeling.facade import LanguageModel

_WORD_PART = "'\u2019-_"
_WORD_BEGUN = re.compile(r" ?\S*\Z")
_LONGEST_WORD = 24  # symbols


class Completer:
    """Computes the completions of one model; see `LanguageModel.complete`.

    It caches the state after the last text, so that each key costs only one step and the search.
    """

    def __init__(self, model: "LanguageModel") -> None:
        self._model = model
        self._tokenizer = model.tokenizer
        self._read: list[int] = []  # the ids that lead to the state below
        self._state: Any = None
        self._spelt_by = Remembered(self._spells, size=256)

    def complete(self, text: str, *, n_best: int, length: int | None) -> list[tuple[str, float]]:
        """Return the `n_best` most probable endings of a text."""
        if n_best < 1 or (length is not None and length < 1):
            raise ConfigError(f"n_best and length: got {n_best} and {length}, expected >= 1.")
        if self._model.reads_backward:
            raise ConfigError("complete: the model reads backward; use a forward model.")
        typed = self._begun(text)
        endings: dict[str, float] = {}
        for ids, probability in self._endings(
            self._model.prime_ids(text.removesuffix(typed)), 2 * n_best if typed else n_best, length, typed
        ):  # spellings of the same ending are added up
            ending = self._tokenizer.decode(ids)[len(typed) :]
            endings[ending] = endings.get(ending, 0.0) + probability
        ordered = sorted(endings.items(), key=lambda item: (-item[1], item[0]))
        return [(ending, probability) for ending, probability in ordered if ending][:n_best]

    def next_words(self, text: str, count: int) -> dict[str, float]:
        """Return the most probable whole words next to a text, with log P."""
        tokenizer = self._tokenizer
        ids = self._model.prime_ids(text)
        if tokenizer.unit == "word":
            return self._likeliest(ids, ~(self._ends | self._forbidden), count)
        if self._model.reads_backward and tokenizer.unit == "subword":
            # Read backward, a word ends with the subword that begins with a blank; use whole words only.
            return self._likeliest(ids, self._whole_words, count)
        direction, typed = -1 if self._model.reads_backward else 1, self._begun(text)
        if typed:
            ids = self._model.prime_ids(text.removesuffix(typed))
        words: dict[str, float] = {}
        for ending, probability in self._endings(ids, count, None, typed):
            word = tokenizer.decode(ending[::direction])[len(typed) :].strip()
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
        self, ids: list[int], n_best: int, length: int | None, typed: str
    ) -> list[tuple[tuple[int, ...], float]]:
        rest, state = self._after(ids)
        usual = 1 if self._tokenizer.unit == "word" else _LONGEST_WORD
        found = complete(
            self._model.step,
            rest,
            n_best=n_best,
            max_length=(length or usual) + len(typed.strip()),
            ends=self._ends & ~self._forbidden,
            forbidden=self._forbidden,
            allowed=self._spelling(typed) if typed else None,
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

    @cached_property
    def _pieces(self) -> list[str]:
        return [self._tokenizer.decode([id_]) for id_ in range(self._tokenizer.vocabulary_size)]

    @cached_property
    def _ends(self) -> Tensor:
        """Mask of the symbols that end a completion."""
        if self._tokenizer.unit == "word":
            return self._mask(lambda piece: piece == "\n")
        return self._mask(lambda piece: not (is_in_word(piece[:1]) or piece[:1] in _WORD_PART))

    @cached_property
    def _whole_words(self) -> Tensor:
        """Mask of the subwords that are a blank followed by letters."""
        return self._mask(lambda piece: piece[:1] == " " and piece[1:2].isalnum())

    @cached_property
    def _forbidden(self) -> Tensor:
        """Mask of the symbols that are never proposed: `<unk>`."""
        unk = self._tokenizer.vocabulary.unk_id
        return torch.arange(self._tokenizer.vocabulary_size) == (-1 if unk is None else unk)

    def _mask(self, belongs: Callable[[str], bool]) -> Tensor:
        return torch.tensor([belongs(piece) for piece in self._pieces])

    def _spells(self, rest: str) -> Tensor:
        return self._mask(lambda piece: bool(piece) and (piece.startswith(rest) or rest.startswith(piece)))

    def _spelling(self, typed: str) -> Callable[[tuple[int, ...]], Tensor | None]:
        """Return a function for the symbols that continue to spell `typed`; None once it is complete."""

        def allowed(ids: tuple[int, ...]) -> Tensor | None:
            rest = typed[len(self._tokenizer.decode(ids)) :]
            return self._spelt_by(rest) if rest else None

        return allowed
