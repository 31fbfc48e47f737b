"""The plan of a search: the fixed options and the space, and the configuration of each trial."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from recurra.config import TaskConfig, without_none
from recurra.config.conditions import conditions_of
from recurra.errors import ConfigError
from recurra.plain import finite
from recurra.tasks.starting import open_start
from recurra.tasks.task import Task
from recurra.tasks.tuning.space import Space, checked_space, default_space, read_space

TEST_FRACTION = 0.1


@dataclass(frozen=True)
class Given:
    """The fixed options of a search, as in a training: a preset, a TOML file, options.

    `known` are the options of the run that the trainings start from, which take the place of defaults.
    """

    config: type[TaskConfig]
    options: Mapping[str, Any]
    preset: str | None = None
    toml: Path | None = None
    known: Mapping[str, Any] = field(default_factory=dict)

    def built(self, more: Mapping[str, Any] | None = None, without: tuple[str, ...] = ()) -> TaskConfig:
        """Return the configuration with more options, without those that do not apply; `without` are reset.

        Raises: ConfigError.
        """
        options = {**self.options, **(more or {}), **dict.fromkeys(without)}
        return self.config.build(self.preset, self.toml, options, known=self.known, drop_idle=True)


@dataclass(frozen=True)
class Plan:
    """What a search tries. `base` is the configuration without the values of any trial.

    `more` are options that were not given, and the options in `unset_…` are those that are not used in the
    trials, or not for the best model.
    """

    given: Given
    base: TaskConfig
    space: Space
    space_from: str
    unset_in_trials: tuple[str, ...] = ()
    unset_in_best: tuple[str, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, task: Task, given: Given, space: Path | Mapping[str, Any] | None, best_run: Path) -> Self:
        """Check the options and the space, before any data are read; `best_run` is for the best run.

        With `from_run`, the options that the trainings take from that run are not in the default space, and
        those that must be as in that run are in no space.

        Raises: ConfigError naming every fault of the options, or else every fault of the space; RunError if
        the run to start from does not exist or is damaged.
        """
        config = given.config
        # A test file is for the best model only, and each fold tests on its own rows.
        of_test = [
            name
            for name in config.model_fields
            if name == "test" or (name.startswith("test_") and name in config.file_options())
        ]
        has_folds = getattr(given.built(without=tuple(of_test)), "folds", None) is not None
        in_trials = tuple(of_test) if has_folds else ()
        in_best = ("folds",) if has_folds else ()
        base = given.built(without=in_trials)
        taken: Mapping[str, Any] = {}
        fixed: Mapping[str, str] = {}
        if (start := open_start(task, base, best_run)) is not None:
            taken = start.options
            why = f"must be as in {start.source.path}, the run to start from; remove it from the space"
            fixed = {name: why for name in start.required if name in taken}
            given = replace(given, known=without_none(taken))
            base = given.built(without=in_trials)
        dropped = base.dropped()
        base = base if start is None else start.configured(base)
        best = given.built(without=in_best)
        if base.given().get("fold") is not None:
            raise ConfigError("fold: applies to a single training only; remove it.")
        more = _more(best)
        if isinstance(space, Path):
            plain, place = read_space(space), f"{space}: "
        elif space is not None:
            plain, place = dict(space), "space: "
        else:
            plain, place = default_space(base, taken), ""
        checked = checked_space(base, plain, place, fixed)
        _refuse_idle(config, dropped, best.dropped(), checked)
        source = "default" if space is None else str(space) if isinstance(space, Path) else "given"
        return cls(given, base, checked, source, in_trials, in_best, more)

    @property
    def has_folds(self) -> bool:
        """Whether each trial trains several folds."""
        return bool(self.unset_in_best)

    @property
    def has_test(self) -> bool:
        """Whether a part of the data is left for the best model only."""
        best = self.best({})
        return any(getattr(best, name, None) is not None for name in ("test", "test_fraction"))

    def defaults(self) -> dict[str, Any]:
        """Return the values of the searched options without a search."""
        return {name: getattr(self.base, name) for name in self.space}

    def has_defaults(self) -> bool:
        """Whether the space contains the values of the options without a search."""
        return all(self.space[name].contains(value) for name, value in self.defaults().items())

    def trial(self, values: Mapping[str, Any]) -> TaskConfig:
        """Return the configuration of a trial; values that do not apply together are dropped.

        Raises: ConfigError if the values contradict each other.
        """
        return self.given.built({**self.more, **values}, self.unset_in_trials)

    def best(self, values: Mapping[str, Any]) -> TaskConfig:
        """Return the configuration of the best model: no folds, one seed, and the test data."""
        found = self.given.built({**self.more, **values}, self.unset_in_best)
        return found.model_copy(update={"seeds": 1})

    def used(self, config: TaskConfig) -> dict[str, Any]:
        """Return the searched options of a trial that apply in it."""
        return {name: getattr(config, name) for name in self.space if name in config.given()}

    def settings(self) -> dict[str, Any]:
        """Return the options and the space as plain values, as they are compared with those of a search."""
        plain = {name: each.plain() for name, each in self.space.items()}
        return {
            "options": without_none(finite(self.base.with_absolute_paths().model_dump())),
            "best": without_none(finite(self.best({}).with_absolute_paths().model_dump())),
            "space": finite(plain),
        }


def _more(best: TaskConfig) -> dict[str, Any]:
    """Return the test fraction if one is to be held out although none was asked for."""
    if "test_fraction" not in type(best).model_fields or best.given().get("test_fraction") is not None:
        return {}
    held_out = any(getattr(best, name, None) is not None for name in ("valid", "test"))
    return {} if held_out else {"test_fraction": TEST_FRACTION}


def _refuse_idle(
    config: type[TaskConfig], base: Mapping[str, str], best: Mapping[str, str], space: Space
) -> None:
    """Refuse fixed options that apply in no trial and not to the best model. Raises: ConfigError."""
    faults = [
        f"{why}."
        for name, why in base.items()
        if name in best and not any(set(one.options) & space.keys() for one in conditions_of(config, name))
    ]
    if faults:
        raise ConfigError("\n".join(faults))
