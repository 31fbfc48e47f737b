"""`recurra predict RUN`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recurra.cli.options import config_options
from recurra.config import ReaderPart

if TYPE_CHECKING:
    from recurra.tasks.labelling.answers import Answer, RowAnswer

_REJECTED = "?"


@config_options(ReaderPart, leave_out=("phrases", "scheme", "tree_labels"))
def predict(
    run: Annotated[Path, typer.Argument(help="Folder of a trained tagger or classifier.")],
    file: Annotated[
        str,
        typer.Argument(help="Text with a row a line, - for standard input; or a table, arrays, a folder."),
    ] = "-",
    n_best: Annotated[
        int, typer.Option(min=0, help="Of a tagger with a CRF: the n likeliest sequences of labels (JSON).")
    ] = 0,
    reject_below: Annotated[
        float, typer.Option(min=0.0, max=1.0, help=f"Say {_REJECTED} where the probability is below this.")
    ] = 0.0,
    turns: Annotated[
        bool,
        typer.Option(
            "--turns", help="Lines are turns of a conversation, whose state goes on; a blank line ends it."
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One object a line, with probabilities and places in the text.")
    ] = False,
    *,
    options: dict[str, Any],
) -> None:
    """Labels of plain text, a line for each line as it comes: of its words, and after a tab of the whole.

    For pairs a line is two texts with a tab between them. A file whose name or --format says that it is a
    table, columns or arrays is read as such, with or without labels, and so is a folder; a line for each row.

    echo 'i want to fly to boston' | recurra predict runs/atis
    """
    from recurra.cli.label_tables import left_out
    from recurra.cli.text_lines import lines_of
    from recurra.data.examples import BadRows
    from recurra.data.readers import format_of_name
    from recurra.errors import ConfigError
    from recurra.tasks.labelling.facade import PairClassifier
    from recurra.tasks.loading import load_labeller

    if n_best and not as_json:
        raise ConfigError("--n-best: goes with --json; give that too, or leave it out.")
    model = load_labeller(run).reading(**options)
    reads_vectors = model.symbols.words is None
    if reads_vectors and file == "-":
        raise ConfigError(
            f"{run}: reads vectors or pictures, not lines of text; name a file or folder of them."
        )
    path, bad = Path(file), BadRows()
    of_rows = file != "-" and (path.is_dir() or "format" in options or format_of_name(path) is not None)
    if reads_vectors or of_rows:
        if turns:
            raise ConfigError(
                "--turns: is for lines of text; rows of a file tell their conversation themselves."
            )
        bad.skip = model.config.skip_bad
        said: Iterator[Answer | RowAnswer] = model.predict_file(file, bad, n_best=n_best)
    else:
        if needless := options.keys() - {"split"}:
            raise ConfigError(
                f"--{min(needless).replace('_', '-')}: is for rows of a file, and {file} is read as lines of "
                "text; give --format too, or leave it out."
            )
        lines = lines_of(file)
        texts: Iterator[Any] = _pairs(lines, file) if isinstance(model, PairClassifier) else lines
        if turns:
            said = model.predict_turns(texts, n_best=n_best)
        else:
            said = model.predict_stream(texts, n_best=n_best, at_once=1 if file == "-" else 64)
    for one in said:
        rejected = one.confidence < reject_below
        if as_json:
            found = one.to_dict() | ({"rejected": rejected} if reject_below else {})
            typer.echo(json.dumps(found, ensure_ascii=False))
        else:
            typer.echo(_REJECTED if rejected else one.line())
    left_out(bad.sentences, "left out")


def _pairs(lines: Iterator[str], file: str) -> Iterator[tuple[str, str]]:
    from recurra.errors import DataError

    for number, line in enumerate(lines, start=1):
        first, tab, second = line.partition("\t")
        if not tab:
            name = "standard input" if file == "-" else file
            raise DataError(f"{name}:{number}: has no tab between two texts; put one there.")
        yield first, second
