"""The output of `recurra doctor` for complete and incomplete installations."""

import json
import os
import sys

import pytest
from typer.testing import CliRunner

import recurra as rc
from recurra import installation
from recurra.cli.main import app
from recurra.kernels import native

ABSENT = "no compiler was found when the package was installed"


def say(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["doctor", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def with_programs(folder, monkeypatch, **programs: str) -> None:
    """A PATH that contains only these programs, each a shell script."""
    for name, script in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("CXX", raising=False)


def test_it_tells_of_the_installation():
    facts = json.loads(say("--json"))
    assert facts["recurra"] == rc.__version__
    assert facts["threads"].startswith("1 (")  # set by conftest.py
    assert f"{os.cpu_count()} cores" in facts["processors"]
    assert facts["native kernels"].startswith("available") == native.available()
    lines = say().splitlines()
    for name in ("torch", "threads", "processors", "native kernels", "compiler", "gpu", "extras"):
        assert any(line.startswith(f"{name} ") for line in lines)


def test_a_missing_compiler_is_named_with_what_to_type(tmp_path, monkeypatch):
    with_programs(tmp_path, monkeypatch, **{"apt-get": "true", "g++": "exit 1"})
    compiler, kernels = installation._missing_for_kernels(ABSENT)
    assert compiler.what == "a C++17 compiler"
    assert compiler.remedy == "apt-get install g++"
    assert kernels.what == "the native kernels"
    assert ABSENT in kernels.purpose
    assert kernels.remedy == "pip install --force-reinstall --no-deps --no-cache-dir ."


def test_missing_headers_are_named_with_what_to_type(tmp_path, monkeypatch):
    with_programs(tmp_path, monkeypatch, dnf="true", **{"c++": "echo c++ 12.2.0"})
    monkeypatch.setattr(installation.sysconfig, "get_path", lambda name: str(tmp_path / name))
    headers, _ = installation._missing_for_kernels(ABSENT)
    assert headers.what == "Python.h"
    assert headers.remedy == "dnf install python3-devel"
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "Python.h").touch()
    assert [each.what for each in installation._missing_for_kernels(ABSENT)] == ["the native kernels"]


@pytest.mark.parametrize("native_kernels", ["available (avx2)", "RECURRA_NO_NATIVE=1 is set"])
def test_nothing_is_missing_where_the_kernels_are_there_or_not_wanted(native_kernels, tmp_path, monkeypatch):
    with_programs(tmp_path, monkeypatch)
    assert installation._missing_for_kernels(native_kernels) == []


def test_missing_packages_are_named_by_extra(monkeypatch):
    requirements = [
        "torch>=2.11",
        "certainly-not-there>=3.0",
        "music21>=9.1; extra == 'music'",
        'also-not-there[x]>=1.0; extra == "sound"',
        "not-there-either; extra == 'dev'",
        "recurra[music]; extra == 'dev'",
    ]
    monkeypatch.setattr(installation.metadata, "requires", lambda name: requirements)
    facts = json.loads(say("--json"))
    assert facts["extras"] == "music"
    assert [(each["what"], each["remedy"]) for each in facts["missing"] if "kernels" not in each["what"]] == [
        ("certainly-not-there", "pip install certainly-not-there"),
        ("also-not-there", "pip install 'recurra[sound]'"),
    ]
    assert "missing: also-not-there (optional: sound); type: pip install 'recurra[sound]'" in say()


def test_it_runs_where_recurra_is_not_installed(monkeypatch):
    def absent(name):
        raise installation.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(installation.metadata, "requires", absent)
    assert json.loads(say("--json"))["extras"] == "none installed"


def test_a_torch_that_does_not_load_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "not known: import of torch halted" in json.loads(say("--json"))["native kernels"]


def test_the_threads_are_explained(recurra):
    told = recurra("doctor", OMP_NUM_THREADS="1").stdout
    assert "1 (OMP_NUM_THREADS=1 set)" in told
