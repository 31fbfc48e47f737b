"""Conditions under which an option applies: values of another option, or only in other tasks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, get_args

if TYPE_CHECKING:
    from recurra.config.part import Part


class Condition(Protocol):
    """A condition under which an option applies, usually on the value of another `option`."""

    @property
    def option(self) -> str | None:
        """The other option, or None."""
        ...

    def met(self, config: "Part") -> bool:
        """Whether the option applies in this configuration."""
        ...

    def can_be_met(self, config: "type[Part]") -> bool:
        """Whether the option applies in any configuration of this class."""
        ...

    def __str__(self) -> str:
        """The condition, to follow "applies only" in a message."""
        ...


Conditions = Mapping[str, Condition | Sequence[Condition]]
"""The conditions of options by name; if an option has several, all must be met."""


@dataclass(frozen=True)
class When:
    """The option applies if another one has one of these values; without values, if the other one is set.

    An option counts as set unless it is None, False, 0, "none" or empty.
    """

    option: str
    values: tuple[Any, ...] = ()

    def __init__(self, option: str, *values: Any) -> None:
        object.__setattr__(self, "option", option)
        object.__setattr__(self, "values", values)

    def met(self, config: "Part") -> bool:
        """Whether the other option has such a value."""
        value = getattr(config, self.option)
        return value in self.values if self.values else _is_set(value)

    def can_be_met(self, config: "type[Part]") -> bool:
        """Whether the other option can have such a value."""
        allowed = _choices(config.model_fields[self.option].annotation)
        if not self.values:
            return not allowed or any(map(_is_set, allowed))
        return not allowed or any(value in allowed for value in self.values)

    def __str__(self) -> str:
        return " ".join(("with", self.option, " or ".join(map(str, self.values)))).strip()


@dataclass(frozen=True)
class Unless(When):
    """The option applies if another one has none of these values; without values, if it is not set."""

    def __init__(self, option: str, *values: Any) -> None:
        super().__init__(option, *values)

    def met(self, config: "Part") -> bool:
        """Whether the other option has no such value."""
        return not super().met(config)

    def can_be_met(self, config: "type[Part]") -> bool:
        """Whether the other option can have another value."""
        allowed = _choices(config.model_fields[self.option].annotation)
        return not allowed or any(value not in self.values for value in allowed)

    def __str__(self) -> str:
        if not self.values:
            return f"without {self.option}"
        return f"with {self.option} other than {' or '.join(map(str, self.values))}"


@dataclass(frozen=True)
class Above:
    """The option applies if another one is larger than a number."""

    option: str
    number: float

    def met(self, config: "Part") -> bool:
        """Whether the other option is larger."""
        value = getattr(config, self.option)
        return value is not None and value > self.number

    def can_be_met(self, config: "type[Part]") -> bool:
        """Always."""
        return True

    def __str__(self) -> str:
        return f"with {self.option} above {self.number:g}"


@dataclass(frozen=True)
class OnlyIn:
    """The option does not apply in this task, only in `others`, and is not shown."""

    others: str
    option: None = None

    def met(self, config: "Part") -> bool:
        """Never."""
        return False

    def can_be_met(self, config: "type[Part]") -> bool:
        """Never."""
        return False

    def __str__(self) -> str:
        return f"to {self.others}"


def conditions_of(config: "type[Part]", name: str) -> list[Condition]:
    """Return all conditions of an option: those of its own part and of the whole configuration."""
    found: list[Condition] = []
    for part in config.__mro__:
        own: Conditions = vars(part).get("conditions", {})
        if name in own:
            listed = own[name]
            found += listed if isinstance(listed, Sequence) else [listed]
    known = config.model_fields
    return [each for each in dict.fromkeys(found) if each.option is None or each.option in known]


def can_apply(config: "type[Part]", name: str) -> bool:
    """Whether an option applies in any configuration of a class; otherwise it is not shown."""
    return all(condition.can_be_met(config) for condition in conditions_of(config, name))


def idle(config: "Part", name: str) -> str | None:
    """Return why an option does not apply in a configuration; None if it applies."""
    condition = unmet(config, name)
    if condition is None:
        return None
    return f"{name}: applies only {condition}; {_remedy(type(config), condition, name)}"


def unmet(config: "Part", name: str) -> Condition | None:
    """Return the first condition of an option that a configuration does not meet; None if it meets all."""
    return next((one for one in conditions_of(type(config), name) if not one.met(config)), None)


def _remedy(config: "type[Part]", condition: Condition, name: str) -> str:
    """Return both ways to meet a condition: change the other option, or remove the one that needs it."""
    if not can_apply(config, name):
        return "remove it"
    match condition:
        case Unless(values=()):
            return "remove one of them"
        case Unless():
            change = f"change {condition.option}"
        case When(values=()):
            change = f"set {condition.option}"
        case When(values=values):
            known = _choices(config.model_fields[condition.option].annotation)
            possible = [str(value) for value in values if not known or value in known]
            change = f"set {condition.option} to {' or '.join(possible)}"
        case Above(number=number):
            change = f"set {condition.option} above {number:g}"
        case _:
            return "remove it"
    return f"{change}, or remove {name}"


def _is_set(value: Any) -> bool:
    return value not in (None, False, 0, "none", ())


def _choices(annotation: Any) -> tuple[Any, ...]:
    """Return the values of a Literal or of a bool; empty for other types."""
    if annotation is bool:
        return (True, False)
    return get_args(annotation) if str(annotation).startswith("typing.Literal") else ()
