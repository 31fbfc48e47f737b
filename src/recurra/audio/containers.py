"""The sound track of a film or of another container, decoded by the program ffmpeg."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from recurra.audio.resampling import Floats
from recurra.errors import DataError, MissingExtra

ENDINGS_OF_CONTAINERS = (".mp4", ".mkv", ".webm", ".mov", ".m4a", ".m4v", ".avi", ".aac", ".wma", ".mka")
_SIGNS_OF_A_CUT = ("ended prematurely", "partial file", "truncat")
_PATIENCE_S = 60


class Track(NamedTuple):
    """The first sound track of a container."""

    rate: int
    channels: int
    length_s: float | None
    """Length by the header in seconds; None if it has none."""


def track_of(path: Path) -> Track:
    """Return rate, channels and length of the first sound track.

    Raises: MissingExtra without ffmpeg; DataError if the file is damaged or has no sound track.
    """
    entries = "stream=sample_rate,channels,duration:format=duration"
    command = [_program("ffprobe", path), "-v", "error", "-select_streams", "a:0"]
    command += ["-show_entries", entries, "-of", "json", f"file:{path}"]
    try:
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired as error:
        raise DataError(f"{path}: ffprobe gave no answer in {_PATIENCE_S} s; convert it to WAV.") from error
    if done.returncode:
        raise _failed(path, done.stderr)
    told = json.loads(done.stdout)
    if not told.get("streams"):
        raise DataError(f"{path}: has no sound track; give a recording, or a film with sound.")
    stream = told["streams"][0]
    rate, channels = int(stream.get("sample_rate", 0)), int(stream.get("channels", 0))
    if rate < 1 or channels < 1:
        raise _failed(path, done.stderr or b"the sound track has no sample rate")
    length = stream.get("duration") or told.get("format", {}).get("duration")
    return Track(rate, channels, None if length in (None, "N/A") else float(length))


def track_blocks(path: Path, track: Track, block: int) -> Iterator[Floats]:
    """Yield the sound track in blocks of (N, channels) float32, N <= `block`, at its own rate.

    Raises: DataError if ffmpeg fails, or says that the file ends early.
    """
    command = [_program("ffmpeg", path), "-v", "error", "-nostdin", "-i", f"file:{path}"]
    command += ["-map", "0:a:0", "-f", "f32le", "-c:a", "pcm_f32le"]
    command += ["-ar", str(track.rate), "-ac", str(track.channels), "pipe:1"]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, bufsize=0
        )
        try:
            assert process.stdout is not None
            yield from _frames(process.stdout, block, track.channels)
            code = process.wait()
        finally:
            process.kill()  # the caller may need no more of it
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        said.seek(0)
        errors = said.read()
    if code or any(sign in errors.decode("utf-8", "replace").lower() for sign in _SIGNS_OF_A_CUT):
        raise _failed(path, errors)


def _frames(pipe: IO[bytes], block: int, channels: int) -> Iterator[Floats]:
    """Yield frames of (N, channels) as a pipe brings them; a part of a frame at the end is left out."""
    size, held = 4 * channels, b""
    while piece := pipe.read(block * size):
        held += piece
        whole = len(held) - len(held) % size
        if whole:
            yield np.frombuffer(held[:whole], dtype="<f4").astype(np.float32).reshape(-1, channels)
        held = held[whole:]


def _program(name: str, path: Path) -> str:
    found = shutil.which(name)
    if found is None:
        what = (
            "an MP3 file without its length in the header" if path.suffix.lower() == ".mp3" else path.suffix
        )
        raise MissingExtra(
            f"{path}: {what} needs the program ffmpeg; install it, on Debian or Ubuntu "
            "with `sudo apt-get install ffmpeg`, or convert the sound to WAV or FLAC."
        )
    return found


def _failed(path: Path, errors: bytes) -> DataError:
    lines = errors.decode("utf-8", "replace").strip().splitlines()
    why = lines[-1].removeprefix(f"file:{path}: ").strip().rstrip(".") if lines else "it does not say why"
    return DataError(f"{path}: ffmpeg cannot decode it ({why}); fetch it again, or convert it to WAV.")
