"""`recurra score RUN`."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recurra.plain import json_line, quoted

if TYPE_CHECKING:
    from recurra.models.scoring import LineScore

_AT_ONCE = 256  # lines that are scored together


def score(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    file: Annotated[str, typer.Argument(help="Text with one sentence per line, - for standard input.")] = "-",
    others: Annotated[
        list[Path] | None,
        typer.Option("--with", help="Another run to interpolate with; may be given several times."),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(help="Interpolation weights of all runs, 0.6,0.4 for example (if not given, equal)."),
    ] = None,
    tokens: Annotated[
        bool,
        typer.Option(
            "--tokens", help="Print the log-probability of each symbol; all runs must have the same symbols."
        ),
    ] = False,
    rank: Annotated[bool, typer.Option("--rank", help="Sort the lines, most probable first.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """Print the log-probability (in nats) and the perplexity of each line, including its end.

    printf 'the cat sat\\nthe cat sad\\n' | recurra score runs/tiny --rank
    """
    from recurra.data.arriving import answered
    from recurra.data.inputs import Input
    from recurra.errors import ConfigError
    from recurra.tasks.language_modeling.facade import LanguageModel
    from recurra.tasks.model import load

    if weights is not None and not others:
        raise ConfigError("--weights: applies only with --with; give that, or remove --weights.")
    models = [load(one, LanguageModel) for one in (run, *(others or []))]
    shares = None if weights is None else _numbers(weights)
    models[0].score_with(models[1:], [], shares)  # checks the weights

    def scores_of(lines: list[str]) -> "list[LineScore]":
        scores = models[0].score_with(models[1:], lines, shares)
        if tokens and any(one.log_probs and not one.symbols for one in scores):
            raise ConfigError("--tokens: the runs have different symbols; remove it, or score with one run.")
        return scores

    scores: Iterable[LineScore] = answered(Input(file).lines(), scores_of, _AT_ONCE)
    if rank:
        scores = sorted(scores, key=lambda one: -one.log_prob)
    for one in scores:
        _print(one, tokens=tokens, as_json=as_json)


def _print(score: "LineScore", *, tokens: bool, as_json: bool) -> None:
    """Print the score of a line, and of its symbols if requested."""
    pairs = list(zip(score.symbols, score.log_probs, strict=True)) if tokens and score.symbols else []
    if as_json:
        record: dict[str, Any] = {"line": score.line, "log_prob": score.log_prob}
        record |= {"perplexity": score.perplexity, "unknown": score.unknown}
        typer.echo(json_line(record | ({"tokens": pairs} if pairs else {})))
        return
    perplexity_text = "-" if math.isnan(score.perplexity) else f"{score.perplexity:.2f}"
    typer.echo(f"{score.log_prob:.4f}\t{perplexity_text}\t{score.line}")
    if pairs:
        typer.echo("  " + "  ".join(f"{symbol!r} {log_p:.2f}" for symbol, log_p in pairs))


def _numbers(text: str) -> list[float]:
    from recurra.errors import ConfigError

    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise ConfigError(f"weights: got {quoted(text)}, expected numbers separated by commas.") from error
