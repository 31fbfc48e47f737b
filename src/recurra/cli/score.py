"""`recurra score RUN`."""

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from recurra.plain import json_line, quoted


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
    from recurra.data.inputs import Input
    from recurra.errors import ConfigError
    from recurra.tasks.language_modeling.facade import LanguageModel
    from recurra.tasks.model import load

    if weights is not None and not others:
        raise ConfigError("--weights: applies only with --with; give that, or remove --weights.")
    models = [load(one, LanguageModel) for one in (run, *(others or []))]
    shares = None if weights is None else _numbers(weights)
    scores = models[0].score_with(models[1:], list(Input(file).lines()), shares)
    if tokens and any(one.log_probs and not one.symbols for one in scores):
        raise ConfigError("--tokens: the runs have different symbols; remove it, or score with one run.")
    if rank:
        scores.sort(key=lambda one: -one.log_prob)
    for one in scores:
        if as_json:
            record: dict[str, Any] = {"line": one.line, "log_prob": one.log_prob}
            record |= {"perplexity": one.perplexity, "unknown": one.unknown}
            if tokens and one.symbols:
                record["tokens"] = list(zip(one.symbols, one.log_probs, strict=True))
            typer.echo(json_line(record))
            continue
        perplexity_text = "-" if math.isnan(one.perplexity) else f"{one.perplexity:.2f}"
        typer.echo(f"{one.log_prob:.4f}\t{perplexity_text}\t{one.line}")
        if tokens and one.symbols:
            typer.echo(
                "  " + "  ".join(f"{s!r} {p:.2f}" for s, p in zip(one.symbols, one.log_probs, strict=True))
            )


def _numbers(text: str) -> list[float]:
    from recurra.errors import ConfigError

    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise ConfigError(f"weights: got {quoted(text)}, expected numbers separated by commas.") from error
