"""`recurra data make NAME`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

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

app = typer.Typer(help="Data to train on.", no_args_is_help=True, add_completion=False)


@app.callback()
def _data() -> None:
    pass


@app.command("make")
def make(
    name: Annotated[
        Literal["kinematics", "flights", "reviews", "names", "dialogues", "shapes", "dates", "pictures"],
        typer.Argument(
            help="kinematics: physics problems with answers; flights: sentences with slots; reviews: of "
            "restaurants, with negations; names: sentences about people and companies; dialogues: turns "
            "with slots, by conversation (.jsonl); "
            "shapes: clips of moving shapes (.npz); dates: as people write them, and in ISO 8601 (.tsv); "
            "pictures: of two shapes, their vectors (.npz), and beside them pixels and captions."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.")],
    count: Annotated[
        int,
        typer.Option(
            min=1, help="How many problems, sentences, reviews, dialogues, clips, dates or pictures."
        ),
    ] = 5000,
    seed: Annotated[int, typer.Option(min=0, help="One seed, one file.")] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write over a file that exists.")] = False,
) -> None:
    """Write a synthetic corpus to a file."""
    from importlib import import_module

    from recurra.errors import StorageError

    if out.exists() and not overwrite:
        raise StorageError(f"{out}: exists; name another file or write over it with --overwrite.")
    import_module(f"recurra.data.synthetic.{name}").write_corpus(out, count, seed)
    typer.echo(f"{count:,} {_WHAT[name]}: {out}")
