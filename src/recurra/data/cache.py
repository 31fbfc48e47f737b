"""What was worked out about a corpus once and is kept, so that a second run starts at once."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recurra.errors import StorageError
from recurra.files import write_text


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


def digest(*parts: object) -> str:
    """A short digest of the parts: a name for what depends on them alone."""
    text = "\n".join(map(str, parts))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:40]


def remembered(kind: str, *parts: object, compute: Callable[[], Any]) -> Any:
    """The JSON value of `compute`, which depends on `parts` alone, from the cache where it is."""
    note = cache_folder() / kind / f"{digest(*parts)}.json"
    try:
        return json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        value = compute()
        write_text(note, json.dumps(value))
        return value
