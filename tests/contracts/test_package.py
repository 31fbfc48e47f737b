"""Contracts of the whole package: docstrings, lazy imports, no pickle, one version."""

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import recurra

ROOT = Path(__file__).resolve().parents[2]
MODULES = [
    info.name
    for info in pkgutil.walk_packages(recurra.__path__, "recurra.")
    if not info.name.endswith(("__main__", "_native"))
]


def public_objects(module_name: str):
    """Public classes and functions that a module defines, with their public methods."""
    module = importlib.import_module(module_name)
    for name, thing in vars(module).items():
        if name.startswith("_") or getattr(thing, "__module__", None) != module_name:
            continue
        if inspect.isclass(thing) or inspect.isfunction(thing):
            yield f"{module_name}.{name}", thing
        if inspect.isclass(thing):
            for inner, method in vars(thing).items():
                if not inner.startswith("_") and (inspect.isfunction(method) or isinstance(method, property)):
                    yield f"{module_name}.{name}.{inner}", getattr(thing, inner)


def takes_tensors(thing) -> bool:
    try:
        annotations = inspect.get_annotations(thing.forward if inspect.isclass(thing) else thing)
    except (AttributeError, TypeError):
        return False
    return any(
        annotation is torch.Tensor or re.search(r"\b(Tensor|NDArray)\b", str(annotation))
        for name, annotation in annotations.items()
        if name != "return"
    )


@pytest.mark.parametrize("module", MODULES)
def test_public_names_have_docstrings(module):
    assert importlib.import_module(module).__doc__, f"{module} has no docstring"
    missing = [name for name, thing in public_objects(module) if not inspect.getdoc(thing)]
    assert not missing


LAYER_ROOMS = (
    "recurra.cells",
    "recurra.layers",
    "recurra.models",
    "recurra.decoding",
    "recurra.training.clip",
)


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith(LAYER_ROOMS)])
def test_names_that_take_tensors_tell_shapes(module):
    missing = []
    for name, thing in public_objects(module):
        is_module = (
            inspect.isclass(thing) and issubclass(thing, torch.nn.Module) and not inspect.isabstract(thing)
        )
        if not is_module and (inspect.isclass(thing) or not takes_tensors(thing)):
            continue
        document = inspect.getdoc(thing) or ""
        if "Shapes:" not in document and "(B, " not in document and "scalar" not in document:
            missing.append(name)
    assert not missing


@pytest.mark.parametrize("name", [name for name in recurra.__all__ if name != "__version__"])
def test_every_exported_name_is_there(name):
    assert inspect.getdoc(getattr(recurra, name))


@pytest.mark.parametrize("statement", ["import recurra", "import recurra.cli.main"])
def test_torch_is_not_loaded_for_nothing(statement):
    code = f"{statement}\nimport sys\nprint('torch' in sys.modules, 'matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_no_pickle_is_ever_read():
    forbidden = re.compile(
        r"(?<!safetensors\.)\b(torch\.load|pickle\.loads?|np\.load|numpy\.load|joblib|dill|marshal|eval\(|exec\()"
    )
    lines = [
        f"{path}:{number}: {line.strip()}"
        for path in (ROOT / "src").rglob("*.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if forbidden.search(line) and ".eval()" not in line
        # The processes of one prediction send each other inputs and answers over pipes of their own.
        if path.name not in ("worker.py", "workers.py")
    ]
    assert not lines


def test_the_native_part_has_the_same_version():
    native = pytest.importorskip(
        "recurra._native", reason="the native part is not built", exc_type=ImportError
    )
    assert native.__version__ == recurra.__version__
    assert isinstance(native.processor_features(), list)
