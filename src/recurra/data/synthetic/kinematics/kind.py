"""Kinds of problems as data, and how problems are drawn from them.

Templates have slots in braces: `{v}` a given value with its unit, `{g}` the statement of gravity, `{thing}`
one of the kind's words, `{a thing}` and `{A thing}` the same with its article, `{person}` and `{other}` two
names, `{he}`, `{He}` and `{his}` the pronouns of the first name.
"""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from recurra.data.synthetic.kinematics.problem import (
    GRAVITY_M_PER_S2,
    SI,
    Problem,
    Quantity,
    is_clear_cut,
    stated_digits,
)

_Option = TypeVar("_Option")

_SLOT = re.compile(r"\{(?:(a|A) )?(\w+)\}")
_GRAVITY = f"g = {GRAVITY_M_PER_S2} m/s^2"
_PEOPLE = ("Anna", "Clara", "Emma", "Maria", "Ben", "David", "Leo", "Tom")
_WOMEN = _PEOPLE[:4]
_FRAMES = ("{story} {Question}?",)
_GRAVITY_FRAMES = (
    "{story} If {g}, {question}?",
    "{story} Take {g}. {Question}?",
    "{story} {Question} if {g}?",
)
_MAX_DRAWS = 10_000


class Dice:
    """Random draws that are the same for a seed in every version of Python: only `Random.random` is used."""

    def __init__(self, seed: int) -> None:
        # The seed is a text because Random takes the absolute value of a number: -1 would be the same as 1.
        self._random = random.Random(f"recurra kinematics {seed}").random

    def below(self, n: int) -> int:
        """Draw an integer from 0 to n - 1."""
        return int(self._random() * n)

    def pick(self, options: Sequence[_Option]) -> _Option:
        """Draw one of the options uniformly."""
        return options[self.below(len(options))]


@dataclass(frozen=True)
class Span:
    """The values low, low + step, …, high in one unit; an integer step gives integers, others tenths."""

    unit: str
    low: float
    high: float
    step: float = 1.0

    def draw(self, name: str, dice: Dice) -> Quantity:
        """Draw one of the values as a quantity with a name."""
        steps = round((self.high - self.low) / self.step)
        value = self.low + dice.below(steps + 1) * self.step
        places = 0 if self.step == int(self.step) else 1
        return Quantity(name, f"{value:.{places}f}", self.unit)


@dataclass(frozen=True)
class Kind:
    """A kind of problem: its given values, its question, and the wordings of both.

    `solve` takes the given values by name in metres, seconds and radians, and returns the answer in the same
    units; `equation` is its formula. Values are drawn again if the answer in `unit` is outside `bounds` or if
    `when` rejects them.
    """

    name: str
    equation: str
    given: Mapping[str, tuple[Span, ...]]
    unit: str
    bounds: tuple[float, float]
    solve: Callable[..., float]
    stories: tuple[str, ...]
    questions: tuple[str, ...]
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    when: Callable[..., bool] | None = None
    gravity: bool = False

    def draw(self, dice: Dice) -> Problem:
        """Draw one problem of this kind."""
        quantities, answer = self._draw_values(dice)
        slots = self._draw_words(dice) | {quantity.name: str(quantity) for quantity in quantities}
        story = _fill(dice.pick(self.stories), slots)
        question = _fill(dice.pick(self.questions), slots)
        frame = dice.pick(_GRAVITY_FRAMES if self.gravity else _FRAMES)
        parts = {"story": story, "question": question, "Question": question[0].upper() + question[1:]}
        return Problem(_fill(frame, parts | {"g": _GRAVITY}), answer, self.unit, self.name, quantities)

    def _draw_values(self, dice: Dice) -> tuple[tuple[Quantity, ...], float]:
        low, high = self.bounds
        for _ in range(_MAX_DRAWS):
            quantities = tuple(dice.pick(spans).draw(name, dice) for name, spans in self.given.items())
            values = {quantity.name: quantity.si for quantity in quantities}
            if self.when is not None and not self.when(**values):
                continue
            answer = self.solve(**values) / SI[self.unit]
            if low <= answer <= high and is_clear_cut(answer):
                return quantities, float(stated_digits(answer))
        raise AssertionError(f"{self.name}: no values fit its bounds")

    def _draw_words(self, dice: Dice) -> dict[str, str]:
        place = dice.below(len(_PEOPLE))
        person = _PEOPLE[place]
        other = _PEOPLE[(place + 1 + dice.below(len(_PEOPLE) - 1)) % len(_PEOPLE)]
        he, his = ("she", "her") if person in _WOMEN else ("he", "his")
        words = {name: dice.pick(options) for name, options in self.words.items()}
        return words | {"person": person, "other": other, "he": he, "He": he.capitalize(), "his": his}


def article(words: str) -> str:
    """Return the indefinite article of `words`, which may begin with a number: an apple, an 80 m, a 5 m."""
    number = re.match(r"\d+", words)
    if number:
        return "an" if number[0] in ("11", "18") or number[0][0] == "8" else "a"
    return "an" if words[0] in "aeiou" else "a"


def _fill(template: str, slots: Mapping[str, str]) -> str:
    def one(slot: re.Match[str]) -> str:
        indefinite, name = slot.groups()
        words = slots[name]
        if not indefinite:
            return words
        chosen = article(words)
        return f"{chosen.capitalize() if indefinite == 'A' else chosen} {words}"

    return _SLOT.sub(one, template)
