"""`recurra vectors VERB`: the use of trained word vectors; one module per verb."""

import typer

from recurra.cli.help import Command, Group
from recurra.cli.vectors.nearest import nearest

app = typer.Typer(
    help="Use word vectors: a run of `recurra train vectors`, or a file of vectors.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    cls=Group,
)


@app.callback()
def _vectors() -> None:
    pass


for verb in (nearest,):
    app.command(verb.__name__, cls=Command)(verb)
