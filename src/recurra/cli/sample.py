"""`recurra sample RUN`."""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer


def sample(
    run: Annotated[Path, typer.Argument(help="Folder of a trained run.")],
    prime: Annotated[str, typer.Option(help="Text to go on from.")] = "",
    length: Annotated[int, typer.Option(min=1, help="Symbols to draw.")] = 500,
    temperature: Annotated[
        float, typer.Option(min=0.0, help="Below 1 bolder, above 1 more varied, 0 always the likeliest.")
    ] = 1.0,
    top_k: Annotated[int | None, typer.Option(min=1, help="Draw from the k likeliest symbols only.")] = None,
    top_p: Annotated[
        float | None, typer.Option(help="Draw from the fewest symbols that hold this probability.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=2**63 - 1, help="One seed, one text.")] = None,
    unknown: Annotated[
        Literal["redraw", "keep"], typer.Option(help="What to do where <unk> is drawn.")
    ] = "redraw",
    until_end: Annotated[bool, typer.Option("--until-end", help="Stop at the first end of a line.")] = False,
) -> None:
    """Let a language model write, shown as it is drawn."""
    from recurra.tasks.loading import load

    pieces = load(run).sample_stream(
        prime,
        length=length,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=seed,
        keep_unknown=unknown == "keep",
        until_end=until_end,
    )
    sys.stdout.write(prime)
    last = prime
    try:
        for piece in pieces:
            sys.stdout.write(piece)
            sys.stdout.flush()
            last = piece or last
        if not last.endswith("\n"):
            sys.stdout.write("\n")
    except BrokenPipeError:
        # The reader went away, as in `recurra sample … | head`; nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
