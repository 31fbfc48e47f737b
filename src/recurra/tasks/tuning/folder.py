"""OUT/: the folder of a search, locked by the process that searches, and its settings in OUT/tune.toml."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recurra.config import to_toml
from recurra.errors import DataError, RunError
from recurra.files import reading_error, write_text
from recurra.plain import finite, listed, reason_of
from recurra.runs.marker import MARKER, held

SETTINGS = "tune.toml"
STUDY = "study.db"
_FORMAT = 1


class SearchFolder:
    """The paths in the folder of a search, and its settings."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings = path / SETTINGS
        self.best = path / "best"
        self.table = path / "trials.csv"
        self.picture = path / "tune.png"
        self.report = path / "report.html"

    def trial(self, number: int) -> Path:
        """The folder of a trial."""
        return self.path / f"trial-{number}"

    @contextmanager
    def opened(self, settings: Mapping[str, Any]) -> Iterator[None]:
        """Hold the folder for a new search, or for one that was begun with the same settings.

        Raises: RunError if it holds anything else, or another process searches there.
        """
        self._check(settings)
        with held(self.path, make=True) as marker:
            try:
                begun = self._check(settings)
                if not begun:
                    self._write({"format_version": _FORMAT, **settings})
                yield
            except BaseException:
                if os.path.exists(self.settings) and "data" not in self._read():
                    self._forget()  # no trial has read the data, so nothing is lost
                marker.withdraw()
                raise

    def check_data(self, name: str, facts: Mapping[str, Any]) -> None:
        """Check that the data of a model are those of the first trial. Raises: DataError if they changed."""
        found = {
            part: str(each["fingerprint"])
            for part, each in facts.items()
            if isinstance(each, Mapping) and "fingerprint" in each
        }
        content, key = self._read(), name or "data"
        known = content.setdefault("data", {}).get(key)
        if known is None:
            content["data"][key] = found
            self._write(content)
            return
        for part, fingerprint in found.items():
            if known.get(part) != fingerprint:
                raise DataError(
                    f"{facts[part].get('path', part)}: has changed since the search began ({part} data "
                    "differ); restore the old file, or choose another output folder."
                )

    def _check(self, settings: Mapping[str, Any]) -> bool:
        """Whether a search with these settings was begun.

        Raises: RunError if the folder holds anything else.
        """
        try:
            names = set(os.listdir(self.path)) - {MARKER}
        except FileNotFoundError:
            return False
        except NotADirectoryError as error:
            raise RunError(
                f"{self.path}: exists and is not a folder; choose another output folder."
            ) from error
        except OSError as error:
            raise reading_error(error, self.path) from error
        if not names:
            return False
        if SETTINGS not in names:
            raise RunError(f"{self.path}: exists and is not a search; choose another output folder.")
        found = self._read()
        differing = list(dict.fromkeys(_differences(found, finite(dict(settings)))))
        if differing:
            raise RunError(
                f"{self.path}: holds a search with other options ({listed(differing)}); give the same ones "
                "to continue it, or choose another output folder."
            )
        return True

    def _read(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self.settings.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(
                f"{self.settings}: is damaged ({reason_of(error)}); restore it from a copy, or choose "
                "another output folder."
            ) from error

    def _forget(self) -> None:
        for name in (SETTINGS, STUDY, f"{STUDY}-wal", f"{STUDY}-journal"):
            (self.path / name).unlink(missing_ok=True)

    def _write(self, content: Mapping[str, Any]) -> None:
        write_text(self.settings, to_toml(content))


def _differences(known: Mapping[str, Any], asked: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the settings that differ."""
    for name, value in asked.items():
        found = known.get(name)
        if isinstance(value, Mapping) and isinstance(found, Mapping) and name in ("options", "best", "space"):
            names = dict.fromkeys([*value, *found])
            yield from (one for one in names if value.get(one) != found.get(one))
        elif found != value:
            yield name
