"""The result of a search: its trials as rows and files, and the best model with the figures to report."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import Any

from recurra.files import write_text
from recurra.metrics.names import metric_name, metric_value
from recurra.plain import counted
from recurra.reports import draw_search, write_comparison
from recurra.reports.drawing import as_svg, write_png
from recurra.results import Result
from recurra.tasks import driver
from recurra.tasks.model import Model, load
from recurra.tasks.task import Task
from recurra.tasks.tuning.folder import SearchFolder

_OPTIMISTIC = (
    "the trials were compared on these data, so this figure is optimistic; name a test file with --test."
)


@dataclass(frozen=True, repr=False)
class TuningResult(Result):
    """The result of a search.

    `trials` has one flat row per trial, best first: the number, the state, the criterion (lower is better),
    the validation figures, the seconds, the value of each searched option, and why a trial failed. `options`
    are the searched options of the best trial, and `result` has the figures of the best model: on the
    validation data, and on the test data, which no trial was compared on.
    """

    task: Task
    folder: SearchFolder
    trials: list[dict[str, Any]]
    result: driver.TrainingResult
    searched: tuple[str, ...]
    defaults: Mapping[str, Any]
    has_defaults: bool
    importance: Mapping[str, float]

    @cached_property
    def best(self) -> Model:
        """The best model, loaded from `OUT/best`."""
        found: Model = load(self.result.run)
        return found

    @property
    def report(self) -> Path:
        """The page of the search."""
        return self.folder.report

    @property
    def options(self) -> dict[str, Any]:
        """The values of the searched options of the best trial, without those that do not apply."""
        return {name: self.trials[0][name] for name in self.searched if self.trials[0][name] is not None}

    @property
    def figures(self) -> list[str]:
        """The names of the validation figures that trials have."""
        own = {"trial", "state", "criterion", "seconds", "reason", *self.searched}
        return [name for name in self.trials[0] if name not in own]

    def told(self) -> str:
        """The folder, the best trial and its options."""
        options = ", ".join(f"{name}={value!r}" for name, value in self.options.items())
        return (
            f"{str(self.folder.path)!r}: best of {counted(len(self.trials), 'trial')} is trial "
            f"{self.trials[0]['trial']}, {self.shown(self.trials[0])}; {options}"
        )

    def to_rows(self, of: str | None = None) -> list[dict[str, Any]]:
        """One row per trial, best first."""
        self._refuse(of)
        return self.trials

    def shown(self, row: Mapping[str, Any]) -> str:
        """Return the validation figures of a trial as text; empty if it has none."""
        return ", ".join(
            f"{metric_name(name)} {metric_value(name, row[name])}"
            for name in self.figures
            if row.get(name) is not None
        )

    def changed(self, row: Mapping[str, Any]) -> str:
        """Return the options of a trial that differ from the defaults, as text."""
        found = [
            f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
            for name in self.searched
            if (value := row[name]) is not None and value != self.defaults[name]
        ]
        return ", ".join(found) or "defaults"

    def sentences(self) -> list[str]:
        """Return what was found, and the figures of the best model."""
        states = [row["state"].split(",")[0] for row in self.trials]
        counts = [f"{states.count(s)} {s}" for s in ("complete", "pruned", "failed") if s in states]
        best, first = self.trials[0], next((row for row in self.trials if row["trial"] == 0), None)
        found = [
            f"{counted(len(self.trials), 'trial')} ({', '.join(counts)}); best: trial {best['trial']}, "
            f"{self.shown(best)} ({self.changed(best)})"
        ]
        if not self.has_defaults:
            found.append("the space does not contain the defaults, so no trial trained them")
        elif first is not None and self.shown(first):
            found.append(f"defaults: trial 0, {self.shown(first)}")
        validation = f"validation: {self.result.validation.sentence()}"
        if self.result.test is None:
            return [*found, validation, _OPTIMISTIC]
        return [*found, validation, f"test, not searched on: {self.result.test.sentence()}"]

    def columns(self) -> list[str]:
        """Return the names of the columns of the table of trials."""
        several = self._needs_criterion
        return [
            *("trial", *map(metric_name, self.figures), *(["criterion"] if several else [])),
            *("options", "seconds", "state"),
        ]

    def cells(self) -> list[list[str]]:
        """Return the table of trials as text, best first."""
        several = self._needs_criterion
        return [
            [
                str(row["trial"]),
                *("" if row.get(n) is None else metric_value(n, row[n]) for n in self.figures),
                *(["" if row["criterion"] is None else f"{row['criterion']:.4f}"] if several else []),
                self.changed(row),
                f"{row['seconds']:.1f}",
                row["state"],
            ]
            for row in self.trials
        ]

    @property
    def _needs_criterion(self) -> bool:
        """Whether the order of the trials is not that of their only figure."""
        if len(self.figures) > 1:
            return True
        values = [row[self.figures[0]] for row in self.trials if row["criterion"] is not None]
        return values not in (sorted(values), sorted(values, reverse=True))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        test = self.result.test
        return {
            "trials": self.trials,
            "best": {"trial": self.trials[0]["trial"], "run": str(self.result.run), "options": self.options},
            "validation": self.result.validation.to_dict(),
            "test": None if test is None else test.to_dict(),
        }

    def write(self, notes: Sequence[str]) -> None:
        """Write trials.csv, tune.png and report.html.

        Raises: StorageError if they cannot be written.
        """
        table = StringIO()
        writer = csv.DictWriter(table, list(dict.fromkeys(name for row in self.trials for name in row)))
        writer.writeheader()
        writer.writerows(sorted(self.trials, key=lambda row: row["trial"]))
        write_text(self.folder.table, table.getvalue())
        drawn = [row for row in self.trials if row["criterion"] is not None]
        single = not self._needs_criterion
        figure = self.figures[0] if single else "criterion"
        label = metric_name(figure) if single else "criterion (lower is better)"
        named = {
            "figure": figure,
            "label": label,
            # A figure may be a loss: then it grows with the criterion.
            "higher": single and drawn[0][figure] > drawn[-1][figure],
            "best": self.trials[0]["trial"],
            "importance": self.importance,
        }
        write_png(self.folder.picture, draw_search, drawn, self.searched, **named)
        write_comparison(
            self.folder.report,
            title=f"Search over the options of {self.task.config.title.lower()}",
            subtitle="validation figures of each trial, best first; options that differ from the defaults",
            columns=self.columns(),
            rows=self.cells(),
            notes=notes,
            curves=as_svg(draw_search, drawn, self.searched, **named),
            heading="History and options",
        )
