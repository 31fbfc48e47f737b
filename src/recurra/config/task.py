"""The options that every task's configuration has, and the description of a task for the command line."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from recurra.config.building import build_config
from recurra.config.conditions import Conditions, Unless, When
from recurra.config.part import FilePath, Part, option
from recurra.config.parts import LoopPart, OptimizerPart, SchedulePart
from recurra.errors import ConfigError


class RepeatPart(Part):
    """Repeated training with several random seeds."""

    title: ClassVar[str] = "Repeats"
    not_searched: ClassVar[tuple[str, ...]] = ("seeds",)

    seeds: int = option(
        1,
        "Number of models to train, with consecutive seeds from --seed; reports mean and standard deviation",
        ge=1,
        le=10_000,
    )


class StartPart(Part):
    """Starting a training with the weights of another run."""

    title: ClassVar[str] = "Start"
    conditions: ClassVar[Conditions] = {
        "new_words": When("from_run"),
        **dict.fromkeys(("min_count", "max_vocabulary_size"), Unless("new_words", "unknown")),
    }

    from_run: FilePath | None = option(
        None, "Start with the weights and symbols of another run", flag="--from"
    )
    new_words: Literal["append", "unknown"] = option(
        "append",
        "Words that the run to start from lacks: append them to its vocabulary, or read them as <unk>"
        " (unknown)",
    )


class TaskConfig(OptimizerPart, SchedulePart, LoopPart, RepeatPart, StartPart):
    """The last part of every task's configuration, after the task's own parts, which include `RunPart`.

    The class also describes the task to the command line and the documentation before it is loaded:
    `title` is the title of its page, `summary` and `example` are its help text, `evaluation`,
    `prediction` and `calibration` have the options of `recurra evaluate`, `recurra predict` and
    `recurra calibrate`, `presets` is a folder of TOML
    files, `main_options` lists the options that --help shows (all if it is empty), and `task` is the
    location of the task, "module:Class".
    """

    # Of tasks that can choose it: the trials of a search are compared by the same figures.
    not_searched: ClassVar[tuple[str, ...]] = ("keep_best",)

    task: ClassVar[str]
    summary: ClassVar[str]
    example: ClassVar[str]
    presets: ClassVar[Path | None] = None
    main_options: ClassVar[tuple[str, ...]] = ()
    evaluation: ClassVar[type[Part]] = Part
    prediction: ClassVar[type[Part]] = Part
    calibration: ClassVar[type[Part]] = Part

    @classmethod
    def preset_names(cls) -> list[str]:
        """Return the names of all presets, sorted."""
        return [] if cls.presets is None else sorted(file.stem for file in cls.presets.glob("*.toml"))

    @classmethod
    def build(
        cls,
        preset: str | None = None,
        toml: Path | None = None,
        options: Mapping[str, Any] | None = None,
        *,
        known: Mapping[str, Any] | None = None,
        drop_idle: bool = False,
    ) -> Self:
        """Build a configuration from `known`, a preset, a TOML file and options; later ones take precedence.

        `known` are options that take the place of defaults and do not count as given.
        Options of the preset that do not apply together with the others are dropped, and with `drop_idle`
        all such options.

        Raises: ConfigError naming every error.
        """
        file = None
        if preset is not None:
            if preset not in cls.preset_names():
                names = ", ".join(cls.preset_names())
                expected = f"expected one of {names}" if names else "but the task has no presets; remove it"
                raise ConfigError(f"preset: got {preset!r}, {expected}.")
            assert cls.presets is not None, "it has presets"
            file = cls.presets / f"{preset}.toml"
        files = [] if toml is None else [toml]
        return build_config(cls, files, options, known=known, preset=file, drop_idle=drop_idle)

    def resolved(self) -> Self:
        """Return a copy with the options set that depend on other options."""
        return self

    def taken_later(self) -> Collection[str]:
        """Return all options if a run to start from is given."""
        return () if self.given().get("from_run") is None else type(self).model_fields

    def misfits(self) -> Mapping[str, str]:
        """Return why a given learning rate cannot be used: one below the lowest rate would rise."""
        rates, given = self.resolved(), self.given()
        low, peak = rates.min_learning_rate, rates.learning_rate
        if rates.schedule == "constant" or low <= peak:
            return {}
        if "min_learning_rate" in given:
            return {"min_learning_rate": f"got {low:g}, expected at most learning_rate, {peak:g}"}
        return {"learning_rate": f"got {peak:g}, expected at least min_learning_rate, {low:g}"}

    def chosen(self) -> list[str]:
        """Return the options that differ from their defaults, files first; not those that `resolved` sets."""
        found = []
        for name, value in self.changed().items():
            back = self.model_copy(update={name: self.default_of(name)})
            back.model_fields_set.discard(name)
            if getattr(back.resolved(), name) != value:
                found.append(name)
        return sorted(found, key=lambda name: name not in self.file_options())

    def parts(self) -> dict[str, Self]:
        """Return the configuration of each requested training by folder name (empty for a single one)."""
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
        """Whether several trainings are requested."""
        return list(self.parts()) != [""]
