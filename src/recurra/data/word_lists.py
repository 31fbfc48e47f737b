"""Lists of words and of pairs of words: JSON, or text with one word or pair per line."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recurra.errors import ConfigError, DataError
from recurra.plain import parsed_json, quoted, reason_of
from recurra.text_files import read_lines

Pair = tuple[str, str]


def read_words(path: Path) -> list[str]:
    """Read words: a JSON list of words, or of lists that begin with a word; or a text with a word per line.

    Raises: DataError naming the entry or line that is none.
    """
    found = []
    for place, entry in _entries(path):
        word = entry[0] if isinstance(entry, list) and entry else entry
        if not isinstance(word, str) or not word.strip():
            raise DataError(f"{place}: has {quoted(entry)}, expected a word; correct it.")
        found.append(word.strip())
    return found


def read_pairs(path: Path) -> list[Pair]:
    """Read pairs of words: a JSON list of lists of two words; or a text with two words per line.

    Raises: DataError naming the entry or line that is none.
    """
    found = []
    for place, entry in _entries(path):
        words = entry.replace(":", " ").split() if isinstance(entry, str) else entry
        fits = isinstance(words, list) and len(words) == 2
        if not fits or not all(isinstance(word, str) and word for word in words):
            raise DataError(f"{place}: has {quoted(entry)}, expected two words; correct it.")
        found.append((words[0], words[1]))
    return found


def read_lists(path: Path) -> dict[str, Sequence[str]]:
    """Read named lists of words: a JSON object of lists. Raises: DataError."""
    content = _json(path)
    if not isinstance(content, dict) or not content:
        raise DataError(f"{path}: is not a JSON object of lists of words; name another file.")
    for name, words in content.items():
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise DataError(f"{path}: {name}: has {quoted(words)}, expected a list of words; correct it.")
    return content


def pairs_of(given: Sequence[str], what: str) -> list[Pair]:
    """Return pairs given as `he:she` or `he:she,man:woman`, or as files of `read_pairs`.

    Raises: ConfigError for anything else; DataError for a file that cannot be read.
    """
    found: list[Pair] = []
    for one in given:
        parts = [part.split(":") for part in one.split(",")]
        if all(len(part) == 2 and all(word.strip() for word in part) for part in parts):
            found += [(part[0].strip(), part[1].strip()) for part in parts]
        elif ":" in one or not one.strip() or not Path(one).exists():
            raise ConfigError(
                f"{what}: got {quoted(one)}, expected pairs such as he:she,man:woman, or a file of pairs."
            )
        else:
            found += read_pairs(Path(one))
    return found


def _entries(path: Path) -> list[tuple[str, Any]]:
    if path.suffix == ".json":
        content = _json(path)
        if not isinstance(content, list):
            raise DataError(f"{path}: is not a JSON list; name another file.")
        entries = [(f"{path}: entry {number}", one) for number, one in enumerate(content, start=1)]
    else:
        lines = enumerate(read_lines(path), start=1)
        entries = [(f"{path}:{number}", line.strip()) for number, line in lines if line.strip()]
    if not entries:
        raise DataError(f"{path}: is empty; name another file.")
    return entries


def _json(path: Path) -> Any:
    try:
        return parsed_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file; check the path.") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: is not JSON ({reason_of(error)}); correct it.") from error
