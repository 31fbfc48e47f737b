"""`recurra`: the commands and the handling of errors."""

import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import typer

from recurra.cli.help import Group
from recurra.cli.verbs import VERBS, command_of
from recurra.errors import ConfigError, Interrupted, RecurraError, StorageError, memory_fault

# Of a failed write; all files that Recurra writes have errors of their own, which name them.
_NOT_WRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


@contextmanager
def _pipe_may_close() -> Iterator[None]:
    """Exit with 141 if the reader has closed the pipe, as in `recurra … | head`."""
    try:
        yield
    except BrokenPipeError:
        _discard_output()
        sys.exit(128 + signal.SIGPIPE)


def _discard_output() -> None:
    """Send the rest of the output nowhere, so that Python does not fail to write it when it exits."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Commands(Group):
    """The commands in their order; Ctrl-C gives a message, where typer would end without one."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return command_of(cmd_name) if cmd_name in VERBS else None

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        with _pipe_may_close():  # --help and --version are answered here
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        try:
            with _pipe_may_close():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted("interrupted", signal.SIGINT) from None


app = typer.Typer(
    cls=_Commands,
    name="recurra",
    help="Train, evaluate and analyse recurrent sequence models.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from recurra import __version__

        typer.echo(f"recurra {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    pass


def main() -> None:
    """Run the command line.

    Exit codes: 0 success; 1 internal error; 2 user error; 3 training diverged; 130 and 143 interrupted, with
    the training saved; 141 the output was closed.
    """
    try:
        _run()
    except RecurraError as error:
        _say(error)
        sys.exit(error.exit_code)
    except UnicodeEncodeError as error:
        missing = error.object[error.start : error.start + 1]
        _say(
            ConfigError(
                f"standard output: its encoding, {error.encoding}, has no {missing!a}; set "
                "PYTHONIOENCODING=utf-8."
            )
        )
        sys.exit(2)
    except (MemoryError, RuntimeError, OSError) as error:
        named = _output_fault(error) or memory_fault(
            error, "use a smaller input or model, or a machine with more memory"
        )
        if named is None:
            raise
        _say(named)
        sys.exit(named.exit_code)


def _run() -> None:
    """Run the command, and write all of its output, before Python exits."""
    try:
        app()
    except SystemExit:
        with _pipe_may_close():
            if sys.stdout is not None:
                sys.stdout.flush()
        raise


def _output_fault(error: Exception) -> StorageError | None:
    """Return the error for output that could not be written; None for any other error."""
    if not isinstance(error, OSError) or error.filename is not None or error.errno not in _NOT_WRITTEN:
        return None
    _discard_output()
    return StorageError(
        f"standard output: cannot be written ({error.strerror}); free some space, or write it elsewhere."
    )


def _say(error: RecurraError) -> None:
    word = "" if error.exit_code >= 128 else "error: "
    print(f"{word}{error}", file=sys.stderr)
