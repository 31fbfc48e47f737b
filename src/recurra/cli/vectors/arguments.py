"""What the verbs of `recurra vectors` share: arguments, and output."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

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
