"""The space of a search: the values to try for each option, from TOML or from the suggestions of a task."""

import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.config import Part
from recurra.config.building import checked_value, nearest_options, to_toml, value_faults
from recurra.config.conditions import can_apply, conditions_of, why_never
from recurra.config.part import plain_type, unit_of
from recurra.config.search import plain_range
from recurra.errors import ConfigError
from recurra.plain import quoted, reason_of

if TYPE_CHECKING:
    from optuna.trial import Trial

_RATES = {"learning_rate", "min_learning_rate", "schedule"}  # which must fit each other
_KEYS = {"low", "high", "step", "log"}
_EXPECTED = "expected a list of values, or a table such as {low = 1, high = 8}"


@dataclass(frozen=True)
class Choices:
    """Values to choose from."""

    values: tuple[Any, ...]

    def contains(self, value: Any) -> bool:
        """Whether a value is one of them."""
        return value in self.values

    def suggest(self, trial: "Trial", name: str) -> Any:
        """Return the value that the sampler chooses."""
        return trial.suggest_categorical(name, self.values)

    def plain(self) -> Any:
        """Return a list, as in TOML."""
        return list(self.values)


@dataclass(frozen=True)
class Interval:
    """Numbers from `low` to `high`, both included; whole numbers if `whole`."""

    low: float
    high: float
    step: float | None = None
    log: bool = False
    whole: bool = False

    def contains(self, value: Any) -> bool:
        """Whether a value is in the interval, and on one of its steps."""
        if value is None or not self.low <= value <= self.high:
            return False
        steps = 0.0 if self.step is None else (value - self.low) / self.step
        return abs(steps - round(steps)) < 1e-9 if self.step is not None else True

    @property
    def highest(self) -> float:
        """The highest number on a step."""
        if self.step is None:
            return self.high
        return self.low + self.step * int((self.high - self.low) / self.step + 1e-9)

    def suggest(self, trial: "Trial", name: str) -> Any:
        """Return the value that the sampler chooses."""
        if self.whole:
            low, high, step = int(self.low), int(self.highest), int(self.step or 1)
            return trial.suggest_int(name, low, high, step=step, log=self.log)
        value = trial.suggest_float(name, self.low, self.highest, step=self.step, log=self.log)
        # Three digits are enough; the result can be given on the command line.
        return min(max(float(f"{value:.3g}"), self.low), self.high) if self.step is None else round(value, 12)

    def plain(self) -> Any:
        """Return a table, as in TOML."""
        return plain_range(self.low, self.high, self.step, log=self.log)


Space = Mapping[str, Choices | Interval]


def read_space(file: Path) -> dict[str, Any]:
    """Read the TOML file of a space, unchecked. Raises: ConfigError if it cannot be read."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{file}: the file of the space does not exist; check the path.") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file}: is not TOML: {reason_of(error)}.") from error
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror}).") from error


def default_space(base: Part, taken: Collection[str] = ()) -> dict[str, Any]:
    """Return the default space around a configuration, as it would be read from TOML.

    It has the options with a suggestion that apply, are not given and are not `taken` from another run.
    """
    config, given = type(base), base.given()
    found = {}
    for name, suggestion in config.suggestions().items():
        usable = can_apply(config, name) and config.can_be_searched(name) and name not in {*given, *taken}
        if usable and getattr(base, name) is not None:
            found[name] = suggestion.values(config, name, getattr(base, name))
    return {name: each for name, each in found.items() if not _unmet(base, name, found)}


def space_text(config: type[Part], plain: Mapping[str, Any]) -> str:
    """Return a space as TOML, one commented line per option."""
    lines = []
    for name, each in plain.items():
        field = config.model_fields[name]
        unit = f", in {unit_of(field)}" if unit_of(field) else ""
        text = to_toml({name: each})
        if isinstance(each, Mapping):
            inside = ", ".join(line for line in to_toml(each).splitlines() if line)
            text = f"{name} = {{{inside}}}\n"
        else:
            text = " ".join(text.split()).replace("[ ", "[").replace(", ]", "]") + "\n"
        lines.append(f"# {field.description}{unit}\n{text}")
    return "\n".join(lines)


def checked_space(
    base: Part, plain: Mapping[str, Any], place: str = "", fixed: Mapping[str, str] | None = None
) -> dict[str, Choices | Interval]:
    """Check a space around a configuration; `place` is where it is from, such as "space.toml: ".

    `fixed` are options that no trial may vary, and why.

    Raises: ConfigError naming every fault, one per line.
    """
    config, found, faults = type(base), dict[str, Choices | Interval](), list[str]()
    tried: dict[str, tuple[Any, ...]] = {}
    for name, each in plain.items():
        own = list(_faults_of_name(base, str(name), plain, place, fixed or {}))
        if not own:
            values = _domain(config, name, each)
            if isinstance(values, str):
                own = [f"{place}{name}: {values}"]
            else:
                tried[name] = values.values if isinstance(values, Choices) else (values.low, values.high)
                own = [fault for value in tried[name] for fault in value_faults(config, name, value, place)]
                if not own:
                    found[name] = _typed(config, name, values)
        faults += own
    if len(_RATES & found.keys()) == 1:  # of several, some trials may fit
        faults += _misfits(base, {name: tried[name] for name in found}, place)
    if not plain:
        faults.append(f"{place}the space has no options; add some, such as learning_rate")
    if faults:
        lines = dict.fromkeys(faults)
        raise ConfigError("\n".join(line + "." * (line[-1] not in ".?") for line in lines))
    return found


def _misfits(base: Part, tried: Mapping[str, tuple[Any, ...]], place: str) -> Iterator[str]:
    """Yield why values of a space do not fit together with the other options."""
    for name, values in tried.items():
        each = (base.with_given({name: value}).misfits() for value in values)
        why = next((found[name] for found in each if name in found), None)
        if why is not None:
            yield f"{place}{name}: {why}; change that option, or give a space of other values"


def _faults_of_name(
    base: Part, name: str, plain: Collection[str], place: str, fixed: Mapping[str, str]
) -> Iterator[str]:
    """Yield why an option cannot be searched with the given options."""
    config = type(base)
    if name not in config.model_fields:
        yield f"{place}{name}: unknown option; {nearest_options(config, name)}"
    elif (why := why_never(config, name)) is not None:
        yield f"{place}{why}"
    elif not config.can_be_searched(name):
        yield f"{place}{name}: must be the same in all trials; remove it from the space"
    elif name in fixed:
        yield f"{place}{name}: {fixed[name]}"
    elif name in base.given():
        yield f"{place}{name}: is also given as a fixed option; remove it from one of the two"
    elif why := _unmet(base, name, plain):
        yield f"{place}{name}: {why}; set that, or remove {name}"


def _unmet(base: Part, name: str, searched: Collection[str]) -> str:
    """Return the condition of an option that no trial can meet; empty if there is none."""
    for condition in conditions_of(type(base), name):
        if not condition.met(base) and not set(condition.options) & set(searched):
            return f"applies only {condition}"
    return ""


def _domain(config: type[Part], name: str, each: Any) -> Choices | Interval | str:
    """Return the values of an option, unchecked against its limits, or what is wrong with them."""
    if isinstance(each, list | tuple):
        if not each:
            return "the list of values is empty; add some"
        if any(isinstance(value, list | tuple | Mapping) for value in each):
            return f"got {quoted(each)}, expected a list of single values"
        twice = [value for at, value in enumerate(each) if value in each[:at]]
        return f"the value {twice[0]!r} is in the list twice; remove one" if twice else Choices(tuple(each))
    if not isinstance(each, Mapping):
        return f"got {quoted(each)}, {_EXPECTED}; give a fixed value as an option"
    kind = plain_type(config.model_fields[name].annotation)
    if kind not in (int, float):
        return f"got {quoted(dict(each))}, expected a list of values, because it is not a number"
    return _interval(each, whole=kind is int)


def _interval(each: Mapping[str, Any], *, whole: bool) -> Interval | str:
    """Return the interval of a table, or what is wrong with it."""
    unknown = [str(key) for key in each if key not in _KEYS]
    missing = [key for key in ("low", "high") if key not in each]
    if unknown or missing:
        told = [f"unknown key {key}" for key in unknown] + [f"{key} is missing" for key in missing]
        return f"{', '.join(told)}; {_EXPECTED}"
    log, numbers = each.get("log", False), {key: each[key] for key in ("low", "high", "step") if key in each}
    for key, value in numbers.items():
        expected = "a whole number" if whole else "a number"
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            return f"{key}: got {quoted(value)}, expected {expected}"
        if value != value or value in (float("inf"), float("-inf")):
            return f"{key}: got {value}, expected {expected}"
    low, high, step = numbers["low"], numbers["high"], numbers.get("step")
    if not isinstance(log, bool):
        return f"log: got {quoted(log)}, expected true or false"
    if low > high:
        return f"low {low} is above high {high}; exchange them"
    if low == high:
        return f"the range is empty: low and high are both {low}; give a list with one value"
    if step is not None and not 0 < step <= high - low:
        return f"step: got {step}, expected a number above 0 and at most high - low"
    if log and step is not None:
        return "log and step cannot be combined; remove one of them"
    if log and low <= 0:
        return f"low: got {low}, expected a number above 0, because log is true"
    return Interval(low, high, step, log, whole)


def _typed(config: type[Part], name: str, values: Choices | Interval) -> Choices | Interval:
    """Return the values in the type of their option."""
    if isinstance(values, Choices):
        return Choices(tuple(checked_value(config, name, value) for value in values.values))
    return values
