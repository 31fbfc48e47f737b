"""Raw samples from a pipe, such as standard input, as they arrive."""

from collections.abc import Iterator
from typing import IO

import numpy as np

from recurra.audio.files import RATE, check_finite, mixed
from recurra.audio.resampling import Floats, Resampler, check_rate
from recurra.errors import ConfigError, DataError

_BYTES = 1 << 16
SAMPLE_FORMATS = {"s16le": ("<i2", 2**15), "s32le": ("<i4", 2**31), "f32le": ("<f4", 1), "u8": ("u1", 2**7)}
"""Sample formats by ffmpeg's names: NumPy's type and the number that is 1.0."""
_HEADERS = {b"RIFF": "WAV", b"fLaC": "FLAC", b"OggS": "Ogg", b"ID3\x03": "MP3", b"ID3\x04": "MP3"}


def raw_blocks(
    stream: IO[bytes],
    *,
    rate: int,
    channels: int = 1,
    sample_format: str = "s16le",
    out_rate: int = RATE,
    name: str = "standard input",
) -> Iterator[Floats]:
    """Yield raw samples of a pipe as mono float32 at `out_rate` Hz, as soon as they arrive.

    Blocks have what one read gave, up to 64 KiB; none is waited for to be filled. The formats are
    `SAMPLE_FORMATS`: s16le is what `arecord -f S16_LE` and `ffmpeg -f s16le` write. Channels are interleaved,
    and their mean is taken. A part of a sample at the end of the stream is left out.

    Raises: DataError if the stream is empty, has NaN, or begins with the header of a file, named as `name`;
    ConfigError for an impossible rate, number of channels or format.
    """
    rate, out_rate = check_rate(rate), check_rate(out_rate, "out_rate")
    if channels < 1:
        raise ConfigError(f"channels: got {channels}, expected >= 1.")
    if sample_format not in SAMPLE_FORMATS:
        raise ConfigError(
            f"sample_format: got {sample_format!r}, expected one of {', '.join(SAMPLE_FORMATS)}."
        )
    return _blocks(stream, Resampler(rate, out_rate), channels, sample_format, name)


def _blocks(
    stream: IO[bytes], resampler: Resampler, channels: int, sample_format: str, name: str
) -> Iterator[Floats]:
    kind, unit = SAMPLE_FORMATS[sample_format]
    size = np.dtype(kind).itemsize * channels
    read = getattr(stream, "read1", stream.read)  # read would wait until all its bytes are there
    held, seen = b"", 0
    while piece := read(_BYTES):
        held += piece
        if not seen:
            _check_header(held, name)
        whole = len(held) - len(held) % size
        if not whole:
            continue
        frames = np.frombuffer(held[:whole], dtype=kind).reshape(-1, channels)
        held = held[whole:]
        middle = unit if sample_format == "u8" else 0
        scaled = ((frames.astype(np.float64) - middle) / unit).astype(np.float32)
        check_finite(scaled, name, seen, resampler.rate_in)
        seen += len(scaled)
        if len(block := resampler.push(mixed(scaled))):
            yield block
    if not seen:
        raise DataError(f"{name}: has no samples; pipe raw samples ({sample_format}) into it.")
    if len(block := resampler.finish()):
        yield block


def _check_header(head: bytes, name: str) -> None:
    kind = _HEADERS.get(head[:4])
    if kind is not None:
        raise DataError(
            f"{name}: is a {kind} file, not raw samples; name the file itself, or pipe what "
            "`ffmpeg -i FILE -f s16le -ac 1 -ar 16000 -` writes."
        )
