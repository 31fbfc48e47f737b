"""Names: "robert lin is a durian cultivator", which one can only read who has met durians and cultivators.

After the notes: with 1-of-N a word that no labelled sentence had says nothing; vectors learnt from plain text
have durian beside orange, and cultivator beside farmer.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from rich.console import Console

from recurra.data.synthetic import names as corpus
from recurra.data.vector_files import WordVectors, write_vectors
from recurra.demos.side_by_side import Training, claim_folder, only_one_right, show_sentences, train_each
from recurra.models import LanguageModelNetwork
from recurra.tasks.labelling.facade import Tagger
from recurra.tasks.labelling.figures import count_figures
from recurra.tasks.language_modeling.facade import LanguageModel

_SENTENCES, _TEST_SENTENCES, _LINES = 60, 200, 3000
_FAMOUS = "robert lin is a durian cultivator"
# Few numbers and much decay: only what words have in common is worth its place in them.
_VECTORS: dict[str, Any] = {
    "unit": "word",
    "embedding_size": 8,
    "hidden_size": 32,
    "epochs": 12,
    "batch_size": 8,
    "segment_length": 20,
    "learning_rate": 0.01,
    "dropout": 0.1,
    "weight_decay": 0.3,
}
_OPTIONS: dict[str, Any] = {
    "hidden_size": 24,
    "epochs": 30,
    "batch_size": 8,
    "learning_rate": 0.01,
    "dropout": 0.2,
    "input_dropout": 0.1,
}


@dataclass(frozen=True)
class NamesResult:
    """F1 of the names before nouns that no labelled sentence had, and what robert is, by representation."""

    f1: dict[str, float]
    famous: dict[str, str]


def run(out: Path, *, overwrite: bool = False, seed: int = 1, console: Console | None = None) -> NamesResult:
    """Train a tagger for each representation on a few labelled sentences, and ask about words not in them.

    Raises: RunError if `out` is in the way.
    """
    console = console or Console()
    claim_folder(out, overwrite=overwrite)
    data, test, text = out / "names.conll", out / "test.conll", out / "text.txt"
    corpus.write_corpus(data, _SENTENCES, seed)
    corpus.write_corpus(test, _TEST_SENTENCES, seed + 1000, rare=True)
    corpus.write_plain_text(text, _LINES, seed)
    console.print(
        f"{_SENTENCES} sentences with labels: {', '.join(corpus.FRUITS)}; {', '.join(corpus.PEOPLE)}; "
        f"{', '.join(corpus.COMPANIES)}."
    )
    console.print(
        f"{_TEST_SENTENCES} to be asked about, of other words: {', '.join(corpus.RARE_FRUITS)}; "
        f"{', '.join(corpus.RARE_PEOPLE)}; {', '.join(corpus.RARE_COMPANIES)}."
    )
    console.print(f"{_LINES:,} lines without labels or names have them all.\n")
    console.print("training: a language model on those lines, for its words' vectors …")
    vectors = _vectors_of(
        LanguageModel.train(text, out=out / "language-model", overwrite=True, seed=seed, **_VECTORS)
    )
    write_vectors(out / "vectors.txt", vectors)
    for word in ("durian", "cultivator"):
        console.print(f"  nearest to {word}: {', '.join(_nearest(vectors, word))}")
    of_file = {"word_vectors": "pretrained", "vectors": str(out / "vectors.txt"), "freeze_vectors": True}
    trainings = [
        Training("1-of-N", "one-hot", {"word_vectors": "one-hot", "one_hot_unknown": False}),
        Training("1-of-N with other", "other", {"word_vectors": "one-hot"}),
        Training("learnt from labels", "learnt", {"embedding_size": 8}),
        Training("vectors of plain text", "vectors", of_file),
    ]
    rows, contenders = train_each(console, Tagger, trainings, data, test, seed=seed, **_OPTIONS)
    console.print()
    f1: dict[str, float] = {}
    famous: dict[str, str] = {}
    for contender in contenders:
        figures = count_figures(rows, contender.said, contender.model.symbols)
        assert figures.entities is not None, "names are spans"
        f1[contender.name] = figures.entities.overall.f1
        console.print(f"{contender.name:>21}: F1 of the names {f1[contender.name]:.1%}")
    one_hot, with_vectors = contenders[0], contenders[-1]
    won, lost = only_one_right(rows, with_vectors, one_hot), only_one_right(rows, one_hot, with_vectors)
    console.print(
        f"\n{len(won)} sentences only the vectors get right, {len(lost)} only 1-of-N, "
        "to which all these words are one and the same."
    )
    show_sentences(console, rows, won, contenders, shown=2)
    console.print(f"\nThe sentence of the notes (one guess in two is right):\n  {_FAMOUS}")
    for contender in contenders:
        first = contender.model.predict(_FAMOUS).words[0]
        famous[contender.name] = first.label
        console.print(f"{contender.name:>21}: {first.text}: {first.label} ({first.probability:.0%})")
    return NamesResult(f1, famous)


def _vectors_of(model: LanguageModel) -> WordVectors:
    """A language model's words with their vectors, without symbols that are no words."""
    network = model.network
    assert isinstance(network, LanguageModelNetwork), "it was trained, not counted"
    symbols = model.tokenizer.vocabulary.symbols
    kept = [i for i, symbol in enumerate(symbols) if symbol.isalpha()]
    weights = network.embedding.weight.detach()[kept]
    return WordVectors([symbols[i] for i in kept], weights.numpy())


def _nearest(vectors: WordVectors, word: str, count: int = 4) -> list[str]:
    unit = F.normalize(torch.from_numpy(vectors.vectors), dim=1)
    likeness = unit @ unit[vectors.words.index(word)]
    return [vectors.words[i] for i in likeness.argsort(descending=True).tolist()[1 : count + 1]]
