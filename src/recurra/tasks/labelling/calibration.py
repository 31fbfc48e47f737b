"""The calibration of a run: temperatures, thresholds, and the figures that they were chosen by."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recurra.errors import RunError
from recurra.metrics import Hits, Reliability
from recurra.plain import aligned, counted
from recurra.results import Result, flat
from recurra.runs import RunFolder
from recurra.runs.calibration_file import read_calibration, write_calibration
from recurra.tasks.labelling.deciding import Thresholds
from recurra.tasks.labelling.predicting import ROWS, WORDS, Temperatures

NOT_REACHED = 1.0
"""The threshold of a label that cannot reach its objective."""
_SHOWN = 4  # thresholds in a repr
_FEW = 100  # rows


@dataclass(frozen=True)
class Fit:
    """The negative log-likelihood, in nats per label, and the reliability of predictions."""

    loss: float
    reliability: Reliability

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"negative_log_likelihood": self.loss, **self.reliability.to_dict()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Fit":
        """Return a fit from its plain values."""
        bins = [(int(count), float(said), float(right)) for count, said, right in content["bins"]]
        return cls(float(content["negative_log_likelihood"]), Reliability(bins))


@dataclass(frozen=True)
class Scaling:
    """The temperature of word labels or of the labels of rows, and how well the probabilities fit.

    `before` and `after` are measured on the rows that the temperature was fitted on. `crossed` is fitted on
    one half of the rows and measured on the other half, and vice versa; None for a single row.
    """

    where: str
    title: str
    temperature: float
    before: Fit
    after: Fit
    crossed: Fit | None
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "where": self.where,
            "labels": self.title,
            "temperature": self.temperature,
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "cross_fitted": None if self.crossed is None else self.crossed.to_dict(),
            "note": self.note,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Scaling":
        """Return a scaling from its plain values."""
        crossed = content["cross_fitted"]
        return cls(
            str(content["where"]),
            str(content["labels"]),
            float(content["temperature"]),
            Fit.from_dict(content["before"]),
            Fit.from_dict(content["after"]),
            None if crossed is None else Fit.from_dict(crossed),
            str(content["note"]),
        )

    def fits(self) -> dict[str, Fit]:
        """Return the fits that there are, by name."""
        fits = {"before": self.before, "after": self.after, "cross-fitted*": self.crossed}
        return {name: fit for name, fit in fits.items() if fit is not None}

    def lines(self) -> list[str]:
        """Return the temperature and the fits as lines."""
        there = self.fits()
        rows = [["calibration error", "negative log-likelihood"]]
        rows += [[f"{fit.reliability.error:.2%}", f"{fit.loss:.4f} nats"] for fit in there.values()]
        note = f" ({self.note})" if self.note else ""
        return [
            f"temperature of the {self.title}: {self.temperature:.4g}{note}",
            *aligned(["", *there], rows),
        ]


@dataclass(frozen=True)
class ChosenThreshold:
    """The threshold of a label, its objective, and the counts of the predictions that reach it.

    `hits` are counted on the rows that the threshold was chosen on, `crossed` on one half of the rows with a
    threshold chosen on the other half. `reached`: whether any threshold meets the objective.
    """

    where: str
    label: str
    objective: str
    threshold: float
    reached: bool
    hits: Hits
    crossed: Hits | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return vars(self) | {
            "hits": vars(self.hits),
            "crossed": None if self.crossed is None else vars(self.crossed),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "ChosenThreshold":
        """Return a chosen threshold from its plain values."""
        crossed = content["crossed"]
        hits = {"hits": Hits(**content["hits"]), "crossed": None if crossed is None else Hits(**crossed)}
        return cls(**{**content, **hits, "threshold": float(content["threshold"])})

    def cells(self) -> list[str]:
        """Return the cells of its row in a table."""
        of_crossed = ["", "", ""] if self.crossed is None else _shares(self.crossed)
        objective = self.objective + ("" if self.reached else ", not reached")
        threshold = f"{self.threshold:.4f}"
        return [objective, threshold, *_shares(self.hits), f"{self.hits.predicted:,}", *of_crossed]


COLUMNS = (
    *("objective", "threshold", "precision", "recall", "F1", "predicted"),
    *("precision*", "recall*", "F1*"),
)
OPTIMISTIC = (
    "figures on the rows that the calibration was fitted on are optimistic; those with * are fitted "
    "on one half of the rows and measured on the other half, and vice versa"
)


def _shares(hits: Hits) -> list[str]:
    return [f"{share:.2%}" for share in (hits.precision, hits.recall, hits.f1)]


@dataclass(frozen=True, repr=False)
class Calibration(Result):
    """The calibration of a model, as `calibrate` fits it and calibration.json stores it.

    `data` is the file, or "validation data"; `rows` is their number.
    """

    data: str
    rows: int
    scalings: tuple[Scaling, ...]
    chosen: tuple[ChosenThreshold, ...]

    def told(self) -> str:
        """Return the temperatures and the thresholds."""
        parts = [f"temperature of the {one.title} {one.temperature:.4g}" for one in self.scalings]
        parts += [f"threshold of {one.label} {one.threshold:.4g}" for one in self.chosen[:_SHOWN]]
        return f"{', '.join(parts)}, fitted on {counted(self.rows, 'row')}"

    def to_rows(self, of: str | None = None) -> list[dict[str, Any]]:
        """Return one row per threshold, or `of` "temperatures" one per temperature with its fits."""
        self._refuse(of, "thresholds", "temperatures")
        if of == "temperatures" or (of is None and not self.chosen):
            return [flat(one.to_dict()) for one in self.scalings]
        return [
            {
                "label": one.label,
                "objective": one.objective,
                "threshold": one.threshold,
                "reached": one.reached,
            }
            | one.hits.to_dict()
            for one in self.chosen
        ]

    @property
    def temperatures(self) -> Temperatures:
        """The temperatures that predictions use."""
        return Temperatures(**{scaling.where: scaling.temperature for scaling in self.scalings})

    @property
    def thresholds(self) -> Thresholds:
        """The thresholds that decide labels, if they are asked for."""
        found: dict[str, dict[str, float]] = {WORDS: {}, ROWS: {}}
        for one in self.chosen:
            found[one.where][one.label] = one.threshold
        return Thresholds(**found)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "data": self.data,
            "rows": self.rows,
            "temperatures": [scaling.to_dict() for scaling in self.scalings],
            "thresholds": [one.to_dict() for one in self.chosen],
        }

    def lines(self) -> list[str]:
        """Return temperatures, fits and thresholds as lines."""
        lines = [f"fitted on {counted(self.rows, 'row')}: {self.data}"]
        if self.rows < _FEW:
            lines.append("these are few rows, so that temperatures and thresholds are uncertain")
        for scaling in self.scalings:
            lines += ["", *scaling.lines()]
        if not self.chosen:
            lines += ["", "no thresholds were chosen; the option threshold_for chooses one, such as LABEL=f1"]
        else:
            rows = [one.cells() for one in self.chosen]
            lines += ["", *aligned(["thresholds", *(one.label for one in self.chosen)], [COLUMNS, *rows])]
        return [*lines, "", OPTIMISTIC]

    def save(self, run: RunFolder, weights: str) -> None:
        """Write calibration.json for weights with this sha256. Raises: as `write_calibration`."""
        write_calibration(run, self.to_dict(), weights)


def calibration_of(run: RunFolder | None) -> Calibration | None:
    """Return the calibration of a run; None if it has none. Raises: RunError if it is damaged."""
    content = None if run is None else read_calibration(run)
    if run is None or content is None:
        return None
    try:
        return Calibration(
            str(content["data"]),
            int(content["rows"]),
            tuple(map(Scaling.from_dict, content["temperatures"])),
            tuple(map(ChosenThreshold.from_dict, content["thresholds"])),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"{run.calibration}: is damaged ({error!r}); calibrate the run again.") from error
