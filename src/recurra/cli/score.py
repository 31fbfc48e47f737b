"""`recurra score RUN`."""

import json
import sys
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
    from recurra.errors import DataError
    from recurra.files import read_lines
    from recurra.tasks.loading import load

    if file == "-":
        try:
            text = sys.stdin.buffer.read().decode("utf-8-sig").replace("\r\n", "\n")
            lines = text.removesuffix("\n").split("\n") if text else []
        except UnicodeDecodeError as error:
            raise DataError("standard input: is not UTF-8 text; convert it.") from error
    else:
        lines = list(read_lines(Path(file)))
    scores = load(run).score(lines)
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
