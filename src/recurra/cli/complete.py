"""`recurra complete RUN TEXT`."""

from pathlib import Path
from typing import Annotated

import typer

from recurra.cli.help import formerly
from recurra.plain import json_line


@formerly(k="--n-best")
def complete(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    text: Annotated[str, typer.Argument(help="Text to complete.")],
    n_best: Annotated[int, typer.Option(min=1, help="Number of completions.")] = 5,
    length: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Maximum number of words, or of symbols that complete a word (if not given: 1 word, 24 "
            "symbols).",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the most probable endings of a text: the rest of its last word, or the next words.

    Word models complete a word that is not finished ("the cat sa"); a blank at the end begins a new word.
    """
    from recurra.tasks.language_modeling.facade import LanguageModel
    from recurra.tasks.model import load

    found = load(run, LanguageModel).complete(text, n_best=n_best, length=length)
    if as_json:
        typer.echo(json_line([{"ending": e, "probability": p} for e, p in found]))
        return
    if not found:
        typer.echo("the model has no continuation of this text", err=True)
    for ending, probability in found:
        typer.echo(f"{probability:.4f}  {ending}" if probability >= 1e-4 else f"{probability:.0e}  {ending}")
