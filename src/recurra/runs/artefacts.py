"""The files of a run that never change: vocabularies, labels. run.toml lists them with their sha256.

Also removes an earlier run when it is overwritten: exactly the files that the earlier run wrote.
"""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from recurra.errors import RunError
from recurra.files import fault_of, make_folder, name_aside, remove_tree, sha256_of, sync_folder, sync_tree

# Files and folders that a run writes; run.toml is removed first, so that no partial run looks complete.
FILES = ("run.toml", "model.safetensors", "calibration.json", "report.html", "metrics.jsonl")
FOLDERS = ("checkpoint", "events")
# Other files that a run of format 1 may have; its run.toml does not list them.
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
    """A temporary folder in `folder`, in which artefacts are written before they are moved into place."""
    place = name_aside(folder / ASIDE)
    try:
        place.mkdir()
        yield place
    finally:
        with suppress(OSError):
            remove_tree(place)


def sums_of(folder: Path) -> dict[str, str]:
    """Sync all files below `folder` to disk and return the sha256 of each by name."""
    sync_tree(folder)
    files = sorted(file for file in folder.rglob("*") if not file.is_dir())
    sums = {file.relative_to(folder).as_posix(): sha256_of(file) for file in files}
    for name in sums:
        assert PurePosixPath(name).parts[0] not in (*FILES, *FOLDERS), (
            f"{name} is not a valid name for an artefact"
        )
    return sums


def refuse_collisions(folder: Path, names: Iterable[str], of_runs: Collection[str]) -> None:
    """Refuse artefacts with the name of a file that no run wrote.

    Raises: RunError naming the first such file.
    """
    for name in names:
        parents = [folder / parent for parent in PurePosixPath(name).parents][:-1]
        in_the_way = [parent for parent in parents if parent.is_symlink() or parent.is_file()]
        if name not in of_runs and os.path.lexists(folder / name):
            in_the_way.append(folder / name)
        for path in in_the_way:
            raise RunError(f"{path}: is in the way and was not written by a run; move it elsewhere.")


def refuse_folders(folder: Path, names: Iterable[str]) -> None:
    """Refuse non-empty folders in places where a run has, or had, files of these names.

    Raises: RunError naming the first such folder.
    """
    for name in (*FILES, *names):
        path = folder / name
        if path.is_dir() and not path.is_symlink() and os.listdir(path):
            raise RunError(f"{path}: is a folder where a file of the run belongs; move it elsewhere.")


def _remove_file(path: Path) -> None:
    """Remove a file, or the empty folder in its place, if there is one."""
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def remove_run(folder: Path, names: Iterable[str]) -> None:
    """Remove everything that training wrote, and the artefacts of these names; run.toml first."""
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
    for parent in sorted(parents, reverse=True):  # inner folders first
        with suppress(OSError):
            parent.rmdir()  # unless it has other files
    sync_folder(folder)


def move_into(folder: Path, place: Path, names: Iterable[str]) -> None:
    """Move artefacts that were written to `place` into the run folder."""
    parents = {folder}
    for name in names:
        target = folder / name
        make_folder(target.parent)
        os.replace(place / name, target)
        parents.add(target.parent)
    for parent in parents:
        sync_folder(parent)


def of_format_1(folder: Path) -> list[str]:
    """Return the artefacts that a run of format 1 has."""
    return [name for name in OF_FORMAT_1 if name != ".lock" and (folder / name).exists()]


def check(folder: Path, sums: Mapping[str, str]) -> None:
    """Check artefacts against their sha256.

    Raises: RunError naming the first one that is missing or damaged.
    """
    for name, expected in sums.items():
        path = folder / name
        if not os.path.exists(path):
            raise RunError(f"{path}: is missing; copy it from the original run, or train again.")
        fault = fault_of(path, expected, "run.toml")
        if fault is not None:
            raise RunError(f"{fault}; restore it from a copy, or train again.")
