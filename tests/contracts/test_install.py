"""The package installs without a compiler, as plain Python, but only if that is allowed."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def build_wheel(tmp_path: Path, *, required: bool) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    command += ["-C", f"build-dir={tmp_path / 'build'}", "-w", str(tmp_path), str(ROOT)]
    environment = os.environ | {"CXX": "/bin/false", "RECURRA_REQUIRE_NATIVE": str(int(required))}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_without_a_compiler_a_plain_wheel_is_made(tmp_path):
    done = build_wheel(tmp_path, required=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.endswith("py3-none-any.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert not [name for name in names if name.endswith((".so", ".pyd"))]
    for needed in ("recurra/py.typed", "recurra/reports/templates/run.html", "recurra/__main__.py"):
        assert needed in names


def test_where_the_native_part_is_required_a_missing_compiler_is_an_error(tmp_path):
    done = build_wheel(tmp_path, required=True)
    assert done.returncode != 0
    assert not list(tmp_path.glob("*.whl"))
