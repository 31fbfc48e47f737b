"""Reading of recordings and of raw samples in bounded memory, and writing of WAV files."""

import os
import re
import stat
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from recurra.audio.containers import ENDINGS_OF_CONTAINERS, track_blocks, track_of
from recurra.audio.mp3 import tells_its_length
from recurra.audio.resampling import Floats, Resampler, check_rate, missing_audio
from recurra.errors import ConfigError, DataError, ShapeError
from recurra.files import written_whole
from recurra.text_files import named_faults

RATE = 16_000
"""Sample rate of all models of sound, in Hz."""
ENDINGS_OF_SOUND = (
    ".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3",
    ".aiff", ".aif", ".aifc", ".au", ".snd", ".w64", ".rf64", ".caf", ".sph",
)  # fmt: skip
ENDINGS = (*ENDINGS_OF_SOUND, *ENDINGS_OF_CONTAINERS)
_EXACT_SEEK = ("WAV", "WAVEX", "FLAC", "AIFF", "AU", "W64", "RF64", "NIST")
_ESTIMATED_LENGTH = (".mp3", ".aac")  # by ffprobe, from the bit rate at the start
_UNKNOWN_LENGTH = 0x7FFF_0000  # programs that write into a pipe promise the largest number that fits
_PROMISE = re.compile(r"^\s*(?:data|SSND|Data Size|riff)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)
_LONGEST_WAV = 2**32 - 1 - 36
_READ_S = 1.0


def find_recordings(path: str | Path) -> list[Path]:
    """Return the recordings in a folder and all folders below it, sorted by path; a file gives itself.

    A folder's files with other endings than `ENDINGS`, and hidden files, are left out.

    Raises: DataError if there is none, the path does not exist, or a file has an unknown ending.
    """
    path = Path(path)
    with named_faults(path, "recording"):
        if not stat.S_ISDIR(path.stat().st_mode):
            _check_ending(path)
            return [path]
    found: list[Path] = []
    for root, _, names in os.walk(path, onerror=_raise_fault):
        found += [Path(root, name) for name in names if _is_recording(name)]
    if not found:
        raise DataError(f"{path}: has no recordings; give a folder with files such as .wav, .flac or .mp3.")
    return sorted(found)


def length_s(path: str | Path) -> float:
    """Return the length of a recording in seconds, as its header tells it.

    A file without a length in its header is decoded. Raises: DataError and MissingExtra as
    `recording_blocks`.
    """
    path = _checked(path)
    if _is_for_ffmpeg(path):
        track = track_of(path)
        if track.length_s is not None and path.suffix.lower() not in _ESTIMATED_LENGTH:
            return track.length_s
        return sum(len(block) for block in track_blocks(path, track, track.rate)) / track.rate
    with _opened(path) as file:
        return float(file.frames / file.samplerate)


def read_recording(path: str | Path, rate: int = RATE) -> Floats:
    """Return a whole recording, mono float32 (N,) at `rate` Hz; see `recording_blocks`."""
    return np.concatenate(list(recording_blocks(path, rate)))


def recording_blocks(
    path: str | Path,
    rate: int = RATE,
    *,
    block_s: float = 10.0,
    start_s: float = 0.0,
    stop_s: float | None = None,
) -> Iterator[Floats]:
    """Yield a recording as mono float32 blocks of `block_s` seconds at `rate` Hz; the last may be shorter.

    Decodes WAV, FLAC, Ogg Vorbis, Opus, MP3, AIFF, AU, W64, CAF and NIST Sphere by libsndfile and containers
    such as MP4, MKV and WebM, and MP3 whose header has no length, by ffmpeg; takes the mean of the channels;
    then resamples (`Resampler`).
    Integers are scaled to [-1, 1); floats beyond [-1, 1] are kept. `start_s` and `stop_s` cut the recording
    before it is resampled. Memory does not grow with the length, and the samples do not depend on `block_s`.

    Raises: DataError if the file is missing, empty, damaged, no recording, has NaN or infinite samples, or
    ends before its header says (as far as the format tells: Ogg and Sphere do not); ConfigError for a rate,
    block or part that is impossible; MissingExtra without soundfile, soxr or, for a container, ffmpeg.
    """
    rate = check_rate(rate)
    if not block_s > 0:
        raise ConfigError(f"block_s: got {block_s}, expected a number of seconds > 0.")
    if not start_s >= 0:
        raise ConfigError(f"start_s: got {start_s}, expected a number of seconds >= 0.")
    if stop_s is not None and not stop_s > start_s:
        raise ConfigError(f"stop_s: got {stop_s}, expected more than start_s ({start_s}).")
    path = _checked(path)
    return _cut(_resampled(path, rate, start_s, stop_s), max(1, round(block_s * rate)))


def _resampled(path: Path, rate: int, start_s: float, stop_s: float | None) -> Iterator[Floats]:
    """Yield mono samples at `rate`, in pieces of any length."""
    if _is_for_ffmpeg(path):
        track = track_of(path)
        rate_in = track.rate
        frames = _part(track_blocks(path, track, rate_in), rate_in, start_s, stop_s)
    else:
        with _opened(path) as file:
            rate_in = int(file.samplerate)
        frames = _decoded(path, start_s, stop_s)
    resampler = Resampler(rate_in, rate)
    seen = round(start_s * rate_in)
    begin = seen
    for block in frames:
        check_finite(block, str(path), seen, rate_in)
        seen += len(block)
        yield resampler.push(mixed(block))
    if seen == begin:
        if start_s:
            raise DataError(f"{path}: ends before start_s ({start_s} s); start earlier.")
        raise DataError(f"{path}: has no samples; record it again or leave it out.")
    yield resampler.finish()


def mixed(frames: Floats) -> Floats:
    """Return the mean of the channels: (N, channels) -> (N,)."""
    if frames.shape[1] == 1:
        return np.ascontiguousarray(frames[:, 0])
    return np.asarray(frames.mean(axis=1, dtype=np.float64), dtype=np.float32)


def _part(blocks: Iterator[Floats], rate: int, start_s: float, stop_s: float | None) -> Iterator[Floats]:
    """Yield the frames from `start_s` to `stop_s` of blocks that begin at second 0."""
    start, stop = round(start_s * rate), None if stop_s is None else round(stop_s * rate)
    position = 0
    for block in blocks:
        part = block[max(0, start - position) : None if stop is None else stop - position]
        position += len(block)
        if len(part):
            yield part
        if stop is not None and position >= stop:
            return


def _decoded(path: Path, start_s: float, stop_s: float | None) -> Iterator[Floats]:
    """Yield the frames of a part of a file that libsndfile decodes, as (N, channels)."""
    with _opened(path) as file:
        # Seeking is exact where every frame has its own place; a lossy codec is decoded from the start.
        start = round(start_s * file.samplerate)
        skipped = min(start, file.frames) if file.format in _EXACT_SEEK else 0
        if skipped:
            file.seek(skipped)
        skipped_s = skipped / file.samplerate
        until = None if stop_s is None else stop_s - skipped_s
        yield from _part(_read(path, file, skipped), file.samplerate, max(0.0, start_s - skipped_s), until)


def _read(path: Path, file: Any, position: int) -> Iterator[Floats]:
    import soundfile

    size = max(1, int(file.samplerate * _READ_S))
    try:
        while len(block := file.read(size, dtype="float32", always_2d=True)):
            position += len(block)
            yield block
    except soundfile.LibsndfileError as error:
        why = str(error).removeprefix("Error : ").rstrip(".")
        raise DataError(
            f"{path}: cannot be decoded after {position / file.samplerate:.2f} s ({why}); fetch it again."
        ) from error
    if position < file.frames < _UNKNOWN_LENGTH:
        raise _truncated(path, position / file.samplerate, file.frames / file.samplerate)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a file with libsndfile. Raises: DataError if it is no sound or is truncated."""
    try:
        import soundfile
    except (ImportError, OSError) as error:  # OSError: the package without its library
        raise missing_audio(str(path)) from error
    try:
        file = soundfile.SoundFile(os.fsencode(path))
    except soundfile.LibsndfileError as error:
        why = str(error.error_string).rstrip(".")
        raise DataError(
            f"{path}: is not a sound file that can be decoded ({why}); check it, or convert it to WAV."
        ) from error
    with file:
        if not file.frames:
            raise DataError(f"{path}: has no samples; record it again or leave it out.")
        promise = _PROMISE.search(file.extra_info)
        if promise is not None:
            promised, there = int(promise[1]), int(promise[2])
            got_s = file.frames / file.samplerate
            promised_s = got_s * promised / max(1, there)
            if promised < _UNKNOWN_LENGTH and (promised_s - got_s) * file.samplerate >= 1:
                raise _truncated(path, got_s, promised_s)
        yield file


def _truncated(path: Path, got_s: float, promised_s: float) -> DataError:
    return DataError(
        f"{path}: is truncated: its header promises {promised_s:.2f} s of sound and {got_s:.2f} s are there; "
        f"fetch it again, or keep what is there with `ffmpeg -i {path.name} repaired.wav`."
    )


def check_finite(frames: Floats, name: str, seen: int, rate: int) -> None:
    """Raise a DataError that names the second of the first NaN or infinite sample; `seen` came before."""
    if np.isfinite(frames).all():
        return
    row = int(np.flatnonzero(~np.isfinite(frames).all(axis=1))[0])
    what = "NaN" if np.isnan(frames[row]).any() else "an infinite value"
    raise DataError(
        f"{name}: has {what} at {(seen + row) / rate:.4f} s (sample {seen + row}); cut that part out, or "
        "write the file again."
    )


def _is_for_ffmpeg(path: Path) -> bool:
    ending = path.suffix.lower()
    return ending in ENDINGS_OF_CONTAINERS or (ending == ".mp3" and not tells_its_length(path))


def _cut(pieces: Iterator[Floats], block: int) -> Iterator[Floats]:
    """Yield the samples of `pieces` in blocks of `block`; the last may be shorter."""
    held: list[Floats] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size < block:
            continue
        samples = np.concatenate(held)
        whole = size - size % block
        for start in range(0, whole, block):
            yield samples[start : start + block].copy()
        held, size = [samples[whole:].copy()], size - whole
    if size:
        yield np.concatenate(held)


def _raise_fault(error: OSError) -> None:
    with named_faults(Path(error.filename), "recording"):
        raise error


def _is_recording(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith(ENDINGS)


def _check_ending(path: Path) -> None:
    if not path.name.lower().endswith(ENDINGS):
        ending = f"the ending {path.suffix}" if path.suffix else "no ending"
        raise DataError(
            f"{path}: has {ending}, which is not known as sound; name the file by its format, one of "
            f"{' '.join(ENDINGS)}."
        )


def _checked(path: str | Path) -> Path:
    """Return a path that is a file with something in it and a known ending."""
    path = Path(path)
    with named_faults(path, "recording"):
        told = path.stat()
        if stat.S_ISDIR(told.st_mode):
            raise IsADirectoryError
        if not stat.S_ISREG(told.st_mode):
            raise DataError(f"{path}: is not a regular file; write the sound to a file first.")
        _check_ending(path)
        if not told.st_size:
            raise DataError(f"{path}: is empty; fetch or record it again.")
        with path.open("rb"):
            pass
    return path


def write_recording(path: str | Path, samples: Floats, rate: int = RATE) -> None:
    """Write mono samples (N,) as a 16-bit WAV file that appears only once it is complete.

    Samples are multiplied by 32,768, rounded once and clipped to [-32768, 32767]; reading gives them back
    within 2^-16, save for what was clipped.

    Raises: ConfigError for a wrong rate or ending, no samples, or NaN; ShapeError for another shape;
    StorageError if the file cannot be written.
    """
    path, rate = Path(path), check_rate(rate)
    samples = np.asarray(samples)
    if samples.ndim != 1:
        raise ShapeError(f"samples: got shape {samples.shape}, expected (N,); mix the channels first.")
    if path.suffix.lower() not in (".wav", ".wave"):
        raise ConfigError(f"{path}: recordings are written as WAV; give a name that ends in .wav.")
    if not len(samples) or 2 * len(samples) > _LONGEST_WAV:
        raise ConfigError(f"samples: got {len(samples)}, expected 1 to {_LONGEST_WAV // 2} for a WAV file.")
    if not np.isfinite(samples).all():
        raise ConfigError("samples: have NaN or infinite values; replace them first.")
    scaled = np.clip(np.rint(samples.astype(np.float64) * 32768), -32768, 32767).astype("<i2")
    with written_whole(path) as file, wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(scaled.tobytes())
