"""What every task's configuration has: how long it trains, how often, and what the task's verbs take."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from recurra.config.part import Part, build_config, option
from recurra.config.parts import LoopPart, OptimizerPart, SchedulePart
from recurra.errors import ConfigError


class RepeatPart(Part):
    """Several trainings as one."""

    title: ClassVar[str] = "Repeats"

    seeds: int = option(
        1, "Train this many models, with seeds from --seed on, and report mean and standard deviation", ge=1
    )


class TaskConfig(OptimizerPart, SchedulePart, LoopPart, RepeatPart):
    """The last part of every task's configuration; the first ones are the task's own, `RunPart` among them.

    The class is also what the command line and the documentation know of the task before it is loaded:
    `title` heads its page, `summary` and `example` are its help, `evaluation` and `prediction` the options of
    `recurra evaluate` and `recurra predict`, `presets` is a folder of TOML files with a name,
    `main_options` are those that --help shows, all if none are named. `task` says
    where the task is, "module:Class".
    """

    task: ClassVar[str]
    summary: ClassVar[str]
    example: ClassVar[str]
    presets: ClassVar[Path | None] = None
    main_options: ClassVar[tuple[str, ...]] = ()
    evaluation: ClassVar[type[Part]] = Part
    prediction: ClassVar[type[Part]] = Part

    @classmethod
    def preset_names(cls) -> list[str]:
        """The names of all presets, in order."""
        return [] if cls.presets is None else sorted(file.stem for file in cls.presets.glob("*.toml"))

    @classmethod
    def build(
        cls,
        preset: str | None = None,
        toml: Path | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Self:
        """A configuration from a preset, a TOML file over it, and options over both, whichever there are.

        Raises: ConfigError naming every fault.
        """
        files = [] if toml is None else [toml]
        if preset is not None:
            if preset not in cls.preset_names():
                known = ", ".join(cls.preset_names())
                expected = f"expected one of {known}" if known else "and the task has no presets; remove it"
                raise ConfigError(f"preset: got {preset!r}, {expected}.")
            assert cls.presets is not None, "it has presets"
            files.insert(0, cls.presets / f"{preset}.toml")
        return build_config(cls, files, options)

    def resolved(self) -> Self:
        """The same with what depends on other options filled in."""
        return self

    def chosen(self) -> list[str]:
        """The options that differ from their defaults, files first; not those that `resolved` filled in."""
        found = []
        for name, value in self.changed().items():
            back = self.model_copy(update={name: self.default_of(name)}).resolved()
            if getattr(back, name) != value:
                found.append(name)
        return sorted(found, key=lambda name: name not in self.file_options())

    def parts(self) -> dict[str, Self]:
        """The configuration of each training that is asked for, by the name of its folder; for one alone the
        name is empty."""
        folds, fold = getattr(self, "folds", None), getattr(self, "fold", None)
        every_fold = range(1, folds + 1) if folds is not None and fold is None else None
        found = {}
        for one in every_fold or [fold]:
            for seed in range(self.seed, self.seed + self.seeds):
                names = [f"fold-{one}"] if every_fold else []
                names += [f"seed-{seed}"] if self.seeds > 1 else []
                changed: dict[str, Any] = {"seed": seed, "seeds": 1}
                changed |= {} if one is None else {"fold": one}
                found["-".join(names)] = self.model_copy(update=changed)
        return found

    @property
    def is_repeated(self) -> bool:
        """Whether several trainings are asked for."""
        return list(self.parts()) != [""]
