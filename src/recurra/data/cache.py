"""Cache of results computed from a corpus, so that later runs start faster."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recurra.errors import StorageError
from recurra.files import folder_written_whole, remove_strays, remove_tree, write_sums, write_text
from recurra.plain import parsed_json

_VERSION = 5  # part of every digest, so that entries of other versions are never found
_STALE_S = 86_400.0


def cache_folder() -> Path:
    """Return the cache folder, created if needed: `$RECURRA_CACHE`, or `recurra` in the user's cache folder.

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
            f"{folder}: cannot be created ({error.strerror}); set another cache folder with RECURRA_CACHE."
        ) from error
    return folder


def remove_stale(folder: Path) -> None:
    """Remove from a cache folder the incomplete files that killed processes left more than a day ago."""
    remove_strays(folder, unused_s=_STALE_S)


@contextmanager
def new_entry(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder for a cache entry, which appears once it is complete, with checksums."""
    remove_stale(folder.parent)
    with folder_written_whole(folder) as aside:
        yield aside
        write_sums(aside)


def digest(*parts: object) -> str:
    """Return a short digest of the parts: the name of a cache entry that depends only on them."""
    text = "\n".join(map(str, (_VERSION, *parts)))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:40]


def remembered(kind: str, *parts: object, compute: Callable[[], Any]) -> Any:
    """Return the cached JSON value of `compute`, or compute and cache it; it must depend only on `parts`."""
    note = cache_folder() / kind / f"{digest(*parts)}.json"
    value = read_note(note)
    if value is None:
        value = compute()
        write_note(note, value)
    return value


def write_note(note: Path, value: Any) -> None:
    """Write a JSON value (not None) and its digest; an existing note is replaced.

    Raises: StorageError if it cannot be written.
    """
    remove_stale(note.parent)
    if note.is_dir():  # not written by this module
        remove_tree(note)
    write_text(note, json.dumps({"sha256": _digest_of_note(note, value), "value": value}))


def read_note(note: Path) -> Any:
    """Return the value that `write_note` wrote, or None if it is missing or damaged."""
    try:
        content = parsed_json(note.read_bytes().decode("utf-8"))
        value = content["value"]
        return value if content["sha256"] == _digest_of_note(note, value) else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _digest_of_note(note: Path, value: Any) -> str:
    """Return a digest of the value and of the note's name, which identifies what was computed."""
    return hashlib.sha256(f"{note.name}\n{json.dumps(value)}".encode()).hexdigest()
