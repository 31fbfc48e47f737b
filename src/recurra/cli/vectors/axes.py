"""`recurra vectors axes VECTORS WORD…`."""

from pathlib import Path
from typing import Annotated

import typer

from recurra.cli.vectors.arguments import AsJson, VectorsArgument, tell_unknown


def axes(
    vectors: VectorsArgument,
    words: Annotated[list[str], typer.Argument(help="Words to score.")],
    axis: Annotated[
        list[str],
        typer.Option(
            "--axis",
            help="Axis by pairs, NAME=he:she,man:woman, by words, NAME=king,queen, or by words of both "
            "ends, NAME=king,queen/apple,table; or a .toml or .json file of axes; may be "
            "given several times.",
        ),
    ],
    picture: Annotated[Path | None, typer.Option(help="Write a heat map to this file (.png, .svg).")] = None,
    as_json: AsJson = False,
) -> None:
    """Score words along directions, such as gender, royal, age and food.

    recurra vectors axes runs/vectors man king apple --axis gender=he:she --axis food=bread,cheese
    """
    from recurra.models.word_vectors.directions import axes_given, axes_of
    from recurra.models.word_vectors.spelling import check_words
    from recurra.plain import json_line
    from recurra.reports.drawing import check_picture, write_png
    from recurra.reports.word_plots import signed_heat_map
    from recurra.tasks.word_sources import open_vectors

    if picture is not None:
        check_picture(picture, "picture")
    given = axes_given(axis, "axis")
    opened = open_vectors(vectors)
    check_words(opened, words)
    found = axes_of(opened, words, given)
    for name, one in given.items():
        tell_unknown(opened, name, one.each_word())
    lines = found.lines()
    if picture is not None:
        write_png(picture, signed_heat_map, found.values.T, columns=found.words, rows=found.axes)
        lines.append(f"picture: {picture}")
    for line in [json_line(found.to_rows())] if as_json else lines:
        typer.echo(line)
