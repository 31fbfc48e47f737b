"""The recordings of a detector: reading, loading of samples, and sentences about them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from recurra.audio.activity import Span, word_span
from recurra.audio.features import FeatureSettings, features_of
from recurra.audio.files import RATE, recording_blocks
from recurra.audio.normalisation import Statistics, statistics_of
from recurra.data.examples import BadRows
from recurra.data.readers.recordings import Kind, Recording, read_recordings
from recurra.data.sound_scenes import Sound
from recurra.errors import DataError
from recurra.plain import counted, listed, quoted
from recurra.tasks.detection.config import DetectConfig

_PIECE_S = 60.0  # longer recordings without words are cut into pieces, some of which can be held out
_FEW_GROUPS = 10
_QUIET = 1e-4  # amplitude of a pause
_LONGEST = 1.5  # of the median duration of a word


def read_part(
    config: DetectConfig, part: str, bad: BadRows, words: Sequence[str] = ()
) -> list[Recording] | None:
    """Return the recordings of --data with its negatives and backgrounds, of --valid or of --test."""
    path = getattr(config, part)
    if path is None:
        return None
    found = read_recordings(Path(path), bad, words=words)
    if part == "data":
        named: dict[Kind, str | None] = {
            "negative": config.negative_data,
            "background": config.background_data,
        }
        for kind, name in named.items():
            if name is not None:
                found += read_recordings(Path(name), bad, kind=kind)
    return [piece for one in found for piece in _pieces(one)]


def _pieces(recording: Recording) -> Iterator[Recording]:
    """Yield a recording of a word as it is, and another one in pieces of at most a minute."""
    start, end = recording.start_s or 0.0, recording.end_s or recording.seconds
    if recording.kind == "word" or end - start <= 1.5 * _PIECE_S:
        yield recording
        return
    count = round((end - start) / _PIECE_S)
    edges = np.linspace(start, end, count + 1).tolist()
    for first, last in pairwise(edges):
        yield Recording(**{**vars(recording), "start_s": first, "end_s": last})


def groups_of(rows: Sequence[Recording]) -> list[list[int]]:
    """Group recordings that go into the same part: those of a group, and the pieces of a file.

    If there are few groups of a kind without words, the pieces of a file are apart.
    """
    few = {
        kind: len({_group(row) for row in rows if row.kind == kind}) < _FEW_GROUPS
        for kind in ("negative", "background")
    }
    found: dict[object, list[int]] = {}
    for i, row in enumerate(rows):
        key: object = (row.kind, row.word, _group(row))
        if few.get(row.kind) and not row.group:
            key = (key, row.start_s)
        found.setdefault(key, []).append(i)
    return list(found.values())


def _group(row: Recording) -> str:
    return f"group {row.group}" if row.group else f"file {row.digest}"


@lru_cache(maxsize=4096)
def samples_of(row: Recording) -> NDArray[np.int16]:
    """Return the samples of a recording as 16-bit integers: of a word, of the whole file.

    Shapes: (N,).
    """
    start, end = (0.0, None) if row.kind == "word" else (row.start_s or 0.0, row.end_s)
    blocks = [
        np.round(np.clip(block, -1.0, 32767 / 32768) * 32768).astype(np.int16)
        for block in recording_blocks(Path(row.path), RATE, start_s=start, stop_s=end)
    ]
    return np.concatenate(blocks) if blocks else np.zeros(0, np.int16)


def floats_of(row: Recording) -> NDArray[np.float32]:
    """Return the samples of a recording in [-1, 1]. Shapes: (N,)."""
    return samples_of(row).astype(np.float32) / np.float32(32768)


def pause(seconds: float) -> NDArray[np.float32]:
    """Return very quiet noise, which is not digital silence. Shapes: (N,)."""
    return np.random.default_rng(0).normal(0, _QUIET, round(seconds * RATE)).astype(np.float32)


def sound_of(row: Recording, words: Sequence[str], longest_s: Sequence[float]) -> Sound:
    """Return the samples of a recording, with the word and its span."""
    samples = samples_of(row)
    if row.kind != "word":
        return Sound(samples)
    number = words.index(row.word)
    return Sound(samples, number, span_of(row, longest_s[number]))


def longest_of(rows: Sequence[Recording], words: Sequence[str]) -> tuple[float, ...]:
    """Return a duration of each word that few recordings exceed: one and a half times the median."""
    spans = {word: [span_of(row) for row in rows if row.word == word] for word in words}
    return tuple(_LONGEST * median(span.end_s - span.start_s for span in spans[word]) for word in words)


def span_of(row: Recording, longest_s: float | None = None) -> Span:
    """Return where in a recording its word is: as the data tell it, or between the silences."""
    if row.start_s is not None and row.end_s is not None:
        return Span(row.start_s, row.end_s)
    found = word_span(floats_of(row), RATE, longest_s)
    start = found.start_s if row.start_s is None else row.start_s
    end = found.end_s if row.end_s is None else row.end_s
    return Span(start, end) if start < end else found


def statistics_of_rows(rows: Sequence[Recording], settings: FeatureSettings) -> Statistics:
    """Return the mean and the standard deviation of each number of a frame over the recordings."""
    frames = (features_of(floats_of(row), settings) for row in rows)
    return statistics_of(frame for frame in frames if len(frame))


def check_parts(train: Sequence[Recording], valid: Sequence[Recording], path: str) -> None:
    """Refuse data without words to train or to validate on. Raises: DataError."""
    for rows, what in ((train, "train"), (valid, "validate")):
        if not any(row.kind == "word" for row in rows):
            raise DataError(
                f"{path}: leaves no recordings of a word to {what} on; record more, or name some with "
                "--valid."
            )


def check_words(rows: Sequence[Recording], words: Sequence[str], part: str) -> None:
    """Refuse recordings of words that the training data do not have. Raises: DataError."""
    for row in rows:
        if row.kind == "word" and row.word not in words:
            raise DataError(
                f"{row.path}: is a recording of {quoted(row.word)} in the {part} data, but the words of the "
                f"training data are {listed(words)}; rename it, or record it for training too."
            )


def told(rows: Sequence[Recording]) -> str:
    """Return what recordings there are."""
    words = Counter(row.word for row in rows if row.kind == "word")
    parts = [f"{counted(count, 'recording')} of {word}" for word, count in sorted(words.items())]
    for kind, name in (("negative", "without words"), ("background", "of backgrounds")):
        own = [row for row in rows if row.kind == kind]
        if own:
            parts.append(f"{_duration(own)} {name} in {counted(len({row.path for row in own}), 'file')}")
    return listed(parts)


def _duration(rows: Sequence[Recording]) -> str:
    seconds = sum((row.end_s or row.seconds) - (row.start_s or 0.0) for row in rows)
    return f"{seconds / 60:.1f} minutes" if seconds >= 90 else f"{seconds:.0f} seconds"
