"""Imports point only to lower layers, or to the left within a layer.

This includes imports inside functions and by name. Files and functions stay short.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "recurra"
FLOORS = (
    ("lazy", "remember", "plain", "nests", "processors", "errors", "arguments"),
    ("results", "files", "text_files"),
    ("config",),
    ("cells",),
    ("kernels",),
    ("layers",),
    ("text", "audio", "metrics"),
    ("data", "runs"),
    ("models",),
    ("decoding",),
    ("training", "embeddings", "reports"),
    ("inspection", "installation"),
    ("tasks", "demos", "estimators"),
    ("server", "cli"),
)
ORDER = {room: place for place, room in enumerate(room for floor in FLOORS for room in floor)}
# The package's `__init__` imports names lazily, and `__main__` starts the command line.
DOORS = ("__init__", "__main__")


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def front_door() -> dict[str, str]:
    """The module of each name that the package exports lazily."""
    tree = ast.parse((SOURCE / "__init__.py").read_text(encoding="utf-8"))
    tables = [
        ast.literal_eval(argument)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "lazy_names"
        for argument in node.args
        if isinstance(argument, ast.Dict)
    ]
    return {name: module.split(".")[1] for table in tables for name, module in table.items()}


AT_THE_DOOR = front_door()
# A string that is a module's name or its beginning, as in `import_module` and tables of lazy names.
MODULE = re.compile(r"recurra\.\w+(\.\w*)*")


def names_in(node: ast.AST, doors: set[str]) -> Iterator[str]:
    """The dotted names that a node imports or looks up; `doors` are aliases of the package."""
    match node:
        case ast.ImportFrom(module="recurra", names=aliases):
            given = [alias.name for alias in aliases]
            yield from (f"recurra.{name}" for name in (AT_THE_DOOR if given == ["*"] else given))
        case ast.ImportFrom(module=str(module)):
            yield module
        case ast.Import(names=aliases):
            yield from (alias.name for alias in aliases)
        case ast.Attribute(value=ast.Name(id=door), attr=name) if door in doors:
            yield f"recurra.{name}"
        case ast.Constant(value=str(text)) if MODULE.fullmatch(text):
            yield text


def doors_of(nodes: list[ast.AST]) -> set[str]:
    """The names that refer to the package itself in a file."""
    aliases = [alias for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return {
        alias.asname or "recurra"
        for alias in aliases
        if alias.name == "recurra" or (alias.name.startswith("recurra.") and alias.asname is None)
    }


def imported_rooms(path: Path) -> list[tuple[int, str]]:
    """Line and target of every import of the package in a file, except imports for type checkers only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    exempt = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }
    nodes = [node for node in ast.walk(tree) if id(node) not in exempt]
    doors = doors_of(nodes)
    found = []
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import; write it out"
        for name in names_in(node, doors):
            package, _, rest = name.partition(".")
            room = rest.partition(".")[0]
            room = AT_THE_DOOR.get(room, room)
            if package == "recurra" and room in ORDER:
                found.append((node.lineno, room))
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
        if ORDER[room] > own
    ]
    assert not upwards


@pytest.mark.parametrize(
    ("text", "rooms"),
    [
        ("def f():\n    from recurra.cli import main\n    return main\n", [(2, "cli")]),
        ("import recurra.tasks.loading\n", [(1, "tasks")]),
        ("import recurra.tasks.loading as loading\n", [(1, "tasks")]),
        ("from recurra import cli\n", [(1, "cli")]),
        ("from recurra import LSTM, Tagger, __version__\n", [(1, "layers"), (1, "tasks")]),
        ("import recurra\n\nrecurra.load('run')\n", [(3, "tasks")]),
        ("import recurra as rc\n\nx = rc.Tagger.load('run'), rc.__version__\n", [(3, "tasks")]),
        ("import recurra.errors\n\nrecurra.cli.main.main()\n", [(1, "errors"), (3, "cli")]),
        ("from importlib import import_module\n\nimport_module('recurra.cli.main')\n", [(3, "cli")]),
        ("import importlib\n\nimportlib.import_module('recurra.tasks')\n", [(3, "tasks")]),
        ("def f(name):\n    return import_module(f'recurra.tasks.{name}')\n", [(2, "tasks")]),
        (
            "__getattr__, _ = lazy_names(\n    __name__,\n    {'A': 'recurra.decoding.beam'},\n)\n",
            [(3, "decoding")],
        ),
        ("TASKS = {\n    'tag': ('recurra.tasks.labelling.facade', 'Tagger'),\n}\n", [(2, "tasks")]),
        ("if TYPE_CHECKING:\n    from recurra.cli import main\n", []),
        ("if TYPE_CHECKING:\n    pass\nelse:\n    from recurra.cli import main\n", [(4, "cli")]),
        ("if TYPE_CHECKING:\n    import recurra\n\ndef f(x: recurra.Tagger): ...\n", []),
        ("from numpy import recurra\n'see recurra.cli for more'\n", []),
    ],
)
def test_the_check_finds_every_import(tmp_path, text, rooms):
    file = tmp_path / "wrong.py"
    file.write_text(text)
    assert sorted(imported_rooms(file)) == sorted(rooms)


def test_a_star_opens_all_that_is_at_the_door(tmp_path):
    file = tmp_path / "wrong.py"
    file.write_text("from recurra import *\n")
    assert {room for _, room in imported_rooms(file)} == {
        "layers",
        "cells",
        "errors",
        "models",
        "results",
        "tasks",
        "text",
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_stay_one_room(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def too_long(path: Path, most: int = 60) -> list[str]:
    """The functions longer than `most` lines, from `def` to their end."""
    functions = (
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    lengths = ((node, (node.end_lineno or 0) - node.lineno + 1) for node in functions)
    return [f"{path}:{node.lineno}: {node.name}, {lines} lines" for node, lines in lengths if lines > most]


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_functions_stay_short(path):
    assert not too_long(path)


def test_the_check_finds_a_long_function(tmp_path):
    file = tmp_path / "wrong.py"
    file.write_text("class A:\n    @staticmethod\n    def f():\n" + "        pass\n" * 60)
    assert too_long(file) == [f"{file}:3: f, 61 lines"]
    assert not too_long(file, 61)
