"""Arguments that the verbs of `recurra vectors` share."""

from pathlib import Path
from typing import Annotated

import typer

VectorsArgument = Annotated[
    Path,
    typer.Argument(
        metavar="VECTORS", help="Folder of a run, or file of vectors (word2vec, GloVe, fastText .vec, .npz)."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
RestrictVocab = Annotated[
    int | None, typer.Option(min=1, help="Look words up among the first N only (if not given, among all).")
]
