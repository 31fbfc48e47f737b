"""`recurra vectors nearest VECTORS WORD…`."""

from typing import Annotated

import typer

from recurra.cli.vectors.arguments import AsJson, RestrictVocab, VectorsArgument


def nearest(
    vectors: VectorsArgument,
    words: Annotated[list[str], typer.Argument(help="Words; their mean is used if there are several.")],
    topn: Annotated[int, typer.Option("--top", min=1, help="Number of words to show.")] = 10,
    restrict_vocab: RestrictVocab = None,
    as_json: AsJson = False,
) -> None:
    """Show the words with the most similar vectors, by cosine.

    recurra vectors nearest runs/vectors king
    """
    from recurra.plain import json_line
    from recurra.tasks.word_sources import open_vectors

    found = open_vectors(vectors).most_similar(words, topn=topn, restrict_vocab=restrict_vocab)
    if as_json:
        typer.echo(json_line([{"word": word, "cosine": cosine} for word, cosine in found]))
        return
    width = max(len(word) for word, _ in found)
    for word, cosine in found:
        typer.echo(f"{word:{width}}  {cosine:.4f}")
