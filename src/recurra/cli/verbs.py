"""The commands in the order of a first use; the module of each is imported only when it is used."""

from importlib import import_module
from typing import Any

import typer

from recurra.cli.help import command_from

# Module and attribute: a typer application, a command function, or `command`, which makes the command from
# the tasks of the registry.
VERBS = {
    "demo": ("demo", "demo"),
    "train": ("train", "app"),
    "tune": ("tune", "app"),
    "evaluate": ("evaluate", "command"),
    "predict": ("predict", "command"),
    "calibrate": ("calibrate", "command"),
    "sample": ("sample", "sample"),
    "score": ("score", "score"),
    "complete": ("complete", "complete"),
    "spell": ("spell", "spell"),
    "fill": ("fill", "fill"),
    "translate": ("translate", "translate"),
    "caption": ("translate", "caption"),
    "chat": ("chat", "chat"),
    "beam-errors": ("beam_errors", "beam_errors"),
    "compare": ("compare", "compare"),
    "vectors": ("vectors", "app"),
    "listen": ("listen", "listen"),
    "mine": ("mine", "mine"),
    "report": ("report", "report"),
    "export": ("export", "export"),
    "data": ("data", "app"),
    "doctor": ("doctor", "doctor"),
}


def command_of(verb: str) -> Any:
    """Return a command by its name."""
    module, name = VERBS[verb]
    found = getattr(import_module(f"recurra.cli.{module}"), name)
    if name == "command":
        found = found()
    if not isinstance(found, typer.Typer):
        return command_from(verb, found)
    command = typer.main.get_command(found)
    command.name = verb
    return command
