"""`recurra beam-errors RUN`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recurra.cli.help import formerly
from recurra.cli.options import config_options
from recurra.config import RunSearchPart
from recurra.plain import json_line, quoted

if TYPE_CHECKING:
    from recurra.data.readers.pairs import Pair
    from recurra.tasks.seq2seq.facade import PairModel
    from recurra.tasks.seq2seq.outputs import Diagnosis, Tried


@formerly(widths="--beam-widths", alphas="--length-penalties")
@config_options(RunSearchPart)
def beam_errors(
    run: Annotated[Path, typer.Argument(help="Folder of a translator's, chat-bot's or captioner's run.")],
    data: Annotated[
        Path | None, typer.Option(help="Sources (if not given, the pairs held out in training).")
    ] = None,
    target: Annotated[
        Path | None, typer.Option(help="Target side of --data; for pictures, their captions.")
    ] = None,
    rows: Annotated[int, typer.Option(min=1, help="Number of pairs to examine.")] = 500,
    beam_widths: Annotated[str, typer.Option(help="Beam widths to try, separated by commas.")] = "1,2,5,10",
    length_penalties: Annotated[
        str, typer.Option(help="Length penalties to try, separated by commas.")
    ] = "0,0.6,1",
    shown: Annotated[int, typer.Option(min=0, help="Number of outputs to show.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    *,
    options: dict[str, Any],
) -> None:
    """Classify the errors of a translator as search errors or model errors.

    A wrong output is a search error if the model prefers the reference, and a model error otherwise. Other
    beam widths and length penalties are tried on the same pairs.

    recurra beam-errors runs/en-de --data val.en --target val.de
    """
    from recurra.tasks.model import load
    from recurra.tasks.seq2seq.beam_errors import beam_errors_of
    from recurra.tasks.seq2seq.facade import PairModel

    every_width = _numbers("--beam-widths", beam_widths, int, 1)
    every_alpha = _numbers("--length-penalties", length_penalties, float, 0.0)
    model = load(run, PairModel).searching(**options)
    for name, values in (("beam_width", every_width), ("length_penalty", every_alpha)):
        for value in values:
            model.searching(beam_groups=1, **{name: value})  # refused before the pairs are read
    pairs = _pairs(model, data, target)[:rows]
    if as_json:
        typer.echo(json_line(beam_errors_of(model, pairs, every_width, every_alpha).to_dict()))
        return
    heads = iter([True])  # the header of the table stands above its first row
    found = beam_errors_of(
        model,
        pairs,
        every_width,
        every_alpha,
        lambda one: _show_tried(one, first=next(heads, False)),
        lambda every: _show(every, shown, model),
    )
    typer.echo(f"\n{found.advice}")


def _show(diagnoses: "Sequence[Diagnosis]", shown: int, model: "PairModel") -> None:
    """Print some outputs and the counts of errors."""
    from recurra.tasks.seq2seq.beam_errors import shares_of

    _show_table(diagnoses, shown)
    shares, config = shares_of(diagnoses), model.config
    typer.echo(
        f"\nwidth {config.beam_width}, alpha {config.length_penalty:g}: {shares.none:,} of "
        f"{len(diagnoses):,} outputs match exactly; of the other {shares.wrong:,}, {shares.beam:,} are "
        f"search errors ({shares.share('beam'):.1%}) and {shares.model:,} model errors "
        f"({shares.share('model'):.1%})\n"
    )


def _show_tried(one: "Tried", *, first: bool) -> None:
    """Print a row of the table of beams, the first one below its header; exact match if texts are short."""
    notes = one.texts.score.notes()
    if first:
        for note in notes:
            typer.echo(f"{note}.\n")
        exact = f"{'exact':>9}" if notes else ""
        typer.echo(
            f"{'width':>6}{'alpha':>7}{one.texts.score.name:>8}{exact}{'seconds':>9}{'search errors':>15}"
        )
    exact = f"{one.texts.exact:>9.2%}" if notes else ""
    typer.echo(
        f"{one.width:>6}{one.alpha:>7g}{one.value:>8.2f}{exact}{one.seconds:>9.1f}{one.beam_share:>15.1%}"
    )


def _pairs(model: "PairModel", data: Path | None, target: Path | None) -> "list[Pair]":
    """Read the pairs to examine; say how many were left out."""
    from recurra.data.examples import BadRows, rows_told
    from recurra.tasks.seq2seq.corpus import empty_told

    bad = BadRows(model.config.skip_bad, can_skip=False)
    pairs = model.pairs_of(data, target, bad)
    for sentence in (*empty_told(bad.empty), *rows_told(bad.sentences, "skipped")):
        typer.echo(sentence, err=True)
    return pairs


def _show_table(diagnoses: "Sequence[Diagnosis]", shown: int) -> None:
    for one in diagnoses[:shown]:
        typer.echo(
            f"source     {one.source}\n"
            f"reference  {one.right_score:9.4f}  {one.right}\n"
            f"output     {one.found_score:9.4f}  {one.found}\n"
            f"error      {_ERROR[one.fault]}\n"
        )


_ERROR = {"none": "none", "beam": "search error", "model": "model error"}


def _numbers(name: str, text: str, kind: Any, least: float) -> list[Any]:
    from recurra.errors import ConfigError

    try:
        found = [kind(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or min(found) < least:
        raise ConfigError(f"{name}: got {quoted(text)}, expected numbers >= {least:g} separated by commas.")
    return found
