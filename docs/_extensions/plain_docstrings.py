"""The package's docstrings, which are plain text, as reStructuredText.

Paragraphs stay paragraphs with nothing special in them, `names` become code, what is indented is a formula or
an example and keeps its lines, `- ` begins an item, and "Shapes:", "Source:", "Call:" and "Raises:" begin a
paragraph of their own.
"""

import re
from collections.abc import Iterator
from typing import Any

from sphinx.application import Sphinx

_MARKED = re.compile(r"^(Shapes|Source|Call|Raises|Gate order)(:?)(?=\s)")
_EMPHASIS = re.compile(r"(?<!\w)\*\w+\*(?!\w)")
_ITEM = re.compile(r"^[-*] ")


def _escaped(text: str) -> str:
    """Plain text with `code` kept as code, and no other character that means something."""
    return "".join(
        f"``{part[1:-1]}``"
        if part.startswith("`")
        else part
        if _EMPHASIS.fullmatch(part)
        else re.sub(r"([*_|\\`<>])", r"\\\1", part)
        for part in re.split(rf"(`[^`]+`|{_EMPHASIS.pattern})", text)
    )


def _paragraphs(lines: list[str]) -> Iterator[list[str]]:
    """Groups of lines that belong together: plain, indented, an item, or after a marker."""
    group: list[str] = []
    for line in [*lines, ""]:
        indented = line.startswith("    ")
        starts = bool(_MARKED.match(line) or _ITEM.match(line))
        changes = bool(group) and indented != group[0].startswith("    ")
        if group and (not line.strip() or starts or changes):
            yield group
            group = []
        if line.strip():
            group.append(line)


def _to_rst(lines: list[str]) -> list[str]:
    result: list[str] = []
    in_formula = False
    for group in _paragraphs(lines):
        indented = group[0].startswith("    ")
        if indented:
            if not in_formula:
                result += ["::", ""]
            result += [*group, ""]
        elif _ITEM.match(group[0]):
            first, *rest = group
            result += [f"- {_escaped(first[2:])}", *(f"  {_escaped(line.strip())}" for line in rest), ""]
        else:
            text = [_escaped(line) for line in group]
            text[0] = _MARKED.sub(r"**\1\2**", text[0])
            result += [*text, ""]
        in_formula = indented
    return result


def _process(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    lines[:] = _to_rst(lines)


def setup(app: Sphinx) -> dict[str, Any]:
    """Turn every docstring as autodoc reads it."""
    app.connect("autodoc-process-docstring", _process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
