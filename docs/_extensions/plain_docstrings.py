"""Convert the package's plain-text docstrings to reStructuredText.

Paragraphs stay paragraphs, with special characters escaped. `names` become code. Indented text is a formula
or an example and keeps its lines. `- ` begins a list item. "Shapes:", "Source:", "Call:", "Raises:" and
"Gate order" begin a new paragraph.
"""

import re
from collections.abc import Iterator
from typing import Any

from sphinx.application import Sphinx

_MARKED = re.compile(r"^(Shapes|Source|Call|Raises|Gate order)(:?)(?=\s)")
_EMPHASIS = re.compile(r"(?<!\w)\*\w+\*(?!\w)")
_ITEM = re.compile(r"^[-*] ")


def _escaped(text: str) -> str:
    """Escape all markup in plain text, except `code` and *emphasis*."""
    return "".join(
        f"``{part[1:-1]}``"
        if part.startswith("`")
        else part
        if _EMPHASIS.fullmatch(part)
        else re.sub(r"([*_|\\`<>])", r"\\\1", part)
        for part in re.split(rf"(`[^`]+`|{_EMPHASIS.pattern})", text)
    )


def _paragraphs(lines: list[str]) -> Iterator[list[str]]:
    """Split lines into groups: a plain paragraph, an indented block, a list item, or a marked paragraph."""
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
    """Convert every docstring when autodoc reads it."""
    app.connect("autodoc-process-docstring", _process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
