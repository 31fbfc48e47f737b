"""`recurra vectors evaluate VECTORS`."""

from pathlib import Path
from typing import Annotated

import typer

from recurra.cli.vectors.arguments import AsJson, VectorsArgument


def evaluate(
    vectors: VectorsArgument,
    analogies: Annotated[
        list[Path] | None, typer.Option(help="File of analogies; may be given several times.")
    ] = None,
    similarity: Annotated[
        list[Path] | None,
        typer.Option(help="File of word pairs with similarity scores; may be given several times."),
    ] = None,
    restrict_vocab: Annotated[
        int, typer.Option(min=1, help="Look words up among the first N only.")
    ] = 300_000,
    as_json: AsJson = False,
) -> None:
    """Test word vectors on files of analogies and of similarity judgements.

    recurra vectors evaluate runs/vectors --analogies questions-words.txt
    """
    from recurra.errors import ConfigError
    from recurra.plain import json_line
    from recurra.tasks.vectors.word_tests import word_tests
    from recurra.tasks.word_sources import open_vectors

    if not analogies and not similarity:
        raise ConfigError("evaluate: has no tests; name files with --analogies or --similarity.")
    found = word_tests(open_vectors(vectors), analogies or (), similarity or (), restrict_vocab)
    for line in [json_line(found.to_dict())] if as_json else found.lines():
        typer.echo(line)
