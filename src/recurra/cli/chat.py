"""`recurra chat RUN`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recurra.cli.options import config_options
from recurra.config import RunSearchPart

if TYPE_CHECKING:
    from recurra.tasks.seq2seq.facade import Conversation

_HELP = "/reset forgets the conversation, /why shows what the last answer was based on, /quit ends"


@config_options(RunSearchPart)
def chat(
    run: Annotated[Path, typer.Argument(help="Folder of a chat-bot's run.")],
    *,
    options: dict[str, Any],
) -> None:
    """Talk with a chat-bot, one line at a time.

    /reset forgets the conversation, /why shows what the last answer was based on, /quit ends.
    """
    from recurra.data.inputs import Input
    from recurra.tasks.model import load
    from recurra.tasks.seq2seq.facade import ChatBot

    talk = load(run, ChatBot).searching(**options).conversation()
    is_person = sys.stdin.isatty()
    if is_person:
        typer.echo(_HELP, err=True)
        typer.echo("> ", nl=False, err=True)
    for line in Input("-").lines():
        text = line.strip()
        if text == "/quit":
            return
        if text == "/reset":
            talk.reset()
        elif text == "/why":
            _tell_why(talk)
        elif text.startswith("/"):
            typer.echo(f"unknown command {text.split()[0]}; {_HELP}", err=True)
        elif text or not is_person:  # each line of a file is answered, empty ones included
            for piece in talk.stream(text) if text else ():
                typer.echo(piece, nl=False)
                sys.stdout.flush()
            typer.echo()
        if is_person:
            typer.echo("> ", nl=False, err=True)


def _tell_why(talk: "Conversation") -> None:
    """Print the three source symbols with the largest weights for each symbol of the last answer."""
    from recurra.errors import ConfigError

    try:
        found = talk.why()
    except ConfigError as error:
        typer.echo(str(error), err=True)
        return
    if found is None:
        typer.echo("there is no answer yet", err=True)
        return
    for target, weights in zip(found.target, found.weights, strict=True):
        best = sorted(range(len(weights)), key=lambda s: -weights[s])[:3]
        looked = "   ".join(f"{_shown(found.source[s])} {weights[s]:.0%}" for s in best)
        typer.echo(f"{_shown(target):>14}  {looked}")


def _shown(symbol: str) -> str:
    return {"": "(end)", "\n": "(turn)"}.get(symbol, symbol.strip() or "(blank)")
