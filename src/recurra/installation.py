"""Report of this installation: versions, features, and the commands that install missing parts."""

import os
import platform
import re
import shutil
import subprocess
import sysconfig
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from recurra.processors import THREAD_VARIABLES, processors, set_by_quota

# Commands that install a C++ compiler and Python's headers, by package manager.
_SYSTEM_PACKAGES = {
    "apt-get": ("apt-get install g++", "apt-get install python3-dev"),
    "dnf": ("dnf install gcc-c++", "dnf install python3-devel"),
    "apk": ("apk add g++", "apk add python3-dev"),
    "pacman": ("pacman -S gcc", "pacman -S python"),
    "zypper": ("zypper install gcc-c++", "zypper install python3-devel"),
    "brew": ("xcode-select --install", "brew install python"),
}
_OF_DEVELOPERS = {"bench", "dev", "docs"}  # extras


class Missing(NamedTuple):
    """A missing part, its purpose, and the command that installs it."""

    what: str
    purpose: str
    remedy: str


def installation() -> tuple[dict[str, str], list[Missing]]:
    """Return versions, processors, native part, GPU and optional packages, and the missing parts."""
    from recurra import __version__

    extras = _extras()
    facts = {"recurra": __version__, "python": platform.python_version(), **_torch_facts()}
    facts["extras"] = (
        ", ".join(name for name, absent in extras.items() if name and not absent) or "none installed"
    )
    return facts, [*_missing_packages(extras), *_missing_for_kernels(facts["native kernels"])]


def _torch_facts() -> dict[str, str]:
    """Return what is known of torch and the kernels."""
    found = processors()
    facts = {"torch": "not installed", "threads": "not known without torch", "processors": str(found)}
    try:
        import torch

        from recurra.kernels import native
    except (ImportError, OSError) as error:  # absent, or one of its libraries does not load
        return facts | {
            "native kernels": f"not known: {error}",
            "compiler": _compiler() or "none",
            "gpu": "not known",
        }
    return facts | {
        "torch": torch.__version__,
        "threads": f"{torch.get_num_threads()} ({_why_so_many()})",
        "processor features": ", ".join(native.processor_features()) or "not known without the native part",
        "native kernels": native.unavailable() or f"available ({native.instruction_set()})",
        "compiler": _compiler() or "none",
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
    }


def _why_so_many() -> str:
    """Return what set the number of threads; `import recurra` sets it before torch is loaded."""
    named = [f"{name}={os.environ[name]}" for name in THREAD_VARIABLES if name in os.environ]
    if set_by_quota():
        return "limited by the control group's quota"
    if named:
        return f"{' and '.join(named)} set"
    return "one per processor that it may use"


def _compiler() -> str | None:
    """Return the C++ compiler that a build would use, with its version; None if no compiler runs."""
    for name in filter(None, (os.environ.get("CXX"), "c++", "g++", "clang++")):
        path = shutil.which(name)
        if path is None:
            continue
        try:
            said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=True)
        except (OSError, subprocess.SubprocessError):
            continue
        return f"{path} ({said.stdout.splitlines()[0] if said.stdout else 'no version'})"
    return None


def _missing_for_kernels(native: str) -> list[Missing]:
    """Return the parts and commands needed for the native kernels; empty if they are available."""
    if native.startswith("available") or "RECURRA_NO_NATIVE" in native:
        return []
    manager = next((name for name in _SYSTEM_PACKAGES if shutil.which(name)), None)
    compiler, headers = _SYSTEM_PACKAGES.get(
        manager or "", ("install g++ or clang++", "install Python's headers")
    )
    missing = []
    if _compiler() is None:
        missing.append(Missing("a C++17 compiler", "needed to build the native kernels", compiler))
    if not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        missing.append(Missing("Python.h", "needed to build the native kernels", headers))
    purpose = f"layers run on torch's functions; {native}; rebuild them in the source folder"
    again = "pip install --force-reinstall --no-deps --no-cache-dir ."
    return [*missing, Missing("the native kernels", purpose, again)]


def _extras() -> dict[str, list[str]]:
    """Return the packages that are not installed, of recurra itself ("") and of each extra for users."""
    absent: dict[str, list[str]] = {"": []}
    try:
        requirements = metadata.requires("recurra") or []
    except metadata.PackageNotFoundError:  # run from the source folder without installation
        requirements = []
    for requirement in requirements:
        name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        extra = re.search(r"extra == ['\"]([^'\"]+)['\"]", requirement)
        group = "" if extra is None else extra[1]
        if group not in _OF_DEVELOPERS:
            absent.setdefault(group, []).extend([] if _is_installed(name) else [name])
    return absent


def _missing_packages(extras: dict[str, list[str]]) -> list[Missing]:
    needed, *optional = extras.items()
    missing = [Missing(name, "required by recurra", f"pip install {name}") for name in needed[1]]
    for extra, names in optional:
        if names:
            missing.append(Missing(", ".join(names), f"optional: {extra}", f"pip install 'recurra[{extra}]'"))
    return missing


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
