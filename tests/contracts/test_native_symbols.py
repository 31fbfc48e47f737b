"""Code compiled for one instruction set stays separate: none of its symbols can replace another object's.

If several objects define a weak symbol, the linker keeps an arbitrary one. A std:: template compiled with
AVX-512 and shared by all would crash on processors without it. So objects of such an instruction set may
define weak symbols only with the set's namespace in their name.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

BUILD = Path(__file__).resolve().parents[2] / "build"
SETS = ("avx2", "avx512")
# nm's letters for symbols that the linker merges: weak functions, weak objects, unique objects.
MERGED = re.compile(r"^[0-9a-f]+ [WwVvu] (.+)$")
# Objects that do not depend on the instruction set: names and records of types.
HARMLESS = re.compile(r"^(_ZTI|_ZTS|DW\.ref\.)")


def objects_of(instruction_set: str) -> list[Path]:
    """Compiled files of the instruction set in the build folders of the Python module."""
    return sorted(BUILD.glob(f"*/CMakeFiles/recurra_{instruction_set}.dir/**/*.o"))


@pytest.mark.parametrize("instruction_set", SETS)
def test_objects_of_an_instruction_set_merge_with_no_other(instruction_set: str) -> None:
    nm, objects = shutil.which("nm"), objects_of(instruction_set)
    if not nm or not objects:
        pytest.skip("no nm (binutils)" if not nm else f"no objects of {instruction_set} in {BUILD}")
    listed = subprocess.run([nm, "--defined-only", *objects], capture_output=True, text=True, check=True)
    weak = {found[1] for line in listed.stdout.splitlines() if (found := MERGED.match(line))}
    assert weak, "nm told of no weak symbols; templates of the kernels should be among them"
    namespace = f"{len(instruction_set)}{instruction_set}"
    strays = sorted(name for name in weak if namespace not in name and not HARMLESS.match(name))
    assert not strays, f"outside recurra::{instruction_set}, and other objects may define them too: {strays}"
