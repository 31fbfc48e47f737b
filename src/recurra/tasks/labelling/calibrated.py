"""The base class of labelling models with calibrated probabilities and thresholds that decide labels."""

from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any, Literal, Self

import torch

from recurra.arguments import checks_arguments
from recurra.data.examples import BadRows, Example
from recurra.errors import ConfigError
from recurra.models.word_vectors.keyed import KeyedVectors
from recurra.runs import RunFolder
from recurra.runs.calibration_file import remove_calibration
from recurra.runs.tensor_files import sum_of_tensors
from recurra.tasks.labelling.calibrating import calibrate
from recurra.tasks.labelling.calibration import Calibration, calibration_of
from recurra.tasks.labelling.config import LabellingConfig
from recurra.tasks.labelling.curves import LabelCurves, count_curves
from recurra.tasks.labelling.deciding import Thresholds, check_has_labels
from recurra.tasks.labelling.feeds import EncodedRows
from recurra.tasks.labelling.predicting import UNSCALED, Carried, LabellingNetwork, Prediction, predict_rows
from recurra.tasks.labelling.vectors import training_rows, vectors_of_model
from recurra.tasks.model import Model
from recurra.text.label_symbols import Symbols


class CalibratedModel(Model):
    """A model with probabilities that `calibration` scales, and with labels that thresholds may decide.

    `weights_sum` is the sha256 of the weights, None for a model without a run folder.
    """

    network: LabellingNetwork
    symbols: Symbols
    config: LabellingConfig

    def __init__(
        self,
        network: LabellingNetwork,
        symbols: Symbols,
        config: LabellingConfig,
        run: RunFolder | None = None,
    ) -> None:
        super().__init__(network, symbols, config, run)
        has_weights = run is not None and run.weights.exists()
        self.weights_sum = sum_of_tensors(run.weights) if run is not None and has_weights else None
        self.calibration: Calibration | None = calibration_of(run)
        self._thresholds = Thresholds()

    @property
    def decided_by(self) -> Thresholds:
        """Thresholds that decide labels; empty if the most probable label is predicted."""
        return self._thresholds

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return next(self.network.parameters()).device

    @checks_arguments
    def rows_of(self, data: Any = None, bad: BadRows | None = None) -> list[Example]:
        """Return the rows of a file or, if none is given, the validation set; bad rows are added to `bad`."""
        raise NotImplementedError

    def _word_vectors(self, kind: str, data: Path | None, min_count: int) -> KeyedVectors:
        rows: Sequence[Example] = ()
        if kind == "contextual":
            rows = training_rows(self) if data is None else self.rows_of(data)
        return vectors_of_model(self, kind, rows, min_count)

    @checks_arguments
    def thresholds(self, data: Any = None, *, skip_bad: bool | None = None) -> LabelCurves:
        """Compute the precision and recall of each label at every threshold on its probability.

        Raises: as `evaluate`.
        """
        check_has_labels(self.symbols, "thresholds")
        rows = self.rows_of(data, BadRows(self.config.skip_bad if skip_bad is None else skip_bad))
        return count_curves(rows, self._undecided(rows, every_label=True), self.symbols)

    @checks_arguments
    def calibrate(
        self,
        data: Any = None,
        *,
        maximise: Literal["f1", "f0.5", "f2", "none"] | None = None,
        threshold_for: Mapping[str, str] | None = None,
        skip_bad: bool | None = None,
    ) -> Calibration:
        """Fit temperatures and choose thresholds, on a file or on the validation set; save them in the run.

        The temperature minimises the negative log-likelihood of the gold labels. It changes the probabilities
        of all later predictions, but no label. `threshold_for` maps the labels (or entity types) that get a
        threshold to an objective: "f1", "f0.5", "f2", "precision:P" or "recall:P". If not given, entity types
        and the less frequent one of two labels get the threshold with the highest `maximise`, by default F1;
        with more than two labels, none get one. The thresholds decide labels with `deciding`.

        Raises: as `evaluate`; ConfigError for an unknown label or objective, or for both `maximise` and
        `threshold_for`; DataError for training data.
        """
        bad = BadRows(self.config.skip_bad if skip_bad is None else skip_bad)
        self.calibration = calibrate(self, data, bad, maximise=maximise, threshold_for=threshold_for)
        return self.calibration

    def remove_calibration(self) -> None:
        """Remove the calibration from the model and from its run folder."""
        if self.run is not None:
            remove_calibration(self.run)
        self.calibration = None

    @checks_arguments
    def deciding(self, thresholds: Mapping[str, float] | None = None) -> Self:
        """Return the same model with labels decided by thresholds on their probabilities.

        model.deciding({"spam": 0.9}).predict("buy now").label

        `thresholds` are added to those that decide already; if not given, the saved ones of `calibrate`
        decide. See `Thresholds` for the rule.

        Raises: ConfigError for an unknown label or threshold, and if no thresholds are saved.
        """
        check_has_labels(self.symbols, "thresholds" if thresholds else "saved_thresholds")
        if thresholds is not None:
            others = Thresholds.named(thresholds, self.symbols)
        elif self.calibration is not None and self.calibration.thresholds:
            others = self.calibration.thresholds
        else:
            place = "the model" if self.run is None else str(self.run.path)
            raise ConfigError(
                f"saved_thresholds: {place} has no saved thresholds; choose them with `recurra calibrate`."
            )
        changed = copy(self)
        changed._thresholds = self._thresholds.with_others(others)
        return changed

    def _undecided(
        self,
        rows: Sequence[Example],
        n_best: int = 0,
        *,
        every_label: bool = False,
        carried: Carried | None = None,
    ) -> list[Prediction]:
        """Predict labels for rows that fit the network, before thresholds decide."""
        return predict_rows(
            self.network,
            EncodedRows(rows, self.symbols, self.config.max_words),
            n_best=n_best,
            device=self.device,
            carried=carried,
            temperatures=UNSCALED if self.calibration is None else self.calibration.temperatures,
            every_label=every_label or bool(self._thresholds.words),
        )
