"""Conditions under which an option applies: values of another option, or only in other tasks."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, get_args

from recurra.errors import ConfigError

if TYPE_CHECKING:
    from recurra.config.part import Part


class Condition(Protocol):
    """A condition under which an option applies, usually on the value of another `option`."""

    @property
    def options(self) -> tuple[str, ...]:
        """The other options."""
        ...

    def within(self, config: "type[Part]") -> "Condition | None":
        """Return the condition for a class of configurations, which may lack options or values of options.

        None if it is always met.
        """
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

    @property
    def options(self) -> tuple[str, ...]:
        """The other option."""
        return (self.option,)

    def within(self, config: "type[Part]") -> "Condition | None":
        """Return the condition with the values that the option can have."""
        if self.option not in config.model_fields:
            return None
        allowed = _choices(config.model_fields[self.option].annotation)
        values = tuple(value for value in self.values if not allowed or value in allowed)
        if self.values and not values:
            return self  # which can never be met
        return None if allowed and set(allowed) == set(values) else type(self)(self.option, *values)

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

    def within(self, config: "type[Part]") -> "Condition | None":
        """Return the condition with the values that the option can have; None if it can have none of them."""
        if self.option not in config.model_fields:
            return None
        allowed = _choices(config.model_fields[self.option].annotation)
        values = tuple(value for value in self.values if not allowed or value in allowed)
        return None if self.values and not values else type(self)(self.option, *values)

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

    @property
    def options(self) -> tuple[str, ...]:
        """The other option."""
        return (self.option,)

    def within(self, config: "type[Part]") -> "Condition | None":
        """Return the condition if the configuration has the option."""
        return self if self.option in config.model_fields else None

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
class AnyOf:
    """The option applies if at least one of several conditions is met."""

    conditions: tuple[Condition, ...]

    def __init__(self, *conditions: Condition) -> None:
        object.__setattr__(self, "conditions", conditions)

    @property
    def options(self) -> tuple[str, ...]:
        """The options of all conditions."""
        return tuple(name for each in self.conditions for name in each.options)

    def within(self, config: "type[Part]") -> "Condition | None":
        """Return the condition without those on options that the configuration does not have."""
        known = config.model_fields.keys()
        found = [each.within(config) for each in self.conditions if known >= set(each.options)]
        kept = [each for each in found if each is not None]
        if not kept or len(kept) < len(found):
            return None
        return kept[0] if len(kept) == 1 else AnyOf(*kept)

    def met(self, config: "Part") -> bool:
        """Whether one of them is met."""
        return any(each.met(config) for each in self.conditions)

    def can_be_met(self, config: "type[Part]") -> bool:
        """Whether one of them can be met."""
        return any(each.can_be_met(config) for each in self.conditions)

    def __str__(self) -> str:
        first, *others = map(str, self.conditions)
        same = first.split()[0] + " "  # with, without
        return " or ".join([first, *(other.removeprefix(same) for other in others)])


@dataclass(frozen=True)
class OnlyIn:
    """The option does not apply in this task, only in `others`, and is not shown."""

    others: str

    @property
    def options(self) -> tuple[str, ...]:
        """No other option."""
        return ()

    def within(self, config: "type[Part]") -> "Condition | None":
        """Return the condition unchanged."""
        return self

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
    within = (each.within(config) for each in dict.fromkeys(found))
    return [each for each in dict.fromkeys(within) if each is not None]


def can_apply(config: "type[Part]", name: str) -> bool:
    """Whether an option applies in any configuration of a class; otherwise it is not shown."""
    return all(condition.can_be_met(config) for condition in conditions_of(config, name))


def why_never(config: "type[Part]", name: str) -> str | None:
    """Return why an option applies in no configuration of a class; None if it can apply."""
    for condition in conditions_of(config, name):
        if not condition.can_be_met(config):
            return f"{name}: applies only {condition}; remove it"
    return None


def idle(config: "Part", name: str, later: Collection[str] = ()) -> str | None:
    """Return why an option does not apply in a configuration, as `unmet` finds it; None if it applies."""
    condition = unmet(config, name, later)
    if condition is None:
        return None
    return f"{name}: applies only {condition}; {_remedy(type(config), condition, name)}"


def unmet(config: "Part", name: str, later: Collection[str] = ()) -> Condition | None:
    """Return the first condition of an option that a configuration does not meet; None if it meets all.

    A condition on an option that is not given is not checked if it is as in training, or is only set `later`.
    """
    unknown = {*config.as_trained, *later} - config.given().keys()
    for condition in conditions_of(type(config), name):
        if not unknown & set(condition.options) and not condition.met(config):
            return condition
    return None


def _remedy(config: "type[Part]", condition: Condition, name: str) -> str:
    """Return both ways to meet a condition: change another option, or remove the one that needs it."""
    if not can_apply(config, name):
        return "remove it"
    if isinstance(condition, Unless) and not condition.values:
        return "remove one of them"
    change = _change(config, condition)
    return "remove it" if change is None else f"{change}, or remove {name}"


def _change(config: "type[Part]", condition: Condition) -> str | None:
    """Return how another option can meet a condition; None if none can."""
    match condition:
        case Unless(values=()):
            return f"remove {condition.option}"
        case Unless():
            return f"change {condition.option}"
        case When(values=()):
            return f"set {condition.option}"
        case When(values=values):
            known = _choices(config.model_fields[condition.option].annotation)
            possible = [str(value) for value in values if not known or value in known]
            return f"set {condition.option} to {' or '.join(possible)}"
        case Above(number=number):
            return f"set {condition.option} above {number:g}"
        case AnyOf(conditions=several):
            changes = [change for each in several if (change := _change(config, each)) is not None]
            verb = changes[0].split()[0] + " "
            return " or ".join([changes[0], *(one.removeprefix(verb) for one in changes[1:])])
    return None


def refuse_given(config: "Part", uses: Mapping[str, str]) -> None:
    """Refuse given options that have no use with the files, which is known only after they are read.

    `uses` has the options without a use, and what they apply to, to follow "applies only" in the message.

    Raises: ConfigError naming every such option, if any was given.
    """
    given = config.given()
    lines = [
        f"{config.place_of(name)}{name}: applies only {use}; remove it."
        for name, use in uses.items()
        if name in given
    ]
    if lines:
        raise ConfigError("\n".join(lines))


def _is_set(value: Any) -> bool:
    return value not in (None, False, 0, "none", ())


def _choices(annotation: Any) -> tuple[Any, ...]:
    """Return the values of a Literal or of a bool; empty for other types."""
    if annotation is bool:
        return (True, False)
    return get_args(annotation) if str(annotation).startswith("typing.Literal") else ()
