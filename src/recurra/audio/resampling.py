"""Change of the sample rate, piece by piece."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.errors import ConfigError, MissingExtra, ShapeError

Floats = NDArray[np.float32]


def missing_audio(what: str) -> MissingExtra:
    """Return the error for a missing package of the extra `audio`; `what` is a file or a task."""
    return MissingExtra(
        f"{what}: sound needs the packages soundfile and soxr; install them with "
        "`pip install 'recurra[audio]'`."
    )


class Resampler:
    """Resample mono float32 samples from `rate_in` to `rate_out` Hz as they arrive.

    The filter is soxr's "HQ": linear phase, passband to 0.913 of the lower Nyquist frequency. It looks ahead,
    so that the output lags by some milliseconds until `finish`; all together, N samples give about
    N rate_out / rate_in. How the samples are cut into pieces does not change a bit of the output.
    Equal rates pass the samples on unchanged. Source: the SoX resampler library (libsoxr).

    Raises: ConfigError for a rate that is not a positive integer; MissingExtra without the package soxr.
    """

    def __init__(self, rate_in: int, rate_out: int) -> None:
        self.rate_in, self.rate_out = check_rate(rate_in, "rate_in"), check_rate(rate_out, "rate_out")
        self._stream: Any = None
        self._is_finished = False
        if rate_in != rate_out:
            try:
                import soxr
            except (ImportError, OSError) as error:
                raise missing_audio(f"resampling from {rate_in} to {rate_out} Hz") from error
            self._stream = soxr.ResampleStream(rate_in, rate_out, 1, dtype="float32", quality="HQ")

    def push(self, samples: Floats) -> Floats:
        """Return the output samples that are complete once `samples` (N,) have arrived."""
        if self._is_finished:
            raise ConfigError("push: the resampler is finished; make a new one for another recording.")
        samples = np.ascontiguousarray(samples, dtype=np.float32)
        if samples.ndim != 1:
            raise ShapeError(f"samples: got shape {samples.shape}, expected (N,); mix the channels first.")
        if self._stream is None or not len(samples):
            return samples
        return np.asarray(self._stream.resample_chunk(samples), dtype=np.float32)

    def finish(self) -> Floats:
        """Return the samples that the filter still held back; nothing can be pushed afterwards."""
        nothing = np.zeros(0, dtype=np.float32)
        if self._stream is None or self._is_finished:
            self._is_finished = True
            return nothing
        self._is_finished = True
        return np.asarray(self._stream.resample_chunk(nothing, last=True), dtype=np.float32)


def check_rate(rate: int, name: str = "rate") -> int:
    """Return a sample rate in Hz. Raises: ConfigError if it is not a positive integer."""
    if isinstance(rate, bool) or not isinstance(rate, int | np.integer) or rate < 1:
        raise ConfigError(f"{name}: got {rate!r}, expected a positive integer (samples per second).")
    return int(rate)
