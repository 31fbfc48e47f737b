"""Sentiment: "completely lacking in good taste, good service, and good ambience" misleads a mean of vectors.

The mean only counts good words; a network that reads the words in order also sees what precedes them.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from recurra.data.examples import Example
from recurra.data.synthetic.reviews import write_corpus
from recurra.demos.side_by_side import (
    Training,
    claim_folder,
    only_one_right,
    show_sentences,
    show_shares,
    train_each,
    word_shares,
)
from recurra.tasks.labelling.facade import Classifier
from recurra.tasks.labelling.figures import count_figures

_REVIEWS, _TEST_REVIEWS = 2000, 500
_FAMOUS = "completely lacking in good taste , good service , and good ambience"
_OPTIONS: dict[str, Any] = {
    "format": "label-text",
    "embedding_size": 32,
    "epochs": 6,
    "learning_rate": 0.005,
    "dropout": 0.2,
}


@dataclass(frozen=True)
class SentimentResult:
    """Accuracy of the baseline and of the network, and the label that each predicts for the example."""

    baseline: float
    network: float
    famous: tuple[str, str]


def run(
    out: Path, *, overwrite: bool = False, seed: int = 1, console: Console | None = None
) -> SentimentResult:
    """Train both models on generated reviews, and show where they differ.

    Raises: RunError if `out` is in the way.
    """
    console = console or Console()
    claim_folder(out, overwrite=overwrite)
    data, test = out / "reviews.txt", out / "test.txt"
    write_corpus(data, _REVIEWS, seed)
    write_corpus(test, _TEST_REVIEWS, seed + 1000)
    console.print(f"{_REVIEWS:,} training reviews, {_TEST_REVIEWS:,} test reviews.\n")
    trainings = [
        Training("mean of vectors", "average", {"model": "average"}),
        Training("recurrent network", "recurrent", {"hidden_size": 32}),
    ]
    rows, contenders = train_each(console, Classifier, trainings, data, test, seed=seed, **_OPTIONS)
    scores = []
    for contender in contenders:
        figures = count_figures(rows, contender.said, contender.model.symbols)
        assert figures.classes is not None, "reviews have labels"
        scores.append(figures.classes.accuracy)
        console.print(
            f"{contender.name:>18}: accuracy {scores[-1]:.1%} (majority baseline: "
            f"{figures.classes.majority:.1%})"
        )
    baseline, network = contenders
    won, lost = only_one_right(rows, network, baseline), only_one_right(rows, baseline, network)
    console.print(
        f"\n{len(won)} reviews are right only with the recurrent network, {len(lost)} only with the mean: "
        "good words are as frequent in negative reviews as in positive ones, so the words before them decide."
    )
    show_sentences(console, rows, won, contenders, shown=3)
    famous = Example(tuple(_FAMOUS.split()), label="negative")
    copies = data.read_text(encoding="utf-8").count(f" {_FAMOUS}\n")
    console.print(f"\nAn example, which occurs {copies} times in the training data:\n  {_FAMOUS}")
    answers = []
    for contender in contenders:
        (said,) = contender.model.predict_rows([famous])
        answers.append(str(said.label))
        console.print(f"{contender.name:>18}: {said.label} ({said.confidence:.0%})")
    console.print()
    for contender in contenders:
        title = f"evidence for negative, {contender.name} (log-odds in nats)"
        show_shares(console, title, word_shares(contender.model, famous, "negative"))
        console.print()
    return SentimentResult(scores[0], scores[1], (answers[0], answers[1]))
