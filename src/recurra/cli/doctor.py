"""`recurra doctor`."""

from typing import Annotated

import typer

from recurra.installation import installation
from recurra.plain import json_line


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show software versions, hardware and missing optional parts of this installation.

    For each missing part it prints the purpose and the command to install it.
    """
    facts, missing = installation()
    if as_json:
        typer.echo(json_line(facts | {"missing": [each._asdict() for each in missing]}))
        return
    for name, value in facts.items():
        typer.echo(f"{name:<20} {value}")
    typer.echo("" if missing else "\nNothing is missing.")
    for each in missing:
        typer.echo(f"missing: {each.what} ({each.purpose}); type: {each.remedy}")
