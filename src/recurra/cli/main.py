"""`recurra`: the commands, and what becomes of an error."""

import os
import signal
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from recurra.cli import (
    beam_errors,
    chat,
    compare,
    complete,
    data,
    demo,
    doctor,
    evaluate,
    export,
    fill,
    predict,
    report,
    sample,
    score,
    spell,
    train,
    translate,
)
from recurra.errors import Interrupted, RecurraError, memory_fault


class _Commands(TyperGroup):
    """Commands in the order of a first use, not of the alphabet or of groups; Ctrl-C is answered in words,
    where typer would end without any."""

    ORDER = (
        "demo",
        "train",
        "evaluate",
        "predict",
        "sample",
        "score",
        "complete",
        "spell",
        "fill",
        "translate",
        "caption",
        "chat",
        "beam-errors",
        "compare",
        "report",
        "export",
        "data",
        "doctor",
    )

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=self.ORDER.index)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted("interrupted", signal.SIGINT) from None
        except BrokenPipeError:  # `recurra … | head` has read enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(128 + signal.SIGPIPE)


app = typer.Typer(
    cls=_Commands,
    name="recurra",
    help="Recurrent sequence models: from a raw file to a trained, evaluated, understood one.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(train.app, name="train")
app.command("evaluate")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.command("sample")(sample.sample)
app.command("score")(score.score)
app.command("complete")(complete.complete)
app.command("spell")(spell.spell)
app.command("fill")(fill.fill)
app.command("translate")(translate.translate)
app.command("caption")(translate.caption)
app.command("chat")(chat.chat)
app.command("beam-errors")(beam_errors.beam_errors)
app.command("compare")(compare.compare)
app.command("report")(report.report)
app.command("export")(export.export)
app.command("demo")(demo.demo)
app.add_typer(data.app, name="data")
app.command("doctor")(doctor.doctor)


def _version(wanted: bool) -> None:
    if wanted:
        from recurra import __version__

        typer.echo(f"recurra {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and end."
    ),
) -> None:
    pass


def main() -> None:
    """Run the command line. Exit codes: 0; 2 the person's cause; 1 ours; 3 training diverged; 130 and
    143 after an interrupt that was saved; 141 where what it wrote to was closed."""
    try:
        app()
    except RecurraError as error:
        _say(error)
        sys.exit(error.exit_code)
    except (MemoryError, RuntimeError, OSError) as error:
        named = memory_fault(error, "use a smaller input or model, or a machine with more memory")
        if named is None:
            raise
        _say(named)
        sys.exit(named.exit_code)


def _say(error: RecurraError) -> None:
    word = "" if error.exit_code >= 128 else "error: "
    print(f"{word}{error}", file=sys.stderr)
