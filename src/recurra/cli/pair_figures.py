"""The figures of translators, chat-bots and captioners, as the command line shows them."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from recurra.cli.label_tables import left_out

if TYPE_CHECKING:
    from recurra.data.readers.pairs import Pair
    from recurra.tasks.seq2seq.facade import PairModel
    from recurra.tasks.seq2seq.figures import PairFigures

Lengths = list[tuple[str, float, int]]


def show_pair_figures(
    model: "PairModel",
    data: Path | None,
    target: Path | None,
    *,
    by_length: bool,
    beside: Path | None,
    picture: Path | None,
    skip_bad: bool,
    as_json: bool,
) -> None:
    """Print BLEU, chrF and perplexity; by the length of the source, and beside another run, if so asked."""
    from recurra.data.examples import BadRows
    from recurra.errors import ConfigError

    for name, given in (("beside", beside), ("picture", picture)):
        if given is not None and not by_length:
            raise ConfigError(f"--{name}: goes with --by-length; give that too, or leave it out.")
    bad = BadRows(skip_bad or model.config.skip_bad)
    pairs = model.pairs_of(data, target, bad)
    figures, lengths = _figures_of(model, pairs, by_length=by_length)
    series = {_name_of(model): lengths}
    found: dict[str, Any] = figures.to_dict()
    if beside is not None:
        from recurra.tasks.loading import load_pair_model

        other = load_pair_model(beside, type(model))
        if _name_of(other) in series:
            raise ConfigError(f"--beside: {beside} is the run itself; name another.")
        alike = {name: getattr(model.config, name) for name in ("beam_width", "length_penalty")}
        other = other.searching(**alike, beam_groups=1)
        others, lengths = _figures_of(other, pairs, by_length=True)
        series[_name_of(other)] = lengths
        found["beside"] = others.to_dict()
    if by_length:
        found["by_length"] = series
    if picture is not None:
        from recurra.reports.drawing import score_by_length, write_png

        write_png(
            picture, score_by_length, series, score="BLEU", length="words of the source (how many texts)"
        )
    if as_json:
        typer.echo(json.dumps(_finite(found), allow_nan=False, ensure_ascii=False))
        return
    typer.echo(figures.sentence())
    left_out(bad.sentences, "left out")
    if beside is not None:
        typer.echo(f"{list(series)[1]}: {others.sentence()}")
    typer.echo(f"BLEU signature: {figures.texts.bleu_signature}")
    typer.echo(f"chrF signature: {figures.texts.chrf_signature}")
    if by_length:
        _table(series)


def _name_of(model: "PairModel") -> str:
    return str(model.run.path) if model.run is not None else model.task


def _finite(found: Any) -> Any:
    """JSON has no infinity: what is too large is null."""
    if isinstance(found, dict):
        return {name: _finite(value) for name, value in found.items()}
    return None if isinstance(found, float) and math.isinf(found) else found


def _figures_of(model: "PairModel", pairs: list["Pair"], *, by_length: bool) -> tuple["PairFigures", Lengths]:
    from recurra.metrics.translation import bleu_by_length

    model.check_shapes(pairs)
    figures = model.measure(pairs)
    if not by_length:
        return figures, []
    sources = [" ".join(pair.source) for pair in pairs]
    return figures, bleu_by_length(sources, figures.answers, [pair.targets for pair in pairs])


def _table(series: dict[str, Lengths]) -> None:
    names = list(series)
    typer.echo(f"{'words':>12}{'texts':>8}" + "".join(f"  {name:>12}" for name in names))
    for row in zip(*series.values(), strict=True):
        lengths, _, count = row[0]
        bleus = "".join(
            f"  {bleu:>{max(12, len(name))}.2f}" for name, (_, bleu, _) in zip(names, row, strict=True)
        )
        typer.echo(f"{lengths:>12}{count:>8,}{bleus}")
