"""`recurra export RUN`."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def export(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.")],
    kind: Annotated[
        Literal["arpa"],
        typer.Option("--format", help="Format; arpa: an n-gram model, as KenLM and SRILM read it."),
    ] = "arpa",
) -> None:
    """Export a model to a format that other programs read."""
    from recurra.tasks.language_modeling.facade import LanguageModel
    from recurra.tasks.model import load

    load(run, LanguageModel).save_arpa(out)
    typer.echo(f"{out}: {out.stat().st_size / 1e6:,.1f} MB")
