"""Suggestions for the values of an option in a search, which form the default space, and its defaults."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

if TYPE_CHECKING:
    from recurra.config.part import Part

Pruner = Literal["median", "halving", "none"]
"""How a search stops trials that are worse than others."""
TRIALS = 20
"""The number of trials of a search if it is not given."""


class Suggestion(Protocol):
    """The values to try for an option, given its value without a search."""

    def values(self, config: "type[Part]", name: str, value: Any) -> Any:
        """Return a list of values or a table with low and high, as in a TOML file of a search."""
        ...


Suggestions = Mapping[str, Suggestion]


def plain_range(low: float, high: float, step: float | None = None, *, log: bool = False) -> dict[str, Any]:
    """Return a range of numbers as a table, as in TOML."""
    found: dict[str, Any] = {"low": low, "high": high}
    found |= {} if step is None else {"step": step}
    return found | ({"log": True} if log else {})


@dataclass(frozen=True)
class Multiples:
    """The value multiplied by some factors, as a list; whole numbers stay whole and at least 1."""

    factors: tuple[float, ...]

    def __init__(self, *factors: float) -> None:
        object.__setattr__(self, "factors", factors)

    def values(self, config: "type[Part]", name: str, value: Any) -> Any:
        """Return the multiples."""
        found = [max(1, round(value * f)) if isinstance(value, int) else value * f for f in self.factors]
        return list(dict.fromkeys(found))


@dataclass(frozen=True)
class Around:
    """A range on a logarithmic scale, from `low` times the value to `high` times the value."""

    low: float
    high: float

    def values(self, config: "type[Part]", name: str, value: Any) -> Any:
        """Return the range."""
        low, high = (float(f"{value * factor:.3g}") for factor in (self.low, self.high))
        return plain_range(low, high, log=True)


@dataclass(frozen=True)
class Between:
    """A range that does not depend on the value."""

    low: float
    high: float
    step: float | None = None
    log: bool = False

    def values(self, config: "type[Part]", name: str, value: Any) -> Any:
        """Return the range."""
        return plain_range(self.low, self.high, self.step, log=self.log)


@dataclass(frozen=True)
class EveryChoice:
    """All values that an option with named values allows."""

    def values(self, config: "type[Part]", name: str, value: Any) -> Any:
        """Return the values."""
        return list(get_args(config.model_fields[name].annotation))


@dataclass(frozen=True)
class OneOf:
    """Some values."""

    choices: tuple[Any, ...]

    def __init__(self, *choices: Any) -> None:
        object.__setattr__(self, "choices", choices)

    def values(self, config: "type[Part]", name: str, value: Any) -> Any:
        """Return the values."""
        return list(self.choices)
