"""A run on disk: its settings, its results, and everything needed to resume it.

RUN/ run.toml            configuration, versions, fingerprints and facts of the data, checksums of artefacts
     vocabulary.json     and other artefacts (such as split.json), which never change; run.toml lists them
     model.safetensors   the best weights so far
     checkpoint/         see recurra.runs.checkpoints
     metrics.jsonl       see recurra.runs.metrics_log
     calibration.json    see recurra.runs.calibration_file
     report.html
     .recurra            marks the folder as a run, see recurra.runs.marker
"""

import os
import platform
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from recurra.errors import RunError
from recurra.files import make_folder, reading_error, remove_strays, storage_error, write_text, written_whole
from recurra.plain import shell
from recurra.runs import artefacts
from recurra.runs.checkpoints import CheckpointFolder
from recurra.runs.marker import MARKER, HeldMarker, Marker, held, held_marker
from recurra.runs.metrics_log import MetricsLog
from recurra.runs.settings import FORMAT_VERSION, is_settings, listed_artefacts, read_settings, settings_text
from recurra.runs.tensor_files import read_tensors, write_tensors

_LOST_SETTINGS = (
    "{}: the run.toml of this run is missing; restore it from a copy, or overwrite the run with --overwrite."
)


class RunFolder:
    """The paths in a run folder, and methods that read and write them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings = path / "run.toml"
        self.weights = path / "model.safetensors"
        self.calibration = path / "calibration.json"
        self.report = path / "report.html"
        self.events = path / "events"
        self.metrics = MetricsLog(path / "metrics.jsonl")
        self.checkpoints = CheckpointFolder(path / "checkpoint", logs=[self.metrics.path])

    def __repr__(self) -> str:
        return f"RunFolder({str(self.path)!r})"

    @staticmethod
    def check_free(path: Path, *, overwrite: bool = False) -> None:
        """Refuse a path that is not empty; with `overwrite`, one that holds anything but a run.

        A run that was stopped while it was being started may be replaced. Nothing is written.

        Raises: RunError if the path is refused.
        """
        try:
            names = set(os.listdir(path))
        except FileNotFoundError:
            return
        except NotADirectoryError as error:
            raise RunError(f"{path}: exists and is not a run; choose another output folder.") from error
        except OSError as error:
            raise reading_error(error, path) from error
        marker = Marker(path)
        if not names - {MARKER} and (marker.is_ours or marker.is_torn):
            return
        if not marker.is_ours and not is_settings(path / "run.toml"):
            raise RunError(f"{path}: exists and is not a run; choose another output folder.")
        if overwrite:
            return
        if "run.toml" in names:
            raise RunError(
                f"{path}: holds a run already; resume it with `recurra train --resume {shell(path)}`, or "
                "replace it with --overwrite."
            )
        if _lost_settings(names, marker):
            raise RunError(_LOST_SETTINGS.format(path))

    @classmethod
    @contextmanager
    def claimed(cls, path: Path, *, overwrite: bool = False) -> Iterator["RunFolder"]:
        """Claim the folder of a new run for this process; an earlier run stays intact until `begin`.

        If the body fails before `begin`, a folder that was created for it is removed again.

        Raises: RunError as `check_free`, or if another process writes there; StorageError if the folder
        cannot be written to.
        """
        cls.check_free(path, overwrite=overwrite)
        run = cls(path)
        with held(path, make=True) as marker:
            try:
                cls.check_free(path, overwrite=overwrite)  # again, now that the lock is held
                run._sign(marker)
                yield run
            except BaseException:
                marker.withdraw()
                raise

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the run for this process while it writes there; one thread may nest calls.

        Raises: RunError if there is no run, or another process holds it; StorageError if it cannot be
        written to.
        """
        if held_marker(self.path) is not None:
            yield
            return
        if not os.path.exists(self.settings) and not Marker(self.path).is_ours:
            raise _no_run(self.path)
        with held(self.path) as marker:
            self._sign(marker)
            if marker.beginning and is_settings(
                self.settings
            ):  # started, or stopped before anything was removed
                marker.settle(listed_artefacts(self.settings) or [])
            yield

    def _sign(self, marker: HeldMarker) -> None:
        """Mark the folder as a run, and remove incomplete files of killed processes."""
        try:
            marker.sign()
        except OSError as error:
            raise storage_error(error, marker.path) from error
        ours = (artefacts.ASIDE, *artefacts.FILES)
        remove_strays(self.path, lambda name: name in ours)
        self.checkpoints.remove_strays()

    def begin(
        self,
        task: str,
        config: Mapping[str, Any],
        data: Mapping[str, Any],
        save: Callable[[Path], None],
        versions: Mapping[str, str] | None = None,
        settled: Sequence[str] = (),
        continued: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Start the run in a folder that is `claimed`: remove an earlier run, write artefacts and run.toml.

        `save` writes the files that never change, such as the vocabulary, into the folder passed to it.
        run.toml stores `config`, `data` (facts about the data), `settled` (the names of the options that were
        set from the files), `continued` (see `change_config`) and `versions`; if not given, the versions of
        this process.

        Raises: RunError if a file that no run wrote has the name of an artefact, or a folder has the name of
        a file; StorageError if the disk is full or fails. If `save` fails, an earlier run stays intact.
        """
        marker = held_marker(self.path)
        assert marker is not None, "a run can only start in a claimed folder"
        try:
            with artefacts.aside(self.path) as aside:
                save(aside)
                sums = artefacts.sums_of(aside)
                before = self._artefacts_before(marker)
                artefacts.refuse_collisions(self.path, sums, before)
                artefacts.refuse_folders(self.path, before)
                marker.note_beginning(dict.fromkeys([*before, *sums]))
                artefacts.remove_run(self.path, before)
                artefacts.move_into(self.path, aside, sums)
            content: dict[str, Any] = {"task": task} | ({"settled": list(settled)} if settled else {})
            content |= {"versions": versions or _versions(), "config": config, "data": data}
            content |= {"artefacts": sums} | ({"continued": list(continued)} if continued else {})
            write_text(self.settings, settings_text(content))
            marker.settle(sums)
        except OSError as error:
            raise storage_error(error, self.path) from error

    def change_config(self, config: Mapping[str, Any], continuation: Mapping[str, Any]) -> None:
        """Replace the options of a run that is `locked`, and add a record of the change to `continued`.

        Raises: RunError for a run of format 1; StorageError if run.toml cannot be written.
        """
        settings = self.read_settings()
        if settings["format_version"] != FORMAT_VERSION:
            raise RunError(
                f"{self.path}: is a run of format {settings['format_version']}, which keeps its options; "
                "resume it without other options, or train it again with --overwrite."
            )
        entry = {"versions": _versions(), **continuation}
        try:
            text = settings_text(
                settings | {"config": config, "continued": [*settings.get("continued", ()), entry]}
            )
            write_text(self.settings, text)
        except OSError as error:
            raise storage_error(error, self.path) from error

    def remove(self) -> None:
        """Remove the run: exactly the files that it wrote, and the folder if it is then empty.

        Raises: RunError if another process holds the run, or a folder has replaced one of its files;
        StorageError if it cannot be removed.
        """
        with self.locked():
            marker = held_marker(self.path)
            assert marker is not None, "it is locked"
            try:
                before = self._artefacts_before(marker)
                artefacts.refuse_folders(self.path, before)
                marker.note_beginning(dict.fromkeys(before))
                artefacts.remove_run(self.path, before)
                marker.remove()
            except OSError as error:
                raise storage_error(error, self.path) from error

    def _artefacts_before(self, marker: Marker) -> list[str]:
        """Return the artefacts of runs that were started here before."""
        names = marker.names
        if not os.path.exists(self.settings):
            return names
        listed = listed_artefacts(self.settings)
        nobody_tells = not listed and not names and not is_settings(self.settings)
        if listed is None or nobody_tells:
            return [*names, *artefacts.OF_FORMAT_1]
        return [*names, *listed]

    def copy_to(self, path: Path) -> None:
        """Copy the files needed to load, evaluate and report the run into another folder, but no checkpoint.

        Raises: RunError if the target is refused, or a file here is missing or damaged; StorageError.
        """
        settings = self.read_settings()
        self.check_artefacts()
        listed = settings.get("artefacts")
        names = artefacts.of_format_1(self.path) if listed is None else list(listed)
        weights, records = self.read_weights(), self.read_metrics()
        calibration = self.calibration.read_bytes() if self.calibration.exists() else None

        def save(folder: Path) -> None:
            for name in names:
                make_folder((folder / name).parent)
                shutil.copyfile(self.path / name, folder / name)

        with RunFolder.claimed(path) as copy:
            copy.begin(
                settings["task"],
                settings["config"],
                settings["data"],
                save,
                versions=settings.get("versions"),
                settled=settings.get("settled", ()),
                continued=settings.get("continued", ()),
            )
            copy.write_weights(weights)
            for record in records:
                copy.metrics.append(record)
            if calibration is not None:
                with written_whole(copy.calibration) as file:
                    file.write(calibration)

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """Open the run in `path`.

        Raises: RunError if there is no run, it is damaged or it was written by a newer version.
        """
        run = cls(path)
        if not os.path.exists(run.settings):
            raise _no_run(path)
        run.read_settings()
        return run

    def read_settings(self) -> dict[str, Any]:
        """Read run.toml: at least `task`, and the tables `config` and `data`.

        Raises: RunError if it is missing, damaged, edited or written by a newer version.
        """
        return read_settings(self.settings)

    def check_artefacts(self) -> None:
        """Check the files that never change against the checksums in run.toml; format 1 has none.

        Raises: RunError naming a missing or damaged file.
        """
        artefacts.check(self.path, self.read_settings().get("artefacts", {}))

    def has_artefacts_of(self, save: Callable[[Path], None]) -> bool:
        """Whether `save` (as in `begin`) writes exactly the artefacts that run.toml lists; True for format 1.

        Raises: StorageError if they cannot be written.
        """
        listed = self.read_settings().get("artefacts")
        try:
            with artefacts.aside(self.path) as aside:
                save(aside)
                return listed in (None, artefacts.sums_of(aside))
        except OSError as error:
            raise storage_error(error, self.path) from error

    @property
    def begun_only(self) -> bool:
        """Whether the run was stopped before its first checkpoint, so that it must start over."""
        if not os.path.exists(self.settings) or os.path.exists(self.weights):
            return False
        return not self.checkpoints.exists() and not self.metrics.size

    @property
    def has_ended(self) -> bool:
        """Whether training has ended, according to the latest checkpoint."""
        return self._place().get("finished") is True

    def read_metrics(self) -> list[dict[str, Any]]:
        """Read metrics.jsonl, checking that no record from before the latest checkpoint is missing.

        Raises: RunError if a line is damaged or missing.
        """
        size = self._place().get("metrics_size")
        self.metrics.check_size(size if isinstance(size, int) else 0)
        return self.metrics.read()

    def _place(self) -> Mapping[str, Any]:
        """Return the training position at the latest checkpoint; empty if none can be read."""
        place = self.checkpoints.peek().get("place")
        return place if isinstance(place, dict) else {}

    def write_weights(self, tensors: Mapping[str, Tensor]) -> None:
        """Write model.safetensors atomically, and remove the calibration of other weights.

        Raises: StorageError if it cannot be written.
        """
        try:
            self.calibration.unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(error, self.calibration) from error
        with written_whole(self.weights) as file:
            write_tensors(file, tensors)

    def read_weights(self) -> dict[str, Tensor]:
        """Read the tensors of model.safetensors.

        Raises: RunError if the file is missing or damaged.
        """
        never_written = self.begun_only or (self.checkpoints.exists() and self._place().get("best") is None)
        if not os.path.exists(self.weights) and never_written:
            raise RunError(
                f"{self.path}: has no model yet; finish training with "
                f"`recurra train --resume {shell(self.path)}`."
            )
        return read_tensors(self.weights)


def _versions() -> dict[str, str]:
    import numpy
    import torch

    import recurra

    return {
        "recurra": recurra.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
    }


def _lost_settings(names: Set[str], marker: Marker) -> bool:
    """Whether a run folder with these entries has lost its run.toml after the run had started."""
    left = names & {*artefacts.FILES, *artefacts.FOLDERS, *marker.names}
    return bool(left) and "run.toml" not in names and not marker.beginning


def _no_run(path: Path) -> RunError:
    """Return the error for a path without a run.toml."""
    try:
        names = set(os.listdir(path))
    except FileNotFoundError:
        return RunError(f"{path}: the folder does not exist; name one that `recurra train` wrote.")
    except NotADirectoryError:
        return RunError(f"{path}: is a file, not a run; name a folder that `recurra train` wrote.")
    except OSError as error:
        return reading_error(error, path)
    marker = Marker(path)
    if marker.is_ours and _lost_settings(names, marker):
        return RunError(_LOST_SETTINGS.format(path))
    if marker.is_ours:
        return RunError(
            f"{path}: has no run.toml, because the run was stopped while it started; run the same command "
            "again."
        )
    runs = sorted(file.parent.name for file in path.glob("*/run.toml"))
    if runs:
        return RunError(
            f"{path}: is not a run, but contains runs; name one of them, such as {path / runs[0]}."
        )
    return RunError(f"{path}: is not a run (it has no run.toml); name one that `recurra train` wrote.")
