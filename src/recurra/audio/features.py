"""Log-mel energies and mel-frequency cepstral coefficients (MFCC) of a recording or of a stream.

Frame t covers the samples t*hop to t*hop + window - 1. Frames are neither centred nor padded, so that a frame
depends on nothing that comes later. For a signal x in [-1, 1]:

    y[n] = x[n] - a x[n-1],   x[-1] = 0                              pre-emphasis
    X_t[k] = Σ_n w[n] y[t*hop + n] exp(-2πi k n / N)                 spectrum, w the periodic Hann window
    P_t[k] = |X_t[k]|² / Σ_n w[n]²                                   power; noise of variance v has P = v
    E_t[m] = Σ_k H[m, k] P_t[k]                                      energy of a band (`mel_filters`)
    L_t[m] = ln max(E_t[m], 1e-10)                                   log-mel
    C_t[j] = Σ_m D[j, m] L_t[m]                                      MFCC (`cosine_transform`)
    Δ_t = Σ_{n=1..W} n (C_{t+n} - C_{t-n}) / (2 Σ_{n=1..W} n²)       deltas; edge frames are repeated

Sources: Davis & Mermelstein 1980 (MFCC); Furui 1986 (deltas).
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from recurra.audio.mel import BandSums, Doubles, cosine_transform, mel_filters
from recurra.errors import ConfigError, DataError, ShapeError

Floats = NDArray[np.float32]
FLOOR = 1e-10
"""The least energy of a band, about that of the rounding of 16-bit samples: its logarithm is -23.03."""
_BLOCK = 256
"""The most frames that are computed at once; it limits memory and changes no number."""


@dataclass(frozen=True)
class FeatureSettings:
    """What is computed from each frame of sound.

    Raises: ConfigError that lists every setting with an invalid value.
    """

    kind: Literal["log-mel", "mfcc"] = "log-mel"
    """Logarithms of mel energies, or their cosine transform."""
    rate: int = 16_000
    """Samples per second."""
    window_ms: float = 25.0
    """Length of a frame in milliseconds, rounded to whole samples."""
    hop_ms: float = 10.0
    """Milliseconds from the start of one frame to the start of the next, rounded to whole samples."""
    bands: int = 40
    """Number of mel filters."""
    coefficients: int = 13
    """Number of cepstral coefficients (MFCC only); the first one is proportional to the mean log energy."""
    lowest_hz: float = 60.0
    """Lower edge of the lowest filter; 60 Hz leaves out the hum of mains and the noise of handling."""
    highest_hz: float | None = None
    """Upper edge of the highest filter; half the rate if None."""
    pre_emphasis: float = 0.97
    """Factor a of y[n] = x[n] - a x[n-1]; 0 leaves the signal as it is."""
    deltas: int = 0
    """0: none; 1: slopes over time; 2: slopes and the slopes of the slopes."""
    delta_width: int = 2
    """Frames on each side that a slope is computed from."""

    def __post_init__(self) -> None:
        if faults := list(self._faults()):
            raise ConfigError("\n".join(faults))
        mel_filters(
            self.bands,
            fft_size=self.fft_size,
            rate=self.rate,
            lowest_hz=self.lowest_hz,
            highest_hz=self.top_hz,
        )

    def _faults(self) -> Iterator[str]:
        if self.kind not in ("log-mel", "mfcc"):
            yield f"kind: got {self.kind!r}, expected 'log-mel' or 'mfcc'"
        wrong = [name for name in _WHOLE if not _is_whole(getattr(self, name))]
        yield from (f"{name}: got {getattr(self, name)!r}, expected a whole number" for name in wrong)
        unreal = [name for name in _REAL if not _is_real(getattr(self, name))]
        if self.highest_hz is not None and not _is_real(self.highest_hz):
            unreal.append("highest_hz")
        yield from (f"{name}: got {getattr(self, name)!r}, expected a finite number" for name in unreal)
        if wrong or unreal:
            return
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                yield f"{name}: got {getattr(self, name)}, expected >= {least}"
        if self.deltas not in (0, 1, 2):
            yield f"deltas: got {self.deltas}, expected 0, 1 or 2"
        if self.kind == "mfcc" and self.coefficients > self.bands:
            yield f"coefficients: got {self.coefficients}, expected <= bands ({self.bands})"
        if not 0.0 <= self.pre_emphasis <= 1.0:
            yield f"pre_emphasis: got {self.pre_emphasis}, expected 0 to 1"
        if not 0.0 <= self.lowest_hz < self.top_hz <= self.rate / 2:
            yield (
                f"lowest_hz, highest_hz: got {self.lowest_hz:g} and {self.top_hz:g}, "
                f"expected 0 <= lowest_hz < highest_hz <= {self.rate / 2:g} (half the rate)"
            )
        if self.window < 2:
            yield f"window_ms: got {self.window_ms:g}, which is less than 2 samples; use a larger window_ms"
        if self.hop < 1:
            yield f"hop_ms: got {self.hop_ms:g}, which is less than 1 sample; use a larger hop_ms"

    @property
    def window(self) -> int:
        """Samples in a frame."""
        return round(self.window_ms * self.rate / 1000)

    @property
    def hop(self) -> int:
        """Samples from the start of one frame to the start of the next."""
        return round(self.hop_ms * self.rate / 1000)

    @property
    def fft_size(self) -> int:
        """Points N of the Fourier transform: the smallest power of two that holds a frame."""
        return 1 << (self.window - 1).bit_length()

    @property
    def top_hz(self) -> float:
        """Upper edge of the highest filter in Hz."""
        return self.rate / 2 if self.highest_hz is None else self.highest_hz

    @property
    def size(self) -> int:
        """Numbers F in a frame of features, with deltas."""
        return (self.bands if self.kind == "log-mel" else self.coefficients) * (1 + self.deltas)

    @property
    def delay(self) -> int:
        """Frames that a stream holds back, because slopes need the frames after them."""
        return self.deltas * self.delta_width

    @property
    def frames_per_s(self) -> float:
        """Frames per second."""
        return self.rate / self.hop

    def frames_in(self, samples: int) -> int:
        """Return the number of frames in `samples` samples: 0, or 1 + floor((samples - window) / hop)."""
        return 0 if samples < self.window else 1 + (samples - self.window) // self.hop

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain values, for JSON or TOML."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the settings of `to_dict`; missing ones keep their defaults.

        Raises: ConfigError if a name is unknown or a value is invalid.
        """
        names = [field.name for field in fields(cls)]
        if unknown := sorted(set(values) - set(names)):
            raise ConfigError(
                f"unknown setting of features {unknown[0]!r}; remove it, or use one of {', '.join(names)}."
            )
        return cls(**values)


_WHOLE = ("rate", "bands", "coefficients", "deltas", "delta_width")
_REAL = ("window_ms", "hop_ms", "lowest_hz", "pre_emphasis")
_LEAST = {"rate": 1, "bands": 1, "coefficients": 1, "delta_width": 1}


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_real(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))


class _Frames:
    """Features without deltas, of samples that arrive in pieces."""

    def __init__(self, settings: FeatureSettings) -> None:
        self._settings = settings
        n = np.arange(settings.window)
        window = 0.5 - 0.5 * np.cos(2 * np.pi * n / settings.window)
        # The division by Σ w² is part of the window: one multiplication less for each frame.
        self._window: Doubles = window / np.sqrt(np.sum(window**2))
        filters = mel_filters(
            settings.bands,
            fft_size=settings.fft_size,
            rate=settings.rate,
            lowest_hz=settings.lowest_hz,
            highest_hz=settings.top_hz,
        )
        self._sums = BandSums.of(filters)
        self._transform = cosine_transform(settings.coefficients, settings.bands)
        self.reset()

    def reset(self) -> None:
        """Forget all samples."""
        self._waiting: Doubles = np.zeros(0)
        self._before = 0.0
        self._skip = 0

    def push(self, samples: Floats) -> Iterator[Floats]:
        """Yield the frames that are complete, in blocks of bounded size."""
        step = _BLOCK * self._settings.hop
        for start in range(0, len(samples), step):
            self._append(samples[start : start + step])
            yield self._complete()

    def _append(self, samples: Floats) -> None:
        """Add samples with pre-emphasis, without those that lie between two frames (if hop > window)."""
        signal = np.empty(len(samples) + 1)
        signal[0], signal[1:] = self._before, samples
        self._before = float(signal[-1])
        emphasised = signal[1:] - self._settings.pre_emphasis * signal[:-1]
        skipped = min(self._skip, len(emphasised))
        self._skip -= skipped
        self._waiting = np.concatenate([self._waiting, emphasised[skipped:]])

    def _complete(self) -> Floats:
        window, hop = self._settings.window, self._settings.hop
        count = self._settings.frames_in(len(self._waiting))
        if count == 0:
            return np.zeros((0, _width(self._settings)), np.float32)
        frames = np.lib.stride_tricks.sliding_window_view(self._waiting, window)[::hop][:count]
        features = self._of_frames(frames)
        used = count * hop
        self._skip = max(0, used - len(self._waiting))
        self._waiting = self._waiting[used:].copy()
        return features

    def _of_frames(self, frames: Doubles) -> Floats:
        """Return the features of frames. Shapes: frames (T, window); result (T, B)."""
        spectrum = np.fft.rfft(frames * self._window, n=self._settings.fft_size, axis=1)
        energies = self._sums.energies(spectrum.real**2 + spectrum.imag**2)
        log_mel = np.log(np.maximum(energies, FLOOR))
        if self._settings.kind == "log-mel":
            return log_mel.astype(np.float32)
        # Sums over the last axis are the same for any number of frames; a matrix product's may not be.
        return np.asarray(np.sum(log_mel[:, None, :] * self._transform, axis=2), np.float32)


class _Slopes:
    """Appends to each frame the slopes of its last `base` columns, `width` frames later."""

    def __init__(self, width: int, base: int, columns: int) -> None:
        self._width, self._base, self._columns = width, base, columns
        self.reset()

    def reset(self) -> None:
        """Forget all frames."""
        self._frames: Floats = np.zeros((0, self._columns), np.float32)

    def push(self, frames: Floats) -> Floats:
        """Return the frames whose slopes are known. Shapes: frames (t, F); result (t', F + base)."""
        if len(frames) and not len(self._frames):
            frames = np.concatenate([np.repeat(frames[:1], self._width, axis=0), frames])
        self._frames = np.concatenate([self._frames, frames])
        width = self._width
        count = max(0, len(self._frames) - 2 * width)
        values = self._frames[:, self._columns - self._base :].astype(np.float64)
        slopes = np.zeros((count, self._base))
        for n in range(1, width + 1):
            later, earlier = values[width + n :][:count], values[width - n :][:count]
            slopes += n * (later - earlier)
        slopes /= 2 * sum(n * n for n in range(1, width + 1))
        known = np.concatenate([self._frames[width:][:count], slopes.astype(np.float32)], axis=1)
        self._frames = self._frames[count:].copy()
        return known

    def finish(self) -> Floats:
        """Return the last frames; the last one is repeated in the place of those that would follow."""
        return self.push(np.repeat(self._frames[-1:], self._width, axis=0))


class FeatureStream:
    """Features of sound that arrives in pieces of any size.

        stream = FeatureStream(settings)
        for piece in pieces:
            frames = stream.push(piece)
        last = stream.finish()

    However the samples are cut, the frames are the same to the bit: every sum is taken in the same order, in
    double precision, and the result is rounded to float32.
    """

    def __init__(self, settings: FeatureSettings | None = None) -> None:
        self.settings = settings or FeatureSettings()
        width = _width(self.settings)
        self._frames = _Frames(self.settings)
        self._slopes = [
            _Slopes(self.settings.delta_width, width, width * order)
            for order in range(1, self.settings.deltas + 1)
        ]
        self._seen = 0

    def __repr__(self) -> str:
        return f"FeatureStream({self.settings})"

    def push(self, samples: NDArray[np.floating[Any]]) -> Floats:
        """Return the frames that are complete with these samples, possibly none.

        Shapes: samples (N,), mono, in [-1, 1]; result (t, F).
        Raises: ShapeError if samples are not floating-point numbers in one dimension; DataError if one is
        NaN or infinite.
        """
        checked = _checked(samples, self._seen, self.settings.rate)
        self._seen += len(checked)
        blocks = []
        for frames in self._frames.push(checked):
            for stage in self._slopes:
                frames = stage.push(frames)
            blocks.append(frames)
        return _joined(blocks, self.settings.size)

    def finish(self) -> Floats:
        """Return the frames that deltas held back, and reset the stream.

        The last frame is repeated in the place of those that would follow. Samples that do not fill a frame
        are dropped.

        Shapes: result (t, F), where t is at most `FeatureSettings.delay`.
        """
        last: list[Floats] = []
        for stage in self._slopes:
            last = [*map(stage.push, last), stage.finish()]
        self.reset()
        return _joined(last, self.settings.size)

    def reset(self) -> None:
        """Forget all samples: the next ones are the start of another recording."""
        self._frames.reset()
        for stage in self._slopes:
            stage.reset()
        self._seen = 0


def features_of(samples: NDArray[np.floating[Any]], settings: FeatureSettings | None = None) -> Floats:
    """Return the features of a whole recording, the same as those of a `FeatureStream`.

    Shapes: samples (N,), mono, in [-1, 1]; result (T, F), where T is `FeatureSettings.frames_in(N)` and F is
    `FeatureSettings.size`.
    Raises: ShapeError if samples are not floating-point numbers in one dimension; DataError if one is NaN or
    infinite.
    """
    stream = FeatureStream(settings)
    return np.concatenate([stream.push(samples), stream.finish()])


def _width(settings: FeatureSettings) -> int:
    return settings.bands if settings.kind == "log-mel" else settings.coefficients


def _joined(blocks: list[Floats], size: int) -> Floats:
    return np.concatenate(blocks) if blocks else np.zeros((0, size), np.float32)


def _checked(samples: NDArray[np.floating[Any]], seen: int, rate: int) -> Floats:
    """Return samples as float32, or raise; `seen` samples came before them."""
    array = np.asarray(samples)
    if array.ndim != 1:
        raise ShapeError(
            f"samples: got an array of shape {array.shape}, expected one dimension (mono); "
            "take the mean of the channels first."
        )
    if array.dtype.kind != "f":
        raise ShapeError(
            f"samples: got {array.dtype}, expected floating-point numbers in [-1, 1]; "
            "divide 16-bit samples by 32,768."
        )
    finite = np.isfinite(array)
    if not finite.all():
        first = int(np.argmin(finite))
        raise DataError(
            f"samples: sample {seen + first:,} (at {(seen + first) / rate:.3f} s) is {array[first]}; "
            "remove NaN and infinite values from the recording."
        )
    return array.astype(np.float32, copy=False)
