"""Every exception that Recurra raises for a person's cause.

Each is one clear sentence: what is wrong, where, and the mend. The command line prints it without a
traceback and ends with `exit_code`. What torch.nn refuses too is caught by torch.nn's class as well.
"""

import errno


class RecurraError(Exception):
    """Something a person can mend; its text is one sentence that says how."""

    exit_code = 2


class ConfigError(RecurraError, ValueError, RuntimeError):
    """An argument, an option or a key of a configuration file is unknown or has a value that cannot be.

    torch.nn raises ValueError for some of them and RuntimeError for others: both catch it.
    """


class ArgumentTypeError(ConfigError, TypeError):
    """An argument has the wrong type; TypeError catches it too, as torch.nn's."""


class ShapeError(RecurraError, ValueError, RuntimeError):
    """A tensor's shape, dtype or device is not what the layer was built for.

    torch.nn raises RuntimeError for most of them and ValueError for some: both catch it.
    """


class NotATensorError(ShapeError, TypeError, AttributeError):
    """Something else stands where a tensor is expected.

    torch.nn says by a TypeError, or by the AttributeError of a missing `dim`, what this says in a sentence.
    """


class DataError(RecurraError):
    """An input file is missing, empty, wrongly encoded, too short, or has changed."""


class VocabularyError(RecurraError):
    """A vocabulary cannot be built or read, or lacks what was asked of it."""


class RunError(RecurraError):
    """A run folder is missing, is not one, is damaged, of a newer version, or in the way."""


class StorageError(RecurraError):
    """A file could not be written: the disk is full, read-only or failing. What was there stays."""


class OutOfMemoryError(RecurraError):
    """The model or batch does not fit; the text says what to lower."""


def memory_fault(error: Exception, remedy: str) -> OutOfMemoryError | None:
    """Return what to tell a person of an error that was a failed allocation; None for any other."""
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
    if "Storage size calculation overflowed" in text or "numel: integer" in text:
        return OutOfMemoryError(f"out of memory: the model is far too large; {remedy}.")
    return None


class BackendUnavailable(RecurraError):
    """A way of computing was forced that cannot run here; the text says why."""


class TrainingDiverged(RecurraError):
    """The loss became NaN or infinite; the last good weights are kept."""

    exit_code = 3


class Interrupted(RecurraError):
    """A signal stopped the work; a training has saved its state before."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number


class MissingExtra(RecurraError):
    """An optional package is not installed; the text says which and how."""
