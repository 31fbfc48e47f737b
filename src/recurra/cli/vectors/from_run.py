"""`recurra vectors from RUN`."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def from_run(
    run: Annotated[
        Path,
        typer.Argument(help="Folder of a run of a language model, a tagger, a classifier or word vectors."),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="File to write (.npz, .txt, .vec, .bin), or a folder."),
    ],
    kind: Annotated[
        Literal["input", "output", "contextual"],
        typer.Option(
            help="Embedding (input), rows of the output layer (output), or mean of the last layer's states "
            "over the occurrences of each word (contextual)."
        ),
    ] = "input",
    data: Annotated[
        Path | None,
        typer.Option(
            help="File to read for contextual vectors, in a format of training data (if not given, the "
            "training data)."
        ),
    ] = None,
    min_count: Annotated[
        int, typer.Option(min=1, help="Contextual: leave out words that occur less often.")
    ] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite an existing file.")] = False,
) -> None:
    """Write the word vectors of a run of another task.

    recurra vectors from runs/lm -o lm-vectors.npz --kind output
    """
    from recurra.errors import ConfigError
    from recurra.plain import counted
    from recurra.tasks.model import load
    from recurra.tasks.word_sources import check_vectors_out, write_vectors

    for option, given in (("data", data is not None), ("min_count", min_count > 1)):
        if given and kind != "contextual":
            raise ConfigError(f"{option}: applies only with kind contextual; set that, or remove {option}.")
    check_vectors_out(out, overwrite=overwrite)
    found = load(run).word_vectors(kind, data, min_count=min_count)
    write_vectors(found, out)
    typer.echo(f"{counted(len(found), 'word')}, {found.vector_size} dimensions: {out}")
