"""A spelling corrector: a noisy channel with a language model for the context.

    corrected = argmax_w  Σ_i log P(typed_i | w_i) + λ log P(w_1 w_2 …)

Known words are also corrected if the context suggests it ("form" for "from"). Without a language model each
word is corrected independently, and P(w) is its relative frequency in a text.
"""

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from recurra.arguments import AtLeastOne, checks_arguments
from recurra.data.misspellings import WORD
from recurra.data.prose import words_of_prose
from recurra.decoding import Alternative, Edits, WordList, best_paths
from recurra.errors import ConfigError, DataError
from recurra.layers import rows_of_state
from recurra.metrics import SpellingFigures, edit_distance
from recurra.models import Speller
from recurra.models.open_vocabulary import speller_of
from recurra.plain import counted
from recurra.remember import Remembered
from recurra.results import Result, shortened
from recurra.tasks.language_modeling.text_model import TextModel
from recurra.text import WordTokenizer
from recurra.text.words import composed

_SHORTEST = 2  # letters; single letters are not corrected
_FALLS_BEHIND = 12.0  # nats by which an alternative may score below the best one, without context


@checks_arguments
@dataclass(frozen=True)
class SpellingOptions:
    """Options of a spelling corrector.

    `max_edits` is the maximum edit distance from an unknown typed word to its correction, `known_edits` the
    maximum distance from a known word; `caution` is the additional cost of changing a known word, in nats;
    `context` is the weight of the language model (λ).
    """

    max_edits: int = 2
    known_edits: int = 1
    caution: float = 2.0
    context: float = 1.0
    candidates: int = 8
    width: int = 8

    def __post_init__(self) -> None:
        if not 1 <= self.max_edits <= 4 or not 0 <= self.known_edits <= self.max_edits:
            raise ConfigError(
                f"spelling: got max_edits {self.max_edits}, known_edits {self.known_edits}, expected 1 <= "
                "max_edits <= 4 and 0 <= known_edits <= max_edits."
            )
        if self.candidates < 1 or self.width < 1 or self.caution < 0 or self.context < 0:
            raise ConfigError("spelling: candidates and width must be >= 1, caution and context >= 0.")


@dataclass(frozen=True)
class Change:
    """One corrected word, and its start position in the line."""

    typed: str
    corrected: str
    start: int


@dataclass(frozen=True, repr=False)
class Correction(Result):
    """A corrected line, and its changes."""

    text: str
    changes: tuple[Change, ...]

    def told(self) -> str:
        """Return the text, and the changed words."""
        changed = ", ".join(f"{one.typed} -> {one.corrected}" for one in self.changes)
        return f"{shortened(self.text)}{': ' if changed else ''}{changed}"

    def to_rows(self, of: str | None = None) -> list[dict[str, Any]]:
        """Return one row per change."""
        self._refuse(of)
        return [asdict(one) for one in self.changes]


class SpellingCorrector:
    """Corrects misspelt words; without a `model`, context is not used.

    `counts` has the number of occurrences of each known word.

    Raises: DataError if there are no words; ConfigError if the model reads backward.
    """

    @checks_arguments
    def __init__(
        self,
        counts: Mapping[str, AtLeastOne],
        model: TextModel | None = None,
        *,
        edits: Edits | None = None,
        options: SpellingOptions | None = None,
    ) -> None:
        if model is not None and model.reads_backward:
            raise ConfigError("spelling: the model reads backward; use a forward model.")
        self._known = len(counts)
        known = {word: n for word, n in counts.items() if len(word) > 1 or word in ("a", "i", "o")}
        if not known:
            raise DataError("spelling: the word list is empty; give a text that contains words.")
        self.words = WordList(known)
        self.model = model
        self.edits = edits or Edits()
        self.options = options or SpellingOptions()
        self.candidates = Remembered(self._candidates, size=1 << 16)
        self._speller: Speller | None = None
        if model is not None and model.tokenizer.unit == "word":
            self._speller = speller_of(model.tokenizer.vocabulary)

    def __repr__(self) -> str:
        context = "no context" if self.model is None else f"context of {self.model!r}"
        return f"SpellingCorrector({counted(self._known, 'word')}, {context})"

    def _candidates(self, typed: str) -> tuple[tuple[str, float, float], ...]:
        """Return the possible corrections of a lower-case word, the most probable first.

        Each is a word, log P(typed | word), and log P of the word alone. The word itself is included if it is
        known.
        """
        options = self.options
        is_known = typed in self.words
        most = options.known_edits if is_known else options.max_edits
        found = []
        for word in self.words.near(typed, most) if most else []:
            if word != typed and edit_distance(word, typed, most) <= most:
                caution = options.caution if is_known else 0.0
                found.append((word, -self.edits.cost(word, typed) - caution, self.words.log_prob(word)))
        if is_known:
            found.append((typed, 0.0, self.words.log_prob(typed)))
        found.sort(key=lambda one: (-one[1] - one[2], one[0]))
        best = found[0][1] + found[0][2] if found else 0.0
        return tuple(one for one in found[: options.candidates] if one[1] + one[2] > best - _FALLS_BEHIND)

    @checks_arguments
    def correct_word(self, typed: str) -> str:
        """Return the most probable correction of a word without context; the word itself if none is near."""
        if _letters(typed) < _SHORTEST:
            return typed
        found = self.candidates(_small(typed))
        return _in_case_of(typed, found[0][0]) if found else typed

    @checks_arguments
    def correct(self, line: str) -> Correction:
        """Correct the words of a line, except for parts of addresses, paths, file names, code and numbers."""
        if "\n" in line:
            raise ConfigError(
                "spelling: got a text of several lines, expected one; correct each line separately."
            )
        found = list(words_of_prose(line))
        if self.model is None:
            chosen = [self.correct_word(one[0]) for one in found]
        else:
            chosen = self._in_context(line, found, self.model)
        parts, changes, at = [], [], 0
        for one, word in zip(found, chosen, strict=True):
            parts += [line[at : one.start()], word]
            at = one.end()
            if word != one[0]:
                changes.append(Change(one[0], word, one.start()))
        return Correction("".join(parts) + line[at:], tuple(changes))

    def _in_context(self, line: str, found: Sequence[re.Match[str]], model: TextModel) -> list[str]:
        """Return the most probable words, found by beam search over all possible corrections."""
        meant = [self._meant(one[0]) for one in found]
        by_blanks = model.tokenizer.unit == "word"
        places = (self._blank_separated if by_blanks else self._letter_by_letter)(line, found, meant, model)
        paths = best_paths(
            model.read,
            rows_of_state,
            model.tokenizer.start_id,
            [place.ways for place in places],
            width=self.options.width,
            weight=self.options.context,
        )
        chosen = [one[0] for one in found]
        for place, choice in zip(places, paths[0].choices, strict=True):
            if place.word is not None:
                chosen[place.word] = meant[place.word][choice][0]
        return chosen

    def _letter_by_letter(
        self, line: str, found: Sequence[re.Match[str]], meant: "_Meant", model: TextModel
    ) -> list["_Place"]:
        """Return one place per word with the text before it, for character and subword models."""
        tokenizer = model.tokenizer
        places, at = [], 0
        for number, (one, ways) in enumerate(zip(found, meant, strict=True)):
            before = line[at : one.start()]
            places.append(
                _Place(
                    [
                        Alternative(tuple(tokenizer.encode_line(composed(before + word))), log_p)
                        for word, log_p in ways
                    ],
                    number,
                )
            )
            at = one.end()
        end = [] if tokenizer.end_id is None else [tokenizer.end_id]
        return [*places, _Place([Alternative((*tokenizer.encode_line(composed(line[at:])), *end))])]

    def _blank_separated(
        self, line: str, found: Sequence[re.Match[str]], meant: "_Meant", model: TextModel
    ) -> list["_Place"]:
        """Return one place per symbol of a word model; symbols that contain several words are not changed."""
        tokenizer, places, number = model.tokenizer, [], 0
        assert isinstance(tokenizer, WordTokenizer), "only called for word models"

        def way(symbol: str, log_p: float) -> Alternative:
            symbol = composed(symbol)
            id_ = tokenizer.id_of(symbol)
            if id_ == tokenizer.unk_id and self._speller is not None:
                log_p += float(self._speller.log_probs([symbol])[0])
            return Alternative((id_,), log_p)

        for token in re.finditer(r"\S+", line):
            inside = []
            while number < len(found) and found[number].end() <= token.end():
                inside.append(number)
                number += 1
            if len(inside) == 1:
                one = found[inside[0]]
                before, after = line[token.start() : one.start()], line[one.end() : token.end()]
                ways = [way(before + word + after, log_p) for word, log_p in meant[inside[0]]]
                places.append(_Place(ways, inside[0]))
            else:
                places.append(_Place([way(token[0], 0.0)]))
        return [*places, _Place([Alternative((tokenizer.start_id,))])]

    def _meant(self, typed: str) -> list[tuple[str, float]]:
        """Return possible corrections in the word's own case, including itself: word, log P(typed | word)."""
        if _letters(typed) < _SHORTEST:
            return [(typed, 0.0)]
        ways = [(_in_case_of(typed, word), channel) for word, channel, _ in self.candidates(_small(typed))]
        return ways if any(word == typed for word, _ in ways) else [(typed, 0.0), *ways]


_Meant = list[list[tuple[str, float]]]


class _Place(NamedTuple):
    """The alternatives in one place, and the index of the line's word there, if any."""

    ways: list[Alternative]
    word: int | None = None


def evaluate_words(corrector: SpellingCorrector, pairs: Sequence[tuple[str, str]]) -> SpellingFigures:
    """Count the misspellings that are corrected to the right word, without context."""
    mended = sum(_small(corrector.correct_word(typed)) == _small(right) for right, typed in pairs)
    return SpellingFigures(len(pairs), mended, 0, 0)


def evaluate_text(
    corrector: SpellingCorrector,
    lines: Iterable[str],
    pairs: Sequence[tuple[str, str]],
    *,
    one_in: int = 12,
    seed: int = 1,
) -> SpellingFigures:
    """Count the correct words after one in `one_in` words of a text was replaced by a misspelling.

    The replaced words are sampled from those with a known misspelling that is a single word.
    """
    by_word: dict[str, list[str]] = {}
    for right, typed in pairs:
        if WORD.fullmatch(typed) and _small(typed) != _small(right):
            by_word.setdefault(_small(right), []).append(_small(typed))
    texts = [line for line in lines if WORD.search(line)]
    places = [(row, one) for row, line in enumerate(texts) for one in WORD.finditer(line)]
    maker = random.Random(seed)
    eligible = [at for at, (_, one) in enumerate(places) if _small(one[0]) in by_word]
    drawn = set(maker.sample(eligible, min(len(eligible), len(places) // one_in)))
    typed_lines: list[list[str]] = [[] for _ in texts]
    ends = [0] * len(texts)
    for at, (row, one) in enumerate(places):
        word = one[0]
        if at in drawn:
            word = _in_case_of(word, maker.choice(by_word[_small(word)]))
        typed_lines[row] += [texts[row][ends[row] : one.start()], word]
        ends[row] = one.end()
    misspelt = mended = right_words = left_alone = at = 0
    for row, parts in enumerate(typed_lines):
        corrected = corrector.correct("".join(parts) + texts[row][ends[row] :])
        for wanted, got in zip(WORD.findall(texts[row]), WORD.findall(corrected.text), strict=True):
            if at in drawn:
                misspelt += 1
                mended += _small(got) == _small(wanted)
            else:
                right_words += 1
                left_alone += _small(got) == _small(wanted)
            at += 1
    return SpellingFigures(misspelt, mended, right_words, left_alone)


def _small(word: str) -> str:
    """Return a word as words are compared: in lower case and in Unicode normalisation form C."""
    return composed(word).lower()


def _letters(word: str) -> int:
    """Return the number of characters of a word, in Unicode normalisation form C."""
    return len(composed(word))


def _in_case_of(typed: str, word: str) -> str:
    """Give a lower-case word the case of the typed word: Title, UPPER, or unchanged."""
    if word == _small(typed):
        return typed  # McDonald, iPad
    written = word
    if typed.isupper() and _letters(typed) > 1:
        written = word.upper()
    elif typed[:1].isupper():
        written = word[:1].upper() + word[1:]
    return written if WORD.fullmatch(written) else word  # some letters have two characters in upper case
