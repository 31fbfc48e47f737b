"""`recurra complete RUN TEXT`."""

from pathlib import Path
from typing import Annotated

import typer

from recurra.plain import json_line


def complete(
    run: Annotated[Path, typer.Argument(help="Folder of a trained run.")],
    text: Annotated[str, typer.Argument(help="What was typed so far.")],
    k: Annotated[int, typer.Option("-k", min=1, help="How many endings.")] = 5,
    length: Annotated[
        int | None,
        typer.Option(min=1, help="At most so many words (default 1), or symbols of a word's rest (24)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """The k likeliest next words, or endings of the word begun, with their probabilities."""
    from recurra.tasks.language_modeling.facade import LanguageModel
    from recurra.tasks.model import load

    found = load(run, LanguageModel).complete(text, k=k, length=length)
    if as_json:
        typer.echo(json_line([{"ending": e, "probability": p} for e, p in found]))
        return
    if not found:
        typer.echo("the model knows no way to go on from there", err=True)
    for ending, probability in found:
        typer.echo(f"{probability:.4f}  {ending}" if probability >= 1e-4 else f"{probability:.0e}  {ending}")
