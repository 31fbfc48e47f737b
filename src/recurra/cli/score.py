"""`recurra score RUN`."""

import json
from pathlib import Path
from typing import Annotated

import typer


def score(
    run: Annotated[Path, typer.Argument(help="Folder of a trained run.")],
    file: Annotated[str, typer.Argument(help="Text with a candidate a line, - for standard input.")] = "-",
    tokens: Annotated[bool, typer.Option("--tokens", help="Show log P of each symbol too.")] = False,
    rank: Annotated[bool, typer.Option("--rank", help="Order the lines, the likeliest first.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """log P (nats) and perplexity of each line, each scored on its own, its end included.

    printf 'the cat sat\\nthe cat sad\\n' | recurra score runs/tiny --rank
    """
    from recurra.cli.text_lines import lines_of
    from recurra.tasks.loading import load

    scores = load(run).score(list(lines_of(file)))
    if rank:
        scores.sort(key=lambda one: -one.log_prob)
    for one in scores:
        if as_json:
            record = {"line": one.line, "log_prob": one.log_prob, "perplexity": one.perplexity}
            record |= {"unknown": one.unknown}
            if tokens:
                record["tokens"] = list(zip(one.symbols, one.log_probs, strict=True))
            typer.echo(json.dumps(record, ensure_ascii=False))
            continue
        typer.echo(f"{one.log_prob:.4f}\t{one.perplexity:.2f}\t{one.line}")
        if tokens:
            typer.echo(
                "  " + "  ".join(f"{s!r} {p:.2f}" for s, p in zip(one.symbols, one.log_probs, strict=True))
            )
