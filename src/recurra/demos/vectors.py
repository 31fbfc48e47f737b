"""Word vectors: neighbours, analogies, maps, and a bias that is measured and removed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from recurra.data.synthetic import people as corpus
from recurra.demos.side_by_side import claim_folder
from recurra.errors import MissingExtra
from recurra.models.word_vectors.keyed import KeyedVectors
from recurra.tasks.vectors.debiasing import Checks, DebiasReport, debias_vectors
from recurra.tasks.vectors.facade import WordVectors
from recurra.tasks.vectors.mapping import MapPlan, draw_map, draw_pairs

_SENTENCES = 20_000
_OPTIONS: dict[str, Any] = {"embedding_size": 24, "epochs": 8, "subsample": 0.01, "threads": 1}
_WORDS = ("king", "doctor", "apple")
_ASKED = (("man", "king", "woman"), ("boy", "prince", "girl"), ("father", "doctor", "mother"))
_EQUAL = "babysitter"  # as in the lecture notes: as near to the one as to the other


@dataclass(frozen=True)
class VectorsResult:
    """The analogies of pairs that are right, of all; the direct bias before and after; files written."""

    right: int
    asked: int
    bias: tuple[float, float]
    files: tuple[Path, ...]


def run(
    out: Path, *, overwrite: bool = False, seed: int = 1, console: Console | None = None
) -> VectorsResult:
    """Train word vectors on sentences about people, and use them.

    Raises: RunError if `out` is in the way.
    """
    console = console or Console()
    claim_folder(out, overwrite=overwrite)
    text = out / "text.txt"
    corpus.write_corpus(text, _SENTENCES, seed)
    console.print(f"{_SENTENCES:,} sentences such as:")
    with text.open(encoding="utf-8") as lines:
        for line, _ in zip(lines, range(3), strict=False):
            console.print(f"  {line.strip()}")
    console.print("\ntraining: skip-gram with negative sampling …")
    vectors = WordVectors.train(text, out=out / "run", overwrite=True, seed=seed, **_OPTIONS)
    for word in _WORDS:
        console.print(f"  nearest to {word}: {_listed(vectors, positive=[word])}")
    console.print()
    for a, b, c in _ASKED:
        console.print(f"  {a} : {b} = {c} : {_listed(vectors, positive=[b, c], negative=[a], count=3)}")
    right, asked = _analogies(vectors)
    console.print(f"  {right} of {asked} analogies between pairs of men and women are right.\n")
    files = _pictures(console, vectors, out)
    report = debias_vectors(
        vectors, corpus.PAIRS, checks=Checks(words=list(corpus.MEN_AMONG), analogies=[_ASKED[-1]]), seed=seed
    )
    report.vectors.save_vectors(out / "debiased.npz")
    _told(console, vectors, report)
    return VectorsResult(right, asked, report.bias, (*files, out / "debiased.npz"))


def _listed(
    vectors: KeyedVectors, positive: list[str], negative: list[str] | None = None, count: int = 5
) -> str:
    found = vectors.most_similar(positive=positive, negative=negative, topn=count)
    return ", ".join(f"{word} {cosine:.2f}" for word, cosine in found)


def _analogies(vectors: KeyedVectors) -> tuple[int, int]:
    """Return how many of the analogies between two of the pairs are right, and their number."""
    each = [(first, second) for first in corpus.PAIRS for second in corpus.PAIRS if first != second]
    found = [
        vectors.most_similar(positive=[b, c], negative=[a], topn=1)[0][0] == expected
        for (a, b), (c, expected) in each
    ]
    return sum(found), len(found)


def _pictures(console: Console, vectors: KeyedVectors, out: Path) -> list[Path]:
    """Draw the pairs in the plane and, if openTSNE is installed, the map of all words."""
    files = [out / "pairs.png"]
    console.print(draw_pairs(vectors, corpus.PAIRS, MapPlan(files[0], overwrite=True)))
    try:
        console.print(draw_map(vectors, vectors.index_to_key, MapPlan(out / "map.html", overwrite=True)))
        files.append(out / "map.html")
    except MissingExtra as error:
        console.print(f"no map: {error}")
    return files


def _told(console: Console, vectors: KeyedVectors, report: DebiasReport) -> None:
    explained = report.direction.explained
    console.print(f"\nbias: {explained:.0%} of the variance of the pairs is in one direction")
    for word, (before, after) in report.cosines.items():
        share = corpus.MEN_AMONG[word]
        told = f"cosine {before:+.2f} before, {abs(after):.2f} after"
        console.print(f"  {word:10}  {share:.0%} men in the text, {told}")
    for one in report.answers:
        console.print(f"  {one.line()}")
    for name, each in (("before", vectors), ("after", report.vectors)):
        to = [f"{each.similarity(_EQUAL, word):.3f} to {word}" for word in ("father", "mother")]
        console.print(f"  {name}: cosine of {_EQUAL} {', '.join(to)}")
