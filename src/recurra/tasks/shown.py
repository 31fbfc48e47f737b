"""What models show: evaluations, predictions, and the pages of reports."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from recurra.errors import Interrupted
from recurra.plain import counted
from recurra.reports import Sample, Table
from recurra.runs import RunFolder
from recurra.training import Selected

PARTS = {"final": "validation", "test": "test"}
"""The kinds of the last records in metrics.jsonl, and the name of the part that each describes."""


def ignored(sentence: str) -> None:
    """Discard the sentence."""


class CountedNote(str):
    """A note that begins with a number, such as "3 outputs cut"; those of several workers are added up."""

    number: int
    noun: str
    rest: str

    def __new__(cls, number: int, noun: str, rest: str) -> Self:
        note = super().__new__(cls, f"{counted(number, noun)} {rest}")
        note.number, note.noun, note.rest = number, noun, rest
        return note

    def __getnewargs__(self) -> tuple[int, str, str]:  # type: ignore[override]
        return self.number, self.noun, self.rest


class InputPrediction(Protocol):
    """What a model predicts for one input."""

    def line(self) -> str:
        """As text: one line, or several lines if several answers were requested."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        ...


@dataclass(frozen=True)
class Evaluation:
    """The result of `recurra evaluate`: figures as plain values, the same figures as lines of text, one
    sentence for each row that was skipped, and notes on the data."""

    figures: dict[str, Any]
    lines: Sequence[str]
    left_out: Sequence[str] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Page:
    """Contents of report.html besides curves and configuration.

    `pictures` maps titles to our own SVG; `notes` are sentences on what the page does not show.
    """

    unit: str
    figures: dict[str, str]
    samples: Sequence[Sample] = ()
    tables: Sequence[Table] = ()
    pictures: dict[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()


@contextmanager
def resumable(model: str, run: str | Path) -> Iterator[None]:
    """Add to the message of an interruption how a training is resumed in Python."""
    try:
        yield
    except Interrupted as stop:
        in_python = f", or with {model}.resume({str(run)!r}) in Python" if "--resume" in str(stop) else ""
        raise Interrupted(f"{stop}{in_python}", stop.signal_number) from None


def best_checkpoint(run: RunFolder) -> dict[str, str]:
    """Return the step of the best checkpoint and the metric that selected it, if the run stores it."""
    for record in run.read_metrics():
        if record["kind"] == "final" and (selected := Selected.of_record(record)) is not None:
            return {"best checkpoint": f"step {record['step']:,}, selected by {selected}"}
    return {}
