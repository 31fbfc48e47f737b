"""What the verbs of `recurra vectors` share: arguments, and output."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from recurra.models.word_vectors.lookup import WordLookup

VectorsArgument = Annotated[
    Path,
    typer.Argument(
        metavar="VECTORS", help="Folder of a run, or file of vectors (word2vec, GloVe, fastText .vec, .npz)."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
RestrictVocab = Annotated[
    int | None, typer.Option(min=1, help="Look words up among the first N only (if not given, among all).")
]
Top = Annotated[int, typer.Option("--top", min=1, help="Number of words to show.")]


def print_words(found: Iterable[tuple[str, float]], *, as_json: bool) -> None:
    """Print words with their cosines."""
    from recurra.plain import json_line

    each = list(found)
    if as_json:
        typer.echo(json_line([{"word": word, "cosine": cosine} for word, cosine in each]))
        return
    width = max((len(word) for word, _ in each), default=0)
    for word, cosine in each:
        typer.echo(f"{word:{width}}  {cosine:.4f}")


def tell_unknown(vectors: "WordLookup", name: str, words: Iterable[str]) -> None:
    """Print which of the words of a list are unknown, and thus left out."""
    from recurra.plain import listed

    if unknown := [word for word in dict.fromkeys(words) if word not in vectors]:
        typer.echo(f"{name}: left out as unknown: {listed(unknown)}", err=True)
