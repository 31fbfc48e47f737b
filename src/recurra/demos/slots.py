"""Slots: "arrive taipei" and "leave taipei", which a network with a narrow window often cannot tell apart.

A feed-forward network sees only the words next to the city; a recurrent network remembers the verb.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from recurra.data.synthetic.flights import write_corpus
from recurra.demos.side_by_side import (
    Training,
    claim_folder,
    only_one_right,
    show_sentences,
    show_shares,
    train_each,
    word_shares,
)
from recurra.metrics import EntityFigures
from recurra.tasks.labelling.facade import Tagger
from recurra.tasks.labelling.figures import count_figures

_SENTENCES, _TEST_SENTENCES = 2000, 500
_CITIES = ("destination", "departure")
_OPTIONS: dict[str, Any] = {
    "hidden_size": 48,
    "embedding_size": 32,
    "epochs": 10,
    "learning_rate": 0.01,
    "dropout": 0.2,
    "input_dropout": 0.1,
    "sentence_loss_weight": 0.0,
}


@dataclass(frozen=True)
class SlotsResult:
    """F1 of the cities of baseline and network, and the number of sentences that only one gets right."""

    baseline: float
    network: float
    only_network: int
    only_baseline: int


def run(out: Path, *, overwrite: bool = False, seed: int = 1, console: Console | None = None) -> SlotsResult:
    """Train both models on generated sentences, and show where they differ.

    Raises: RunError if `out` is in the way.
    """
    console = console or Console()
    claim_folder(out, overwrite=overwrite)
    data, test = out / "flights.iob", out / "test.iob"
    write_corpus(data, _SENTENCES, seed)
    write_corpus(test, _TEST_SENTENCES, seed + 1000)
    console.print(f"{_SENTENCES:,} training sentences, {_TEST_SENTENCES:,} test sentences.")
    console.print("Which city is the destination, and which the place of departure?\n")
    trainings = [
        Training("one word per side", "window", {"model": "window"}),
        Training("recurrent network", "recurrent", {}),
    ]
    rows, contenders = train_each(console, Tagger, trainings, data, test, seed=seed, **_OPTIONS)
    scores = []
    for contender in contenders:
        figures = count_figures(rows, contender.said, contender.model.symbols)
        assert figures.entities is not None, "slots are spans"
        scores.append(_of_cities(figures.entities))
        dates = figures.entities.by_type["date"].f1
        console.print(f"{contender.name:>18}: F1 of the cities {scores[-1]:.1%}, of the dates {dates:.1%}")
    baseline, network = contenders
    won, lost = only_one_right(rows, network, baseline), only_one_right(rows, baseline, network)
    console.print(
        f"\n{len(won)} sentences are right only with the recurrent network, {len(lost)} only with the window."
    )
    console.print(
        "The window sees the verb only if it is next to the city; both models find the dates, which need "
        "no context."
    )
    show_sentences(console, rows, won, contenders, shown=3)
    if won:
        row = rows[won[0]]
        assert row.labels is not None, "a tagger's rows have labels"
        at = next(i for i, label in enumerate(row.labels) if label[2:] in _CITIES)
        console.print()
        title = f"evidence for {row.labels[at]} at {row.words[at]} (log-odds in nats)"
        show_shares(console, title, word_shares(network.model, row, row.labels[at], at))
    return SlotsResult(scores[0], scores[1], len(won), len(lost))


def _of_cities(figures: EntityFigures) -> float:
    """F1 of both city slots together."""
    hits = [figures.by_type[name] for name in _CITIES]
    found = sum(one.predicted + one.support for one in hits)
    return 2 * sum(one.correct for one in hits) / found if found else 0.0
