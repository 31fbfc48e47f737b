"""The files of a run that never change: vocabularies, labels. run.toml lists them with their sha256.

Also, what is removed where a run is begun over another: exactly what the other wrote.
"""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from recurra.errors import RunError
from recurra.files import (
    fault_of,
    make_folder,
    name_aside,
    remove_tree,
    sha256_of,
    sync_folder,
    sync_tree,
)

# What a run writes in the course of training; run.toml comes first, so that no run has lost a part of it.
FILES = ("run.toml", "model.safetensors", "report.html", "metrics.jsonl")
FOLDERS = ("checkpoint", "events")
# What a run of format 1 may have beside those; its run.toml does not tell.
OF_FORMAT_1 = (
    "vocabulary.json",
    "tokenizer.json",
    "words.json",
    "labels.json",
    "source/vocabulary.json",
    "source/tokenizer.json",
    ".lock",
)
ASIDE = "artefacts"


@contextmanager
def aside(folder: Path) -> Iterator[Path]:
    """A folder in `folder` to write artefacts into before they are moved into place; removed at the end."""
    place = name_aside(folder / ASIDE)
    try:
        place.mkdir()
        yield place
    finally:
        with suppress(OSError):
            remove_tree(place)


def sums_of(folder: Path) -> dict[str, str]:
    """The sha256 of each file below `folder` by its name, onto the disk with all of them."""
    sync_tree(folder)
    files = sorted(file for file in folder.rglob("*") if not file.is_dir())
    sums = {file.relative_to(folder).as_posix(): sha256_of(file) for file in files}
    for name in sums:
        assert PurePosixPath(name).parts[0] not in (*FILES, *FOLDERS), f"{name} is no name for an artefact"
    return sums


def refuse_collisions(folder: Path, names: Iterable[str], of_runs: Collection[str]) -> None:
    """Refuse artefacts whose names others have who are of no run.

    Raises: RunError naming the first of them.
    """
    for name in names:
        parents = [folder / parent for parent in PurePosixPath(name).parents][:-1]
        in_the_way = [parent for parent in parents if parent.is_symlink() or parent.is_file()]
        if name not in of_runs and os.path.lexists(folder / name):
            in_the_way.append(folder / name)
        for path in in_the_way:
            raise RunError(f"{path}: is in the way and was written by no run; move it elsewhere.")


def refuse_folders(folder: Path, names: Iterable[str]) -> None:
    """Refuse folders with something in them where a run has, or had, files of these names.

    Raises: RunError naming the first of them.
    """
    for name in (*FILES, *names):
        path = folder / name
        if path.is_dir() and not path.is_symlink() and os.listdir(path):
            raise RunError(f"{path}: is a folder where a file of the run belongs; move it elsewhere.")


def _remove_file(path: Path) -> None:
    """Remove a file, or the empty folder that has come in its place; nothing where there is none."""
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def remove_run(folder: Path, names: Iterable[str]) -> None:
    """Remove what a run wrote in the course of training, and the artefacts of these names; run.toml first."""
    for name in FILES:
        _remove_file(folder / name)
        sync_folder(folder)
    for name in FOLDERS:
        remove_tree(folder / name)
    parents = set()
    for name in names:
        above = [folder / parent for parent in PurePosixPath(name).parents][:-1]
        if not any(parent.is_symlink() or not parent.is_dir() for parent in above):
            _remove_file(folder / name)
            parents.update(above)
    for parent in sorted(parents, reverse=True):  # the inner ones first
        with suppress(OSError):
            parent.rmdir()  # unless somebody's files are in it
    sync_folder(folder)


def move_into(folder: Path, place: Path, names: Iterable[str]) -> None:
    """Move artefacts that were written to `place` into the run's folder."""
    parents = {folder}
    for name in names:
        target = folder / name
        make_folder(target.parent)
        os.replace(place / name, target)
        parents.add(target.parent)
    for parent in parents:
        sync_folder(parent)


def of_format_1(folder: Path) -> list[str]:
    """The artefacts that a run of format 1 has."""
    return [name for name in OF_FORMAT_1 if name != ".lock" and (folder / name).exists()]


def check(folder: Path, sums: Mapping[str, str]) -> None:
    """Check artefacts.

    Raises: RunError naming the first that is missing or damaged.
    """
    for name, expected in sums.items():
        path = folder / name
        if not os.path.exists(path):
            raise RunError(f"{path}: is missing; copy it from where the run came from, or train again.")
        fault = fault_of(path, expected, "run.toml")
        if fault is not None:
            raise RunError(f"{fault}; restore it from a copy, or train again.")
