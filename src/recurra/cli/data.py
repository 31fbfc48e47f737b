"""`recurra data make NAME`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(help="Data to train on.", no_args_is_help=True)


@app.callback()
def _data() -> None:
    pass


@app.command("make")
def make(
    name: Annotated[Literal["kinematics"], typer.Argument(help="Physics word problems with answers.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.")],
    count: Annotated[int, typer.Option(min=1, help="How many problems.")] = 5000,
    seed: Annotated[int, typer.Option(min=0, help="One seed, one file.")] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write over a file that exists.")] = False,
) -> None:
    """Write a synthetic corpus to a file."""
    from recurra.data.synthetic.kinematics import write_corpus
    from recurra.errors import StorageError

    if out.exists() and not overwrite:
        raise StorageError(f"{out}: exists; name another file or write over it with --overwrite.")
    write_corpus(out, count, seed)
    typer.echo(f"{count:,} problems: {out}")
