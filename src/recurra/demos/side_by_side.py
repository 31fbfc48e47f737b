"""Comparison of a baseline and a recurrent network on the same sentences, with attributions to words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from recurra.data.examples import Example
from recurra.errors import RunError
from recurra.inspection import gradient_times_input, occlusion
from recurra.models.classifier import ClassifierNetwork
from recurra.models.tagger import TaggerNetwork
from recurra.runs import RunFolder
from recurra.tasks.labelling.feeds import EncodedRows
from recurra.tasks.labelling.labeller import Labeller
from recurra.tasks.labelling.predicting import Prediction


def claim_folder(folder: Path, *, overwrite: bool) -> None:
    """Create a folder for the runs of a demo.

    Raises: RunError if it is there and holds anything, unless that may be written over, and no process writes
    to a run in it.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())) and not overwrite:
        raise RunError(
            f"{folder}: already exists; choose another folder with -o, or overwrite it with --overwrite."
        )
    for run in folder.glob("*/run.toml"):
        with RunFolder(run.parent).locked():
            pass
    folder.mkdir(parents=True, exist_ok=True)


@dataclass(frozen=True)
class Contender:
    """A trained model and its predictions for the test sentences."""

    name: str
    model: Labeller
    said: Sequence[Prediction]


class Training(NamedTuple):
    """The name of a contender, the folder of its run, and its own options."""

    name: str
    folder: str
    options: Mapping[str, Any]


def train_each(
    console: Console,
    kind: type[Labeller],
    trainings: Sequence[Training],
    data: Path,
    test: Path,
    **options: Any,
) -> tuple[list[Example], list[Contender]]:
    """Train each contender in a folder next to the data, and predict the test rows."""
    contenders, rows = [], []
    for name, folder, own in trainings:
        console.print(f"training: {name} …")
        model = kind.train(data, out=data.parent / folder, overwrite=True, **options, **own)
        rows = model.rows_of(test)
        contenders.append(Contender(name, model, model.predict_rows(rows)))
    return rows, contenders


def right(row: Example, said: Prediction) -> bool:
    """Whether all labels of a row are correct."""
    return row.labels == said.labels and (said.label is None or row.label == said.label)


def only_one_right(rows: Sequence[Example], one: Contender, other: Contender) -> list[int]:
    """Return the rows that `one` labels correctly and `other` does not."""
    return [i for i, row in enumerate(rows) if right(row, one.said[i]) and not right(row, other.said[i])]


def word_shares(
    model: Labeller, row: Example, label: str, at: int | None = None
) -> list[tuple[str, float, float]]:
    """Return each word of a row with its gradient x input and occlusion for the log-odds of a label."""
    names = model.symbols.classes if at is None else model.symbols.labels
    assert names is not None, "the label is one of the model's"
    assert isinstance(model.network, ClassifierNetwork | TaggerNetwork), "pairs are not shown"
    batch = EncodedRows([row], model.symbols).batch([0])
    by_gradient = gradient_times_input(model.network, batch, names.ids[label], at).tolist()
    by_occlusion = occlusion(model.network, batch, names.ids[label], at).tolist()
    return list(zip(row.words, by_gradient, by_occlusion, strict=True))


def show_shares(console: Console, title: str, shares: Sequence[tuple[str, float, float]]) -> None:
    """Print a table of words and their scores."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in ("word", "gradient x input", "occlusion"):
        table.add_column(column, justify="left" if column == "word" else "right")
    most = max(abs(left_out) for _, _, left_out in shares)
    for word, by_gradient, left_out in shares:
        strong = "bold" if abs(left_out) > most / 2 else ""
        table.add_row(Text(word, strong), f"{by_gradient:+.2f}", f"{left_out:+.2f}")
    console.print(table)


def show_sentences(
    console: Console,
    rows: Sequence[Example],
    chosen: Sequence[int],
    contenders: Sequence[Contender],
    shown: int,
) -> None:
    """Print some sentences and the prediction of each contender."""
    width = max(len(contender.name) for contender in contenders)
    for i in chosen[:shown]:
        console.print(Text(f"  {' '.join(rows[i].words)}"))
        for contender in contenders:
            console.print(Text(f"    {contender.name:>{width}}: {_answer(rows[i], contender.said[i])}"))


def _answer(row: Example, said: Prediction) -> str:
    if said.labels is not None:
        pairs = zip(row.words, said.labels, strict=True)
        return ", ".join(f"{word}: {label}" for word, label in pairs if label != "O") or "no labels"
    return f"{said.label} ({said.confidence:.0%})"
