"""calibration.json: the calibration of a run's weights, with a checksum and the checksum of the weights.

Writing other weights removes it (`RunFolder.write_weights`).
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from recurra.errors import RunError
from recurra.files import storage_error, sync_folder, write_text
from recurra.plain import json_line, json_text, parsed_json, shell
from recurra.runs.folder import RunFolder
from recurra.runs.tensor_files import sum_of_tensors

FORMAT_VERSION = 1
_SUM = "sha256"


def write_calibration(run: RunFolder, content: Mapping[str, Any], weights: str) -> None:
    """Write the calibration of the run's weights, of which `weights` is the sha256, atomically.

    Raises: RunError if another process holds the run, or its weights have changed; StorageError if the file
    cannot be written.
    """
    with run.locked():
        if sum_of_tensors(run.weights) != weights:
            raise RunError(f"{run.path}: its weights have changed since the model was loaded; load it again.")
        whole = {"format_version": FORMAT_VERSION, **content, "weights": weights}
        write_text(run.calibration, json_text(whole | {_SUM: _sum_of(whole)}) + "\n")


def read_calibration(run: RunFolder) -> dict[str, Any] | None:
    """Read the calibration of a run; None if it has none.

    Raises: RunError if the file is damaged, was written by a newer version or belongs to other weights.
    """
    remedy = f"restore it, or remove it with `recurra calibrate {shell(run.path)} --remove`"
    try:
        content = parsed_json(run.calibration.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("it is not a JSON object")
        if content.pop(_SUM, None) != _sum_of(content):
            raise ValueError("its checksum differs")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise RunError(f"{run.calibration}: is damaged ({error}); {remedy}.") from error
    if content["format_version"] != FORMAT_VERSION:
        raise RunError(
            f"{run.calibration}: has format {content['format_version']}, expected {FORMAT_VERSION}; use the "
            f"version of Recurra that wrote it, or {remedy.partition(', or ')[2]}."
        )
    if content["weights"] != sum_of_tensors(run.weights):
        raise RunError(f"{run.calibration}: was fitted to other weights than {run.weights.name}; {remedy}.")
    return content


def remove_calibration(run: RunFolder) -> bool:
    """Remove the calibration of a run; return whether there was one.

    Raises: RunError if another process holds the run; StorageError if it cannot be removed.
    """
    with run.locked():
        try:
            run.calibration.unlink()
            sync_folder(run.path)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise storage_error(error, run.calibration) from error
    return True


def _sum_of(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json_line(content).encode()).hexdigest()
