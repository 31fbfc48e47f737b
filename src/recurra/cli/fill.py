"""`recurra fill RUN TEXT`."""

from pathlib import Path
from typing import Annotated

import typer

from recurra.plain import json_line


def fill(
    run: Annotated[Path, typer.Argument(help="Folder of a trained language model.")],
    text: Annotated[str, typer.Argument(help="A line with ___ where words are missing.")] = "",
    backward: Annotated[
        Path | None,
        typer.Option(help="Run of a model trained with --direction backward, to look from the right too."),
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many ways.")] = 5,
    proposals: Annotated[int, typer.Option(min=1, help="Words to try for each gap.")] = 50,
    evaluate: Annotated[
        Path | None,
        typer.Option(
            help="Take a word out of each line of this text and look for it.", rich_help_panel="Measuring it"
        ),
    ] = None,
    lines: Annotated[
        int | None,
        typer.Option(min=1, help="Only the first lines of the text.", rich_help_panel="Measuring it"),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Which words (default 1).", rich_help_panel="Measuring it")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Fill the gaps of a sentence, with probabilities.

    recurra fill runs/forward "the cat ___ on the mat" --backward runs/backward
    """
    from recurra.errors import ConfigError
    from recurra.files import read_lines
    from recurra.tasks.language_modeling.facade import LanguageModel
    from recurra.tasks.language_modeling.filling import GapFiller
    from recurra.tasks.model import load

    if evaluate is not None and text:
        raise ConfigError("--evaluate: measures on a text of its own; leave the sentence out.")
    if evaluate is None and not (lines is None and seed is None):
        raise ConfigError("--lines and --seed: go with --evaluate; leave them out.")
    other = None if backward is None else load(backward, LanguageModel)
    filler = GapFiller(load(run, LanguageModel), other, proposals=proposals)
    if evaluate is not None:
        figures = filler.cloze(list(read_lines(evaluate))[:lines], seed=1 if seed is None else seed)
        typer.echo(json_line(figures.to_dict()) if as_json else figures.sentence())
        return
    found = filler.fill(text, k=k)
    if as_json:
        rows = [{"words": one.words, "text": one.text, "probability": one.probability} for one in found]
        typer.echo(json_line(rows))
        return
    if not found:
        typer.echo("no word that the model knows is possible there", err=True)
    for one in found:
        typer.echo(f"{one.probability:.4f}\t{one.text}")
