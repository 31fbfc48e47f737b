"""The page of a tagger's or classifier's run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recurra.reports import Table, reliability_diagram, write_report
from recurra.runs import RunFolder
from recurra.tasks.labelling.facade import Labeller

_WIDEST_CONFUSION = 12  # labels: a wider table is wider than the page
_TITLES = {"tag": "Tagger", "classify": "Classifier", "pair": "Classifier of pairs"}
_PARTS = {"final": "held-out rows", "test": "test rows"}
_SHARES = {
    "f1": "F1",
    "tag_accuracy": "words right",
    "accuracy": "accuracy",
    "exact": "rows right throughout",
}


def write_page(model: Labeller, run: Path) -> Path:
    """Write report.html from what the run's metrics say of its end; returns its path.

    Raises: RunError if the run has no metrics yet, StorageError if it cannot be written.
    """
    folder = RunFolder.open(run)
    figures: dict[str, str] = {}
    tables: list[Table] = []
    pictures: dict[str, str] = {}
    for record in folder.metrics.read():
        part = _PARTS.get(record["kind"])
        if part is not None:
            figures |= {
                f"{part}: {name}": f"{record[key]:.2%}" for key, name in _SHARES.items() if key in record
            }
            tables += _tables(part, record)
            pictures[f"is it right as often as it says? {part}"] = reliability_diagram(record["bins"])
    unit = "word" if model.task == "tag" else "row"
    return write_report(
        folder, title=_TITLES[model.task], unit=unit, figures=figures, tables=tables, pictures=pictures
    )


def _tables(part: str, record: Mapping[str, Any]) -> list[Table]:
    """What the record of a part says of each label, what is taken for what, and of its probabilities."""
    found = []
    for title, labels in record["by_label"].items():
        rows = [
            [name, *(f"{hits[key]:.2%}" for key in ("precision", "recall", "f1")), f"{hits['wanted']:,}"]
            for name, hits in labels.items()
        ]
        found.append(Table(f"{title}, {part}", ["", "precision", "recall", "F1", "wanted"], rows))
    if "confusion" in record and len(record["confusion"]["labels"]) <= _WIDEST_CONFUSION:
        names, counts = record["confusion"]["labels"], record["confusion"]["counts"]
        rows = [[name, *map(str, row)] for name, row in zip(names, counts, strict=True)]
        found.append(Table(f"wanted, and taken for, {part}", ["", *names], rows))
    bins = [
        [f"{i / 10:.1f} to {(i + 1) / 10:.1f}", f"{count:,}", f"{said:.2%}", f"{right:.2%}"]
        for i, (count, said, right) in enumerate(record["bins"])
        if count
    ]
    columns = ["probability", "how many", "said on the mean", "were right"]
    found.append(Table(f"probabilities, {part} (error {record['calibration_error']:.2%})", columns, bins))
    return found
