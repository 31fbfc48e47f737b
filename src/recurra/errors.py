"""All exceptions that Recurra raises for errors that the user can correct.

Each message is one sentence: what is wrong, where, and the remedy. The command line prints it without a
traceback and exits with `exit_code`. Where torch.nn also raises an error, its exception type catches ours.
"""

import errno
import re
from collections.abc import Callable
from typing import Self

_FLAG = re.compile(r"--([a-z][a-z-]*)")
_NO_WAY = "use a file of the kind that the model was trained on"


class RecurraError(Exception):
    """The base of all errors that the user can correct; the message says how."""

    exit_code = 2
    what: str = ""
    ways: tuple[str, ...] = ()
    """The remedies of an error that `advising` made."""

    @classmethod
    def advising(cls, what: str, *ways: str) -> Self:
        """Return an error with one or several remedies, which may name options: "see --format".

        Not every command that may raise the error has these options; see `keep_ways`.
        """
        error = cls(_sentence(what, ways))
        error.what, error.ways = what, ways
        return error

    def keep_ways(self, has: Callable[[str], bool]) -> None:
        """Remove the remedies with options that a command does not have; `has` is asked for skip_bad, say."""
        kept = tuple(way for way in self.ways if all(has(name) for name in _options_in(way)))
        if kept != self.ways:
            self.ways = kept or (_NO_WAY,)
            self.args = (_sentence(self.what, self.ways),)


class ConfigError(RecurraError, ValueError, RuntimeError):
    """An argument, an option or a key of a configuration file is unknown or has an invalid value.

    torch.nn raises ValueError for some of them and RuntimeError for others, so both catch this error.
    """


class ArgumentTypeError(ConfigError, TypeError):
    """An argument has the wrong type; TypeError also catches it, as in torch.nn."""


class ShapeError(RecurraError, ValueError, RuntimeError):
    """A tensor's shape, dtype or device does not fit the layer.

    torch.nn raises RuntimeError for most of them and ValueError for some, so both catch this error.
    """


class NotATensorError(ShapeError, TypeError, AttributeError):
    """An argument that must be a tensor is not one.

    torch.nn raises a TypeError, or an AttributeError because `dim` is missing, so both catch this error.
    """


class DataError(RecurraError):
    """An input file is missing, empty, wrongly encoded, too short, or has changed."""


class VocabularyError(RecurraError):
    """A vocabulary cannot be built or read, or lacks a required entry."""


class RunError(RecurraError):
    """A run folder is missing, damaged, not a run, from a newer version, or already exists."""


class StorageError(RecurraError):
    """A file could not be written: the disk is full, read-only or failing. The old content is kept."""


class OutOfMemoryError(RecurraError):
    """The model or batch does not fit into memory; the message says what to reduce."""


def _sentence(what: str, ways: tuple[str, ...]) -> str:
    return f"{what}; {', or '.join(ways)}."


def _options_in(way: str) -> list[str]:
    return [flag.replace("-", "_") for flag in _FLAG.findall(way)]


def memory_fault(error: Exception, remedy: str) -> OutOfMemoryError | None:
    """Return an OutOfMemoryError for a failed allocation; None for any other error."""
    text = str(error)
    signs = (
        "can't allocate memory",
        "annot allocate memory",
        "not enough memory",
        "out of memory",
        "bad_alloc",
    )
    failed = isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM
    if failed or any(sign in text for sign in signs):
        return OutOfMemoryError(f"out of memory: the model or batch does not fit; {remedy}.")
    too_large = ("Storage size calculation overflowed", "numel: integer", "unpacking long")
    if any(sign in text for sign in too_large):
        return OutOfMemoryError(f"out of memory: the model is far too large; {remedy}.")
    return None


class BackendUnavailable(RecurraError):
    """A backend was requested that cannot run here; the message says why."""


class WorkerError(RecurraError):
    """A process that predicts a share of the inputs ended unexpectedly; the message says how."""


class TrainingDiverged(RecurraError):
    """The loss became NaN or infinite; the last good weights are kept."""

    exit_code = 3


class Interrupted(RecurraError):
    """A signal stopped the work; training has saved its state first."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number


class MissingExtra(RecurraError):
    """An optional package is not installed; the message says which one and how to install it."""
