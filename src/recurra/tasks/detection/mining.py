"""Mining: the false alarms of a detector in recordings without its words become negatives of the next one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.audio.files import RATE, find_recordings, recording_blocks, write_recording
from recurra.data.examples import BadRows
from recurra.data.readers.recordings import read_recordings
from recurra.errors import ConfigError, StorageError
from recurra.files import make_folder, write_text
from recurra.runs import RunFolder
from recurra.tasks import driver, opening
from recurra.tasks.detection.listening import Heard

if TYPE_CHECKING:
    from recurra.tasks.detection.facade import Detector

_BEFORE_S, _AFTER_S = 2.0, 0.3
_TABLE = "negatives.tsv"


@dataclass(frozen=True)
class Mined:
    """False alarms found in recordings, the table of negatives with their clips, and the new training."""

    alarms: list[tuple[Path, Heard]]
    seconds: float
    table: Path | None
    result: Any = None


def mine(
    detector: "Detector",
    recordings: Sequence[Path],
    folder: Path,
    *,
    threshold: Sequence[str] = (),
    tell: Callable[[Path, Heard], None] | None = None,
) -> Mined:
    """Find the false alarms of a detector in recordings that do not have its words.

    A clip of each, from 2 s before to 0.3 s after the decision, is written into `folder`, and a table of
    negatives: those of the run and the clips. Without false alarms nothing is written.

    Raises: DataError for recordings that cannot be read.
    """
    found: list[tuple[Path, Heard]] = []
    clips: list[tuple[str, Any]] = []
    seconds = 0.0
    for path in (file for given in recordings for file in find_recordings(given)):
        stream = detector.stream(threshold=threshold)
        kept, at = np.zeros(0, np.float32), 0
        waiting: list[Heard] = []
        for block in chain(recording_blocks(path, RATE, block_s=1.0), [None]):
            if block is not None:
                at += len(block)
                kept = np.concatenate([kept, block])[-round(10 * RATE) :]
                for word, time, score in stream.push(block):
                    waiting.append(Heard(detector.symbols.words[word], time, score))
            while waiting and (block is None or (waiting[0].time_s + _AFTER_S) * RATE <= at):
                heard = waiting.pop(0)
                end = min(at, round((heard.time_s + _AFTER_S) * RATE))
                first = max(0, len(kept) - (at - end) - round((_BEFORE_S + _AFTER_S) * RATE))
                clips.append((f"{path.stem}-{heard.time_s:.2f}s.wav", kept[first : len(kept) - (at - end)]))
                found.append((path, heard))
                if tell is not None:
                    tell(path, heard)
        seconds += at / RATE
    if not found:
        return Mined(found, seconds, None)
    make_folder(folder)
    return Mined(found, seconds, _written(detector, folder, clips))


def folder_of(out: Path) -> Path:
    """Return the folder of the mined clips of a run."""
    return Path(f"{out}-mined")


def check_free(out: Path, folder: Path, *, overwrite: bool) -> None:
    """Refuse, before any work is done, a run or a folder of clips that exists. Raises: StorageError."""
    for path in (out, folder):
        if path.exists() and not overwrite:
            raise StorageError(
                f"{path}: already exists; choose another name, or overwrite it with --overwrite."
            )


def _written(detector: "Detector", folder: Path, clips: Sequence[tuple[str, Any]]) -> Path:
    """Write the clips, and the table with them and the negatives of the run."""
    names: dict[str, int] = {}
    rows = []
    for name, samples in clips:
        names[name] = names.get(name, 0) + 1
        unique = name if names[name] == 1 else f"{names[name]}-{name}"
        write_recording(folder / unique, samples, RATE)
        rows.append((unique, ""))
    given = detector.config.negative_data
    if given is not None:
        rows += [
            (str(Path(row.path).absolute()), row.group)
            for row in read_recordings(Path(given), BadRows(False), kind="negative")
        ]
    table = folder / _TABLE
    lines = ["path\tgroup", *("\t".join(row) for row in rows)]
    write_text(table, "".join(f"{line}\n" for line in lines))
    return table


def train_with(
    run: Path, table: Path, out: Path, *, epochs: int | None, overwrite: bool, **watching: Any
) -> Any:
    """Train a detector on, from the weights of a run, with its options and data and other negatives.

    Raises: as `driver.train`.
    """
    task, found = opening.task_and_config(RunFolder.open(run))
    config: Any = found
    if config.data is None:
        raise ConfigError(f"{run}: has no data of its own to train on; train a detector with --from.")
    options = {name: getattr(config, name) for name in config.chosen()} | {
        "negative_data": str(table),
        "from_run": str(run),
        "data": config.data,
    }
    options |= {} if epochs is None else {"epochs": epochs}
    built = task.config.build(options=options)
    return driver.train(task, built, out, overwrite=overwrite, **watching)
