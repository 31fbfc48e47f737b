"""Going on with a run: the options that may change when it is resumed, and what this does to its schedule."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from recurra.config import TaskConfig, build_config, without_none
from recurra.config.conditions import idle
from recurra.errors import ConfigError, RunError
from recurra.plain import counted, listed, shell
from recurra.runs import RunFolder
from recurra.training import Trainer
from recurra.training.place import Place
from recurra.training.schedules import Schedule

CHANGEABLE = ("epochs", "max_steps", "patience", "learning_rate")
"""The options that may change when a run is resumed."""
_OF_TOTAL = ("cosine", "linear")  # schedules that depend on the number of updates


def changed_config(config: TaskConfig, run: RunFolder, changes: Mapping[str, Any]) -> TaskConfig:
    """Return the configuration of a run with other values of some options.

    Raises: ConfigError for an option that may not change, or a value that it cannot have; RunError if the
    model is not trained in epochs.
    """
    if not changes:
        return config
    for name in changes:
        if name not in CHANGEABLE:
            raise ConfigError(f"{name}: {refusal_of(name)}")
        if idle(config, name) is not None:
            raise RunError(
                f"{run.path}: its model is counted, not trained in epochs, so {name} cannot change; remove "
                "it, or train a new run."
            )
    return build_config(type(config), known=run.read_settings()["config"], overrides=changes)


def refusal_of(name: str) -> str:
    """Return why an option cannot change when a run is resumed, to follow its name in a message."""
    others = [one for one in CHANGEABLE if one != name]
    return (
        f"cannot change when a run is resumed, only {listed(others)} can; remove it, or train a new run that "
        "starts from this one (from_run)."
    )


def place_of(run: RunFolder) -> Place:
    """Return the place of the latest checkpoint, or the start if there is none. Raises: RunError."""
    if run.begun_only:
        return Place()
    state, _ = run.checkpoints.load()
    try:
        return Place(**state["place"])
    except (KeyError, TypeError):
        return Place()  # refused when the checkpoint is restored


def check_further(run: RunFolder, trainer: Trainer, place: Place, changes: Mapping[str, Any]) -> None:
    """Refuse changes with which a run would end where it is. Raises: ConfigError."""
    config = trainer.config
    done = f"{run.path} has done {counted(place.epoch, 'epoch')}, {counted(place.step, 'update')}"
    if config.epochs * len(trainer.learner) <= place.step:
        got = f"got {config.epochs:,}" if "epochs" in changes else f"is {config.epochs:,}"
        raise ConfigError(f"epochs: {got}, but {done}; give a larger number of epochs in total.")
    if trainer.total_steps <= place.step:
        got = "got" if "max_steps" in changes else "is"
        raise ConfigError(
            f"max_steps: {got} {config.max_steps:,}, but {done}; give a larger number of updates in total."
        )
    if trainer.is_out_of_patience(place):
        got = "got" if "patience" in changes else "is"
        raise ConfigError(
            f"patience: {got} {config.patience:,}, but the last {place.bad_validations:,} validations of "
            f"{run.path} brought no improvement, so it would stop at once; give a larger patience."
        )


def change(run: RunFolder, before: TaskConfig, after: TaskConfig, place: Place) -> None:
    """Store the changed options of a run, and add a record of the change to run.toml.

    Raises: RunError, StorageError.
    """
    names = [name for name in CHANGEABLE if getattr(before, name) != getattr(after, name)]
    old, new = ({name: getattr(config, name) for name in names} for config in (before, after))
    record = {"step": place.step, "epoch": place.epoch, "before": old, "options": new}
    run.change_config(after.with_absolute_paths().model_dump(), without_none(record))


def notes_on(trainer: Trainer, before: TaskConfig, place: Place) -> Sequence[str]:
    """Return sentences on where a run goes on, until when, and with which learning rates."""
    config = trainer.config
    epochs = min(config.epochs, -(-trainer.total_steps // max(1, len(trainer.learner))))
    return (
        f"going on at update {place.step:,} (epoch {place.epoch + 1:,}), until update "
        f"{trainer.total_steps:,} (epoch {epochs:,})",
        *_on_rates(trainer, before, place),
    )


def notes_on_calibration(run: RunFolder, *, changed: bool) -> Sequence[str]:
    """Return a sentence on the calibration of a run that goes on; none if it has none, or has ended."""
    if not run.calibration.exists() or (run.has_ended and not changed):
        return ()
    return (
        f"{run.calibration.name}: was fitted to the best weights so far, so it is removed if a later "
        f"validation is better; then calibrate the run again with `recurra calibrate {shell(run.path)}`",
    )


def _on_rates(trainer: Trainer, before: TaskConfig, place: Place) -> Iterator[str]:
    """Yield what the change does to the learning rate."""
    config, schedule = trainer.config, trainer.schedule
    rate = schedule.rate(place.step, place.epoch, place.plateaus)
    last = ""
    if place.step:
        steps = min(before.epochs * len(trainer.learner), before.max_steps or 2**62)
        old = Schedule(before, before.learning_rate, steps)
        epoch = place.epoch - (place.segment == 0)
        last = f", the last one used {old.rate(place.step - 1, epoch, place.plateaus):.3g}"
    how = "continues"
    if config.schedule in _OF_TOTAL:
        how = f"is computed for {trainer.total_steps:,} updates from here on"
    yield f"learning rate: the schedule {config.schedule} {how}; the next update uses {rate:.3g}{last}"
