"""What was worked out about a corpus once and is kept, so that a second run starts at once."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recurra.errors import StorageError
from recurra.files import remove_strays, remove_tree, write_text

_VERSION = 2  # of all that is kept; what another version wrote is not looked for
_STALE_S = 86_400.0


def cache_folder() -> Path:
    """Where encoded corpora are kept: `$RECURRA_CACHE`, else the user's cache folder.

    Raises: StorageError if it cannot be made.
    """
    base = os.environ.get("RECURRA_CACHE")
    if base is None:
        base = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "recurra")
    folder = Path(base)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"{folder}: cannot be made ({error.strerror}); name another cache folder with RECURRA_CACHE."
        ) from error
    return folder


def remove_stale(folder: Path) -> None:
    """Remove from a folder of the cache what processes that were killed a day ago left half written."""
    remove_strays(folder, unused_s=_STALE_S)


def digest(*parts: object) -> str:
    """A short digest of the parts: a name for what depends on them alone."""
    text = "\n".join(map(str, (_VERSION, *parts)))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:40]


def remembered(kind: str, *parts: object, compute: Callable[[], Any]) -> Any:
    """The JSON value of `compute`, which depends on `parts` alone, from the cache where it is."""
    note = cache_folder() / kind / f"{digest(*parts)}.json"
    value = read_note(note)
    if value is None:
        value = compute()
        write_note(note, value)
    return value


def write_note(note: Path, value: Any) -> None:
    """Keep a JSON value, which is not None, with a digest of it, in place of what lies there.

    Raises: StorageError if it cannot be written.
    """
    remove_stale(note.parent)
    if note.is_dir():  # nothing of ours
        remove_tree(note)
    write_text(note, json.dumps({"sha256": _digest_of_note(note, value), "value": value}))


def read_note(note: Path) -> Any:
    """The value that `write_note` kept; None where there is none, or it is damaged."""
    try:
        content = json.loads(note.read_bytes().decode("utf-8"))
        value = content["value"]
        return value if content["sha256"] == _digest_of_note(note, value) else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _digest_of_note(note: Path, value: Any) -> str:
    """A digest of a value and of what it is the answer to, which the note's name tells."""
    return hashlib.sha256(f"{note.name}\n{json.dumps(value)}".encode()).hexdigest()
