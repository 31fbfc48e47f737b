"""The files and functions that CONTRIBUTING.md names exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILE = r"`((?:[\w.]+/)*[\w.]+\.(?:py|cpp|h|toml|md|txt))`"
NAMED = [(path, name) for path, name in re.findall(FILE + r"(?:,\s+`([A-Za-z_][\w.]*)`)?", TEXT)]
# The files of a task, in any task's folder.
OF_ANY_TASK = {"config.py", "task.py", "facade.py", "report.html", "run.toml"}


@cache
def names_in(path: Path) -> set[str]:
    """All names that a file defines: functions, classes, `Class.method`, assignments and imports."""
    found: set[str] = set()

    def collect(body: list[ast.stmt], within: str) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found.add(within + node.name)
                if isinstance(node, ast.ClassDef):
                    collect(node.body, f"{within}{node.name}.")
            elif isinstance(node, ast.Assign):
                found.update(within + name.id for name in node.targets if isinstance(name, ast.Name))
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.add(within + node.target.id)

    collect(ast.parse(path.read_text(encoding="utf-8")).body, "")
    return found


def found_at(name: str) -> Path | None:
    places = (ROOT / name, ROOT / "src" / "recurra" / name, ROOT / "src" / name)
    return next((place for place in places if place.exists()), None)


def test_there_is_something_to_check():
    assert len(NAMED) > 60
    assert sum(bool(name) for _, name in NAMED) > 30


@pytest.mark.parametrize(("path", "name"), sorted(set(NAMED)))
def test_what_is_named_is_there(path, name):
    if path in OF_ANY_TASK:
        return
    place = found_at(path)
    assert place is not None, f"CONTRIBUTING.md names {path}, which is not there"
    if name and place.suffix == ".py":
        assert name in names_in(place), f"CONTRIBUTING.md names {name} of {path}, which does not have it"


def test_folders_that_are_named_are_there():
    folders = re.findall(r"`((?:\w+/)+)`", TEXT)
    missing = [name for name in folders if found_at(name) is None]
    assert not missing
