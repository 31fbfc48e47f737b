"""run.toml: the settings of a run, with a checksum in the last line so that every change is noticed.

Format 1 has neither the checksum nor a table of artefacts, and is read without them.
"""

import hashlib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recurra.config import to_toml
from recurra.errors import RunError
from recurra.runs.marker import is_inside

FORMAT_VERSION = 2
_LAST_LINE = re.compile(
    rb"^# sha256 (?P<sum>[0-9a-f]{64}|accepted) of the text above; [^\n]*\n?\Z", re.MULTILINE
)
_LAST = (
    "# sha256 {} of the text above; after editing this file, replace the checksum with the word 'accepted'\n"
)
_SHA256 = re.compile(r"[0-9a-f]{64}")


def settings_text(content: Mapping[str, Any]) -> str:
    """Return the text of a run.toml in the current format, including the last line."""
    text = to_toml({"format_version": FORMAT_VERSION} | dict(content))
    return text + _LAST.format(hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest())


def is_settings(path: Path) -> bool:
    """Whether a file is a run.toml of Recurra, even of another version or edited."""
    content = _parsed(path)
    return "format_version" in content and "task" in content


def listed_artefacts(path: Path) -> list[str] | None:
    """Return the artefacts that a run.toml lists, as far as it can be read; None for format 1."""
    content = _parsed(path)
    if content.get("format_version") == 1:
        return None
    artefacts = content.get("artefacts")
    return [name for name in artefacts if is_inside(name)] if isinstance(artefacts, dict) else []


def read_settings(path: Path) -> dict[str, Any]:
    """Read the content of a run.toml: at least the task, and the tables of configuration and data.

    Raises: RunError if it is missing, damaged, edited or written by a newer version.
    """
    try:
        raw = path.read_bytes()
        content = tomllib.loads(_checked(path, raw).decode("utf-8", "surrogateescape"))
        _check_version(path, content, has_sum=_LAST_LINE.search(raw) is not None)
        _check_keys(content)
    except FileNotFoundError as error:
        raise RunError(f"{path}: is missing; restore it from a copy or train again.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path}: is damaged ({error}); restore it from a copy or train again.") from error
    return content


def _checked(path: Path, raw: bytes) -> bytes:
    """Return the text above the last line if its checksum matches; all text if there is no such line."""
    match = _LAST_LINE.search(raw)
    if match is None:
        return raw
    above = raw[: match.start()]
    if match["sum"] not in (b"accepted", hashlib.sha256(above).hexdigest().encode()):
        raise RunError(
            f"{path}: was edited or damaged (its sha256 differs from the one in its last line); restore it "
            "from a copy, or, if the text is right, replace the checksum in its last line with `accepted`."
        )
    return above


def _check_version(path: Path, content: Mapping[str, Any], *, has_sum: bool) -> None:
    """Refuse formats that cannot be read. Raises: ValueError for a damaged one; RunError for a newer one."""
    version = content.get("format_version")
    if type(version) is not int or version < 1:
        raise ValueError("it has no format_version")
    if version > FORMAT_VERSION:
        raise RunError(
            f"{path.parent}: was written by a newer Recurra (format {version}, this one reads up to "
            f"{FORMAT_VERSION}); upgrade with `pip install --upgrade recurra`."
        )
    if version == 1 and (has_sum or "artefacts" in content):
        raise ValueError("it says format 1, which has no checksum and no artefacts")
    if version > 1 and not has_sum:
        raise ValueError("its last line, which has the checksum of the others, is missing or damaged")


def _check_keys(content: Mapping[str, Any]) -> None:
    """Check that the entries of every run are there. Raises: ValueError."""
    if not isinstance(content.get("task"), str):
        raise ValueError("it has no task")
    for table in ("config", "data"):
        if not isinstance(content.get(table), dict):
            raise ValueError(f"it has no table [{table}]")
    settled = content.get("settled", [])
    if not isinstance(settled, list) or not all(isinstance(name, str) for name in settled):
        raise ValueError("its entry settled is not a list of options")
    continued = content.get("continued", [])
    if not isinstance(continued, list) or not all(isinstance(each, dict) for each in continued):
        raise ValueError("its entry continued is not a list of tables")
    artefacts = content.get("artefacts", {})
    if not isinstance(artefacts, dict) or not all(
        is_inside(name) and isinstance(digest, str) and _SHA256.fullmatch(digest)
        for name, digest in artefacts.items()
    ):
        raise ValueError("its table [artefacts] is not a list of files with their sha256")


def _parsed(path: Path) -> dict[str, Any]:
    """Parse a TOML file without checking its checksum; return an empty dict if that is impossible."""
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8", "surrogateescape"))
    except (OSError, ValueError, RecursionError):
        return {}
