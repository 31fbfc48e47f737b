"""Imports point downwards only, or to the left on one floor: also those inside functions."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "recurra"
FLOORS = (
    ("lazy", "remember", "plain", "processors", "errors", "config", "files"),
    ("cells",),
    ("kernels",),
    ("layers",),
    ("text", "audio", "metrics"),
    ("data", "runs"),
    ("models",),
    ("decoding",),
    ("training", "embeddings", "reports"),
    ("inspection",),
    ("tasks", "demos"),
    ("server", "cli"),
)
ORDER = {room: place for place, room in enumerate(room for floor in FLOORS for room in floor)}
# The package's front door names rooms lazily, and `python -m recurra` opens the command line.
DOORS = ("__init__", "__main__")


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> list[tuple[int, str]]:
    """Line and room of every import of ours in a file; what only type checkers see is exempt."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    exempt = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
        for inner in ast.walk(node)
    }
    found = []
    for node in ast.walk(tree):
        if id(node) in exempt:
            continue
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import; write it out"
            names = [
                f"{node.module}.{alias.name}" if node.module == "recurra" else str(node.module)
                for alias in node.names
            ]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found += [(node.lineno, name.split(".")[1]) for name in names if name.startswith("recurra.")]
    return found


FILES = [path for path in sorted(SOURCE.rglob("*.py")) if room_of(path) not in DOORS]


def test_every_room_has_a_floor():
    assert {room_of(path) for path in FILES} <= ORDER.keys()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_downwards(path):
    own = ORDER[room_of(path)]
    upwards = [
        f"{path}:{line}: {room_of(path)} imports {room}"
        for line, room in imported_rooms(path)
        if room in ORDER and ORDER[room] > own
    ]
    assert not upwards


def test_the_check_finds_an_upward_import(tmp_path):
    file = tmp_path / "wrong.py"
    file.write_text("def f():\n    from recurra.cli import main\n    return main\n")
    assert imported_rooms(file) == [(2, "cli")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_stay_one_room(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
