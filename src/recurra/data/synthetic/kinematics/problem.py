"""A problem: its text, its answer and its given values."""

import math
from dataclasses import dataclass

GRAVITY_M_PER_S2 = 9.8

# The value of each unit in metres, seconds and radians.
SI = {
    "m": 1.0,
    "km": 1000.0,
    "s": 1.0,
    "min": 60.0,
    "m/s": 1.0,
    "km/h": 1000.0 / 3600.0,
    "m/s^2": 1.0,
    "degrees": math.pi / 180.0,
}


@dataclass(frozen=True)
class Quantity:
    """A given value: its name in the kind's equation, its digits as stated, its unit."""

    name: str
    digits: str
    unit: str

    @property
    def value(self) -> float:
        """The stated value, in its own unit."""
        return float(self.digits)

    @property
    def si(self) -> float:
        """The stated value in metres, seconds and radians."""
        return self.value * SI[self.unit]

    def __str__(self) -> str:
        return f"{self.digits} {self.unit}"


@dataclass(frozen=True)
class Problem:
    """A word problem; `answer` is in `unit`, rounded by `stated_digits`.

    `kind` is a name of `KINDS`; `quantities` are the given values, without g.
    """

    text: str
    answer: float
    unit: str
    kind: str
    quantities: tuple[Quantity, ...]

    @property
    def answer_text(self) -> str:
        """The answer as stated in a corpus, such as "7.8 m"."""
        return f"{stated_digits(self.answer)} {self.unit}"

    @property
    def block(self) -> str:
        """The problem as written to a corpus: a line of text and a line with the answer."""
        return f"{self.text}\nAnswer: {self.answer_text}\n"


def stated_digits(value: float) -> str:
    """Format a value as in an answer: one decimal place below 100, none from 100 on."""
    tenths = f"{value:.1f}"
    return tenths if float(tenths) < 100 else f"{value:.0f}"


def is_clear_cut(value: float) -> bool:
    """Whether the rounding of `value` does not depend on floating-point error."""
    scaled = value * 10 if value < 99 else value
    return abs(scaled - math.floor(scaled) - 0.5) > 1e-6 and not 99 <= value < 100
