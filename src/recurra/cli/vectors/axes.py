"""`recurra vectors axes VECTORS WORD…`."""

from pathlib import Path
from typing import Annotated

import typer

from recurra.cli.vectors.arguments import AsJson, VectorsArgument


def axes(
    vectors: VectorsArgument,
    words: Annotated[list[str], typer.Argument(help="Words to score.")],
    axis: Annotated[
        list[str],
        typer.Option(
            "--axis",
            help="Axis by pairs, NAME=he:she,man:woman, by words, NAME=king,queen, or by words of both "
            "ends, NAME=king,queen/apple,table; may be given several times.",
        ),
    ],
    picture: Annotated[Path | None, typer.Option(help="Write a heat map to this PNG file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Score words along directions, such as gender, royal, age and food.

    recurra vectors axes runs/vectors man king apple --axis gender=he:she --axis food=bread,cheese
    """
    from recurra.models.word_vectors.directions import axes_of, axis_of
    from recurra.plain import json_line
    from recurra.reports.drawing import write_png
    from recurra.reports.word_plots import signed_heat_map
    from recurra.tasks.word_sources import open_vectors

    found = axes_of(open_vectors(vectors), words, dict(axis_of(one, "axis") for one in axis))
    if picture is not None:
        write_png(picture, signed_heat_map, found.values.T, columns=found.words, rows=found.axes)
    for line in [json_line(found.to_rows())] if as_json else found.lines():
        typer.echo(line)
