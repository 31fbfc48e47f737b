"""`recurra data make NAME`."""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from recurra.cli.help import Command, Group

_WHAT = {
    "kinematics": "problems",
    "flights": "sentences",
    "reviews": "reviews",
    "names": "sentences",
    "dialogues": "dialogues",
    "shapes": "clips",
    "dates": "dates",
    "pictures": "pictures",
}

app = typer.Typer(
    help="Create synthetic data sets.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    cls=Group,
)


@app.callback()
def _data() -> None:
    pass


@app.command("make", cls=Command)
def make(
    name: Annotated[
        Literal["kinematics", "flights", "reviews", "names", "dialogues", "shapes", "dates", "pictures"],
        typer.Argument(
            help="kinematics: physics problems with solutions; flights: sentences with slots; reviews: "
            "restaurant reviews with negations; names: sentences about people and companies; dialogues: "
            "turns with slots (.jsonl); shapes: clips of moving shapes (.npz); dates: written dates and "
            "ISO 8601 (.tsv); pictures: images of two shapes, their features (.npz) and captions."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.")],
    count: Annotated[
        int,
        typer.Option(min=1, help="Number of examples."),
    ] = 5000,
    seed: Annotated[int, typer.Option(min=0, help="Random seed; the same seed gives the same file.")] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a synthetic corpus to a file."""
    from importlib import import_module

    from recurra.errors import StorageError

    if os.path.exists(out) and not overwrite:
        raise StorageError(f"{out}: already exists; name another file, or overwrite it with --overwrite.")
    import_module(f"recurra.data.synthetic.{name}").write_corpus(out, count, seed)
    typer.echo(f"{count:,} {_WHAT[name]}: {out}")
