"""`recurra demo [NAME]`."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def demo(
    name: Annotated[
        Literal["kinematics", "dogs", "slots", "sentiment", "names", "translate", "vectors", "trigger"],
        typer.Argument(
            help="kinematics: a language model learns to write physics problems; dogs: the smallest example; "
            "slots, sentiment: tasks that need memory; names: a task that needs word vectors; translate: "
            "written dates to ISO 8601, with a picture of the attention; vectors: neighbours, analogies, a "
            "map, and a bias that is removed; trigger: a word in a stream of sound."
        ),
    ] = "kinematics",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder for the runs (if not given, runs/demo or runs/NAME)."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite an existing run.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of data, weights and samples.")] = 1,
) -> None:
    """Watch a recurrent network learn; no data needed."""
    if name == "dogs":
        from recurra.demos import dogs

        dogs.run(seed=seed)
    elif name == "slots":
        from recurra.demos import slots

        slots.run(out or Path("runs/slots"), overwrite=overwrite, seed=seed)
    elif name == "sentiment":
        from recurra.demos import sentiment

        sentiment.run(out or Path("runs/sentiment"), overwrite=overwrite, seed=seed)
    elif name == "names":
        from recurra.demos import names

        names.run(out or Path("runs/names"), overwrite=overwrite, seed=seed)
    elif name == "translate":
        from recurra.demos import translate

        translate.run(out or Path("runs/translate"), overwrite=overwrite, seed=seed)
    elif name == "vectors":
        from recurra.demos import vectors

        vectors.run(out or Path("runs/vectors-demo"), overwrite=overwrite, seed=seed)
    elif name == "trigger":
        from recurra.demos import trigger

        trigger.run(out or Path("runs/trigger"), overwrite=overwrite, seed=seed)
    else:
        from recurra.demos import kinematics

        kinematics.run(out or Path("runs/demo"), overwrite=overwrite, seed=seed)
