"""`recurra demo [NAME]`."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def demo(
    name: Annotated[
        Literal["kinematics", "dogs"],
        typer.Argument(help="kinematics: learning to write physics problems; dogs: the smallest example."),
    ] = "kinematics",
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the run of kinematics.")] = Path(
        "runs/demo"
    ),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Begin anew over an earlier run.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the data, the weights and the samples.")] = 1,
) -> None:
    """Watch a recurrent network learn; needs no data."""
    if name == "dogs":
        from recurra.demos import dogs

        dogs.run(seed=seed)
    else:
        from recurra.demos import kinematics

        kinematics.run(out, overwrite=overwrite, seed=seed)
