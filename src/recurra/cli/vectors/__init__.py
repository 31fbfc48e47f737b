"""`recurra vectors VERB`: the use of trained word vectors; one module per verb."""

from collections.abc import Callable

import typer

from recurra.cli.help import Command, Group
from recurra.cli.vectors.analogy import analogy
from recurra.cli.vectors.axes import axes
from recurra.cli.vectors.debias import debias
from recurra.cli.vectors.evaluate import evaluate
from recurra.cli.vectors.from_run import from_run
from recurra.cli.vectors.map import map_
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


_VERBS: dict[str, Callable[..., None]] = {
    "nearest": nearest,
    "analogy": analogy,
    "evaluate": evaluate,
    "map": map_,
    "axes": axes,
    "debias": debias,
    "from": from_run,
}
for name, verb in _VERBS.items():
    app.command(name, cls=Command)(verb)
