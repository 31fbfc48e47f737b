"""`recurra fill RUN TEXT`."""

from pathlib import Path
from typing import Annotated

import typer

from recurra.cli.help import formerly
from recurra.plain import json_line


@formerly(k="--n-best")
def fill(
    run: Annotated[Path, typer.Argument(help="Folder of a language model.")],
    text: Annotated[str, typer.Argument(help="Sentence with ___ in place of each missing word.")] = "",
    backward: Annotated[
        Path | None,
        typer.Option(help="Run of a model trained with --direction backward, to use the right context too."),
    ] = None,
    n_best: Annotated[int, typer.Option(min=1, help="Number of completed sentences.")] = 5,
    proposals: Annotated[int, typer.Option(min=1, help="Number of candidate words per gap.")] = 50,
    evaluate: Annotated[
        Path | None,
        typer.Option(
            help="Remove a word from each line of this text and predict it.", rich_help_panel="Evaluation"
        ),
    ] = None,
    lines: Annotated[
        int | None,
        typer.Option(min=1, help="Number of lines of the text to use.", rich_help_panel="Evaluation"),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, help="Random seed of the removed words (default: 1).", rich_help_panel="Evaluation"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Fill the gaps in a sentence with the most probable words.

    recurra fill runs/forward "the cat ___ on the mat" --backward runs/backward
    """
    from recurra.errors import ConfigError
    from recurra.tasks.language_modeling.facade import LanguageModel
    from recurra.tasks.model import load

    if evaluate is not None and text:
        raise ConfigError("--evaluate: reads a text of its own; remove the sentence.")
    if evaluate is None and not (lines is None and seed is None):
        raise ConfigError("--lines and --seed: apply only with --evaluate; give that, or remove them.")
    other = None if backward is None else load(backward, LanguageModel)
    model = load(run, LanguageModel)
    if evaluate is not None:
        drawn = 1 if seed is None else seed
        figures = model.cloze_figures(evaluate, backward=other, proposals=proposals, lines=lines, seed=drawn)
        typer.echo(json_line(figures.to_dict()) if as_json else figures.sentence())
        return
    found = model.fill(text, backward=other, n_best=n_best, proposals=proposals)
    if as_json:
        typer.echo(json_line([one.to_dict() for one in found]))
        return
    if not found:
        typer.echo("the model has no possible word for the gap", err=True)
    for one in found:
        typer.echo(f"{one.probability:.4f}\t{one.text}")
