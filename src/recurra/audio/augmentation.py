"""Variants of recordings for training: gain, noise, time shift, speed, rooms, and masks over features.

Samples are mono, floats in [-1, 1], shape (N,); results are float32 and never clipped. Frames are features,
shape (T, F). No function changes its arguments.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.audio.files import RATE
from recurra.errors import ArgumentTypeError, ConfigError, ShapeError

Floats = NDArray[np.float32]
Range = tuple[float, float]
"""The lowest and the highest value; values between them are drawn uniformly."""

_ACTIVE_S = 0.02
_ACTIVE_DB = 30.0  # windows less than this below the loudest one have speech
_EARLIEST_S = 0.002  # the first reflection
_MAX_SPEED = 4.0


def change_gain(samples: NDArray[Any], decibels: float) -> Floats:
    """Multiply samples by 10^(decibels / 20): +6 dB doubles the amplitude.

    Raises: ShapeError or ArgumentTypeError if the samples are not floats of shape (N,).
    """
    return np.asarray(_mono(samples) * np.float32(10 ** (decibels / 20)), np.float32)


def active_power(samples: NDArray[Any], rate: int = RATE) -> float:
    """Return the mean square of the windows of 20 ms that are at most 30 dB below the loudest one.

    Pauses around and between words therefore do not lower it. It is 0 for silence.
    Raises: ShapeError or ArgumentTypeError if the samples are not floats of shape (N,).
    """
    squares = _mono(samples).astype(np.float64) ** 2
    if not len(squares):
        return 0.0
    starts = np.arange(0, len(squares), max(1, round(_ACTIVE_S * rate)))
    sums = np.add.reduceat(squares, starts)
    sizes = np.diff(np.append(starts, len(squares)))
    active = sums / sizes >= (sums / sizes).max() * 10 ** (-_ACTIVE_DB / 10)
    return float(sums[active].sum() / sizes[active].sum())


def add_noise(samples: NDArray[Any], noise: NDArray[Any], snr_db: float, rate: int = RATE) -> Floats:
    """Add noise at a signal-to-noise ratio.

        y = x + a n,   a = sqrt(P_x / (P_n 10^(snr_db / 10)))

    P_x is the `active_power` of the samples, P_n the mean square of the noise that is added. Noise that is
    shorter than the samples is repeated; of longer noise, the beginning is used. If the samples or the noise
    are silent, no ratio exists, and the samples are returned unchanged.
    Raises: ShapeError or ArgumentTypeError if an argument is not floats of shape (N,).
    """
    speech, noise = _mono(samples), _mono(noise, "noise")
    if not len(noise) or not len(speech):
        return speech.copy()
    added = np.resize(noise, len(speech)).astype(np.float64)
    of_speech, of_noise = active_power(speech, rate), float(np.mean(added**2))
    if not of_speech or not of_noise:
        return speech.copy()
    scale = math.sqrt(of_speech / (of_noise * 10 ** (snr_db / 10)))
    return (speech + scale * added).astype(np.float32)


def shift_time(samples: NDArray[Any], seconds: float, rate: int = RATE) -> Floats:
    """Move samples to a later time (earlier, if negative); zeros move in, and the length is kept.

    Raises: ShapeError or ArgumentTypeError if the samples are not floats of shape (N,).
    """
    samples = _mono(samples)
    by = max(-len(samples), min(len(samples), round(seconds * rate)))
    moved = np.zeros_like(samples)
    if by >= 0:
        moved[by:] = samples[: len(samples) - by]
    else:
        moved[:by] = samples[-by:]
    return moved


def change_speed(samples: NDArray[Any], factor: float) -> Floats:
    """Play samples `factor` times as fast, as a tape: the pitch changes too.

    Shape: (N,) -> (round(N / factor),). The factor is approximated by a fraction with a denominator
    of at most 200, and a polyphase filter resamples.
    Raises: ConfigError if the factor is not between 1/4 and 4; ShapeError or ArgumentTypeError if the samples
    are not floats of shape (N,).
    """
    samples = _mono(samples)
    if not 1 / _MAX_SPEED <= factor <= _MAX_SPEED:
        raise ConfigError(f"factor: got {factor}, expected {1 / _MAX_SPEED} to {_MAX_SPEED:g}.")
    ratio = Fraction(factor).limit_denominator(200)
    if ratio == 1 or not len(samples):
        return samples.copy()
    from scipy.signal import resample_poly

    size = round(len(samples) / factor)
    resampled = resample_poly(samples, ratio.denominator, ratio.numerator)[:size]
    return np.pad(resampled, (0, size - len(resampled))).astype(np.float32)


def room_response(
    draw: np.random.Generator, seconds: float = 0.3, rate: int = RATE, *, reverberant_db: float = -3.0
) -> Floats:
    """Draw the impulse response of an imaginary room: the direct sound, then decaying noise.

        h(t) = δ(t) + a n(t) 10^(-3 t / T60),   t >= 2 ms

    T60 = `seconds` is the time in which the sound decays by 60 dB, n is white Gaussian noise, and a sets the
    energy of the tail relative to that of the direct sound to `reverberant_db`. Shape: (seconds * rate,).
    A simplification: real rooms have separate early reflections, and absorb high frequencies faster.
    Source: Polack 1988; Habets 2007, section 2.
    Raises: ConfigError if `seconds` is not positive.
    """
    if not seconds > 0:
        raise ConfigError(f"seconds: got {seconds}, expected a positive time of decay.")
    times = np.arange(max(1, round(seconds * rate))) / rate
    tail = draw.standard_normal(len(times)) * 10 ** (-3 * times / seconds)
    tail[times < _EARLIEST_S] = 0
    energy = float(np.sum(tail**2))
    if energy:
        tail *= math.sqrt(10 ** (reverberant_db / 10) / energy)
    tail[0] = 1
    return tail.astype(np.float32)


def add_room(samples: NDArray[Any], response: NDArray[Any]) -> Floats:
    """Convolve samples with a room's response; the length is kept, and the largest absolute value too.

    The sound that decays after the last sample is cut off.
    Raises: ShapeError or ArgumentTypeError if an argument is not floats of shape (N,).
    """
    samples, response = _mono(samples), _mono(response, "response")
    if not len(samples) or not len(response):
        return samples.copy()
    from scipy.fft import irfft, next_fast_len, rfft

    size = next_fast_len(len(samples) + len(response) - 1, real=True)
    product = rfft(samples.astype(np.float64), size) * rfft(response.astype(np.float64), size)
    heard = irfft(product, size)[: len(samples)]
    before, after = float(np.abs(samples).max()), float(np.abs(heard).max())
    scale = before / after if before and after else 1.0
    return np.asarray(heard * scale, np.float32)


def mask_times(frames: NDArray[Any], count: int, width: int, draw: np.random.Generator) -> Floats:
    """Replace `count` stretches of 0 to `width` frames by the mean frame. Shape: (T, F) -> (T, F).

    Widths and positions are drawn uniformly; stretches may overlap. Nothing longer than T is drawn.
    Source: SpecAugment, Park et al. 2019.
    Raises: ShapeError if the frames are not (T, F); ConfigError if a number is negative.
    """
    frames = _frames(frames, count, width)
    masked = frames.copy()
    for start, stop in _stretches(len(frames), count, width, draw):
        if stop > start:
            masked[start:stop] = frames.mean(axis=0)
    return masked


def mask_bands(frames: NDArray[Any], count: int, width: int, draw: np.random.Generator) -> Floats:
    """Replace `count` ranges of 0 to `width` neighbouring bands by the mean of each. Shape: (T, F) -> (T, F).

    Widths and positions are drawn uniformly; ranges may overlap. Nothing wider than F is drawn.
    Source: SpecAugment, Park et al. 2019.
    Raises: ShapeError if the frames are not (T, F); ConfigError if a number is negative.
    """
    frames = _frames(frames, count, width)
    masked = frames.copy()
    for start, stop in _stretches(frames.shape[1], count, width, draw):
        if len(frames):
            masked[:, start:stop] = frames[:, start:stop].mean(axis=0)
    return masked


@dataclass(frozen=True)
class Augmentation:
    """Ranges of random changes. A range that is None, and a probability or count that is 0, changes nothing.

    Changes are made in the order in which sound arises: speed (the speaker), room, shift, noise, and gain
    (the microphone). Masks are of features; see `mask`.

    Raises: ConfigError, with all errors, if a range is empty or a number is out of its limits.
    """

    speed: Range | None = None
    """Factor of `change_speed`."""
    room_probability: float = 0.0
    """Share of the recordings that are heard in a room."""
    room_s: Range = (0.1, 0.6)
    """Time in which the room's sound decays by 60 dB, in seconds."""
    shift_ms: Range | None = None
    """Shift to a later time, in milliseconds; negative: earlier."""
    noise_probability: float = 1.0
    """Share of the recordings with noise, if `snr_db` is given."""
    snr_db: Range | None = None
    """Signal-to-noise ratio in decibels."""
    gain_db: Range | None = None
    """Gain in decibels."""
    time_masks: int = 0
    """Number of masked stretches of time."""
    time_mask_width: int = 10
    """Largest number of frames of a stretch."""
    band_masks: int = 0
    """Number of masked ranges of bands."""
    band_mask_width: int = 8
    """Largest number of bands of a range."""
    rate: int = RATE
    """Samples per second."""

    def __post_init__(self) -> None:
        errors = [
            f"{name}: got {found}, expected (lowest, highest), finite and in this order."
            for name in ("speed", "room_s", "shift_ms", "snr_db", "gain_db")
            if (found := getattr(self, name)) is not None and not _is_range(found)
        ]
        limits = {"speed": (1 / _MAX_SPEED, _MAX_SPEED), "room_s": (1e-3, 10.0)}
        for name, (least, most) in limits.items():
            found = getattr(self, name)
            if found is not None and _is_range(found) and not least <= found[0] <= found[1] <= most:
                errors.append(f"{name}: got {found}, expected values from {least:g} to {most:g}.")
        errors += [
            f"{name}: got {getattr(self, name)}, expected 0 to 1."
            for name in ("room_probability", "noise_probability")
            if not 0 <= getattr(self, name) <= 1
        ]
        errors += [
            f"{name}: got {getattr(self, name)}, expected 0 or more."
            for name in ("time_masks", "time_mask_width", "band_masks", "band_mask_width")
            if getattr(self, name) < 0
        ]
        if self.rate < 1:
            errors.append(f"rate: got {self.rate}, expected 1 or more samples per second.")
        if errors:
            raise ConfigError("\n".join(errors))

    def of(
        self, samples: NDArray[Any], draw: np.random.Generator, noise: NDArray[Any] | None = None
    ) -> Floats:
        """Return a random variant of a recording. Shape: (N,) -> (round(N / speed),).

        The noise begins at a random position and is repeated if it is too short; without `noise`, it is
        white Gaussian noise. Without ranges, the samples are returned as they are.
        Raises: ShapeError or ArgumentTypeError if an argument is not floats of shape (N,).
        """
        samples = _mono(samples)
        if self.speed is not None:
            samples = change_speed(samples, round(draw.uniform(*self.speed), 2))
        if self.room_probability and draw.random() < self.room_probability:
            response = room_response(draw, draw.uniform(*self.room_s), self.rate)
            samples = add_room(samples, response)
        if self.shift_ms is not None:
            samples = shift_time(samples, draw.uniform(*self.shift_ms) / 1000, self.rate)
        if self.snr_db is not None and draw.random() < self.noise_probability:
            part = _part_of(noise, len(samples), draw)
            samples = add_noise(samples, part, draw.uniform(*self.snr_db), self.rate)
        if self.gain_db is not None:
            samples = change_gain(samples, draw.uniform(*self.gain_db))
        return samples

    def mask(self, frames: NDArray[Any], draw: np.random.Generator) -> Floats:
        """Return features with masked times and bands. Shape: (T, F) -> (T, F).

        Raises: ShapeError if the frames are not (T, F).
        """
        masked = mask_times(frames, self.time_masks, self.time_mask_width, draw)
        return mask_bands(masked, self.band_masks, self.band_mask_width, draw)


def _part_of(noise: NDArray[Any] | None, size: int, draw: np.random.Generator) -> Floats:
    """Return `size` samples of the noise from a random position on; its beginning follows its end."""
    if noise is None:
        return draw.standard_normal(size).astype(np.float32)
    noise = _mono(noise, "noise")
    if not len(noise):
        return noise
    start = int(draw.integers(max(1, len(noise) - size + 1) if len(noise) >= size else len(noise)))
    return np.take(noise, np.arange(start, start + size), mode="wrap")


def _stretches(size: int, count: int, width: int, draw: np.random.Generator) -> list[tuple[int, int]]:
    stretches = []
    for _ in range(count):
        wide = int(draw.integers(min(width, size) + 1))
        start = int(draw.integers(size - wide + 1))
        stretches.append((start, start + wide))
    return stretches


def _is_range(found: Range) -> bool:
    return len(found) == 2 and all(map(math.isfinite, found)) and found[0] <= found[1]


def _mono(samples: NDArray[Any], name: str = "samples") -> Floats:
    samples = np.asarray(samples)
    if samples.ndim != 1:
        raise ShapeError(f"{name}: got shape {samples.shape}, expected (N,); mix the channels first.")
    if samples.dtype.kind != "f":
        raise ArgumentTypeError(
            f"{name}: got {samples.dtype}, expected floats in [-1, 1]; divide 16-bit samples by 32768."
        )
    return samples.astype(np.float32, copy=False)


def _frames(frames: NDArray[Any], count: int, width: int) -> Floats:
    frames = np.asarray(frames)
    if frames.ndim != 2:
        raise ShapeError(f"frames: got shape {frames.shape}, expected (T, F).")
    if count < 0 or width < 0:
        raise ConfigError(f"count, width: got {count} and {width}, expected 0 or more.")
    return frames.astype(np.float32, copy=False)
