"""Names and unseen words: "robert lin is a durian cultivator" needs the meaning of durian and cultivator.

With 1-of-N a word absent from the labelled sentences carries no information; word vectors learnt from plain
text place durian near orange, and cultivator near farmer.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from rich.console import Console

from recurra.data.synthetic import names as corpus
from recurra.data.vector_files import VectorTable, write_vectors
from recurra.demos.side_by_side import Training, claim_folder, only_one_right, show_sentences, train_each
from recurra.models import LanguageModelNetwork
from recurra.tasks.labelling.facade import Tagger
from recurra.tasks.labelling.figures import count_figures
from recurra.tasks.language_modeling.facade import LanguageModel

_SENTENCES, _TEST_SENTENCES, _LINES = 60, 200, 3000
_FAMOUS = "robert lin is a durian cultivator"
# Small vectors and strong weight decay, so that they store only what words have in common.
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
    """F1 of the names in sentences with unseen nouns, and the label of robert, by representation."""

    f1: dict[str, float]
    famous: dict[str, str]


def run(out: Path, *, overwrite: bool = False, seed: int = 1, console: Console | None = None) -> NamesResult:
    """Train a tagger per word representation on a few labelled sentences, and test it on unseen words.

    Raises: RunError if `out` is in the way.
    """
    console = console or Console()
    claim_folder(out, overwrite=overwrite)
    data, test, text = out / "names.conll", out / "test.conll", out / "text.txt"
    corpus.write_corpus(data, _SENTENCES, seed)
    corpus.write_corpus(test, _TEST_SENTENCES, seed + 1000, rare=True)
    corpus.write_plain_text(text, _LINES, seed)
    console.print(
        f"{_SENTENCES} labelled training sentences: {', '.join(corpus.FRUITS)}; {', '.join(corpus.PEOPLE)}; "
        f"{', '.join(corpus.COMPANIES)}."
    )
    console.print(
        f"{_TEST_SENTENCES} test sentences with other words: {', '.join(corpus.RARE_FRUITS)}; "
        f"{', '.join(corpus.RARE_PEOPLE)}; {', '.join(corpus.RARE_COMPANIES)}."
    )
    console.print(f"{_LINES:,} lines without labels or names have all of these words.\n")
    console.print("training: a language model on those lines, for its word vectors …")
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
        f"\n{len(won)} sentences are right only with the vectors, {len(lost)} only with "
        "1-of-N, in which all these words look alike."
    )
    show_sentences(console, rows, won, contenders, shown=2)
    console.print(f"\nAn example (a random guess is right half of the time):\n  {_FAMOUS}")
    for contender in contenders:
        first = contender.model.predict(_FAMOUS).words[0]
        famous[contender.name] = first.label
        console.print(f"{contender.name:>21}: {first.text}: {first.label} ({first.probability:.0%})")
    return NamesResult(f1, famous)


def _vectors_of(model: LanguageModel) -> VectorTable:
    """Return a language model's words and their vectors, without symbols that are not words."""
    network = model.network
    assert isinstance(network, LanguageModelNetwork), "the model is a network"
    symbols = model.tokenizer.vocabulary.symbols
    kept = [i for i, symbol in enumerate(symbols) if symbol.isalpha()]
    weights = network.embedding.weight.detach()[kept]
    return VectorTable([symbols[i] for i in kept], weights.numpy())


def _nearest(vectors: VectorTable, word: str, count: int = 4) -> list[str]:
    unit = F.normalize(torch.from_numpy(vectors.vectors), dim=1)
    likeness = unit @ unit[vectors.words.index(word)]
    return [vectors.words[i] for i in likeness.argsort(descending=True).tolist()[1 : count + 1]]
