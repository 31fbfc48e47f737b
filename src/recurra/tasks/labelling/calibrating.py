"""Calibrating a labelling model: which rows it may be fitted to, and the options of `recurra calibrate`."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.data.examples import BadRows, Example
from recurra.data.rows_in_memory import is_in_memory
from recurra.errors import ConfigError, DataError, RunError
from recurra.runs import RunFolder
from recurra.tasks import driver
from recurra.tasks.data_in_memory import check_data
from recurra.tasks.labelling.calibration import Calibration
from recurra.tasks.labelling.config import LabelCalibrationPart
from recurra.tasks.labelling.corpus import fingerprint_of
from recurra.tasks.labelling.deciding import check_has_labels, find_label
from recurra.tasks.labelling.feeds import EncodedRows
from recurra.tasks.labelling.fitting import DEFAULT_OBJECTIVE, fit_calibration
from recurra.tasks.labelling.likelihoods import Scored
from recurra.text.label_symbols import Symbols

if TYPE_CHECKING:
    from recurra.tasks.labelling.calibrated import CalibratedModel
    from recurra.tasks.labelling.labeller import Labeller


def calibrate(
    model: "CalibratedModel",
    data: Any,
    bad: BadRows,
    *,
    maximise: str | None = None,
    threshold_for: Mapping[str, str] | None = None,
) -> Calibration:
    """Fit a calibration to the rows of a file or to the validation data, and save it in the run folder.

    Raises: ConfigError if the model has no run folder, or for both `maximise` and `threshold_for`; DataError
    for training data; as `fit_calibration`.
    """
    check_has_labels(model.symbols, "calibrate")
    if maximise is not None and threshold_for is not None:
        raise ConfigError(
            "maximise: cannot be combined with threshold_for, where each label has its own objective, "
            "such as precision:0.9 or f2; remove it."
        )
    run = model.run
    if run is None:
        raise ConfigError("calibrate: the model has no run folder to save it in; train it into one.")
    check_data(data)
    in_memory = is_in_memory(data)
    if data is not None and not in_memory:
        _refuse_training_file(run, Path(data))
    name = "validation data" if data is None else "rows in memory" if in_memory else str(data)
    rows = model.rows_of(data, bad)
    _refuse_training_rows(run, rows, name)
    scored = Scored.of(model.network, EncodedRows(rows, model.symbols, model.config.max_words), model.device)
    found = fit_calibration(scored, name, maximise=maximise or DEFAULT_OBJECTIVE, objectives=threshold_for)
    if model.weights_sum is None:
        raise RunError(f"{run.weights}: is missing; restore it from a copy or train again.")
    found.save(run, model.weights_sum)
    return found


def calibrate_with(
    model: "Labeller", data: Path | None, options: LabelCalibrationPart
) -> tuple["Labeller", BadRows]:
    """Calibrate as `recurra calibrate` does; return the calibrated model and the rows that were skipped."""
    given = options.given()
    maximise, listed = given.pop("maximise", None), given.pop("threshold_for", ())
    model, bad = reading_with(model, data, given)
    objectives = parsed_objectives(listed, model.symbols) if listed else None
    model.calibration = calibrate(model, data, bad, maximise=maximise, threshold_for=objectives)
    return model, bad


def reading_with(model: "Labeller", data: Path | None, given: dict[str, Any]) -> tuple["Labeller", BadRows]:
    """Return the model with the given options of reading a file. Raises: ConfigError without a file."""
    skip_bad = given.pop("skip_bad", model.config.skip_bad)
    if given and data is None:
        raise ConfigError(f"{min(given)}: applies to a file that is given as data; give one or remove it.")
    return model.reading(**given), BadRows(skip_bad)


def parsed_objectives(given: tuple[str, ...], symbols: Symbols) -> dict[str, str]:
    """Return objectives by label from texts LABEL=OBJECTIVE, or LABEL for the highest F1."""
    found = {}
    for text in given:
        name, equals, objective = text.rpartition("=")
        if not equals or _is_label(text, symbols):
            name, objective = text, DEFAULT_OBJECTIVE
        found[name] = objective
    return found


def _is_label(name: str, symbols: Symbols) -> bool:
    with suppress(ConfigError):
        find_label(name, symbols, "threshold_for")
        return True
    return False


def _refuse_training_file(run: RunFolder, data: Path) -> None:
    """Refuse the file that the model was trained on, even if a part of it was held out."""
    trained = str(driver.known_of(run).facts["train"]["path"])
    same = trained in (str(data), str(data.absolute()))
    with suppress(OSError):
        same = same or os.path.samefile(data, trained)
    if same:
        raise DataError.advising(
            f"{data}: is the file that the model was trained on, and its probabilities are too high there",
            "omit data to use the validation data",
            "name another file",
        )


def _refuse_training_rows(run: RunFolder, rows: list[Example], name: str) -> None:
    """Refuse the rows that the model was trained on, in a copy of their file or as validation data."""
    if fingerprint_of(rows) == driver.known_of(run).facts["train"]["fingerprint"]:
        raise DataError.advising(
            f"{name}: has the rows that the model was trained on, and its probabilities are too high there",
            "name another file as data",
        )
