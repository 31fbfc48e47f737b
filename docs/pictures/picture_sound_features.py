"""From samples to features: a vowel that glides, one frame of it, and the features of all frames."""

import numpy as np
from drawing import AMBER, BLUE, GREEN, LINE, RED, SOFT
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from recurra.audio.features import FLOOR, FeatureSettings, features_of
from recurra.audio.mel import hz_to_mel, mel_to_hz

SETTINGS = FeatureSettings(bands=20)
SHOWN = 42  # the frame in the middle row


def vowel(seconds: float = 0.9) -> NDArray[np.float32]:
    """A voice of 120 to 160 Hz whose formants glide from "a" to "i", with a soft start and end."""
    t = np.arange(round(seconds * SETTINGS.rate)) / SETTINGS.rate
    pitch = 120 + 40 * np.sin(np.pi * t / seconds)
    phase = 2 * np.pi * np.cumsum(pitch) / SETTINGS.rate
    glide = 1 / (1 + np.exp(-(t - seconds / 2) * 18))
    formants = [(750 - 450 * glide, 90), (1200 + 1000 * glide, 130), (2600 + 400 * glide, 200)]
    sound = np.zeros_like(t)
    for harmonic in range(1, 60):
        hz = harmonic * pitch
        gain = sum(1 / (1 + ((hz - centre) / width) ** 2) for centre, width in formants)
        sound += (gain + 0.002) * np.sin(harmonic * phase) * (hz < SETTINGS.rate / 2)
    loudness = np.clip(np.minimum((t - 0.1) / 0.05, (seconds - 0.1 - t) / 0.1), 0, 1)
    noise = np.random.default_rng(0).normal(0, 0.002, len(t))
    return (0.25 * loudness * sound / np.abs(sound).max() + noise).astype(np.float32)


def draw() -> Figure:
    """Draw the waveform, one frame, its spectrum, its bands, and log-mel and MFCC over time."""
    samples = vowel()
    figure = Figure(figsize=(10.0, 9.6))
    rows = figure.add_gridspec(
        4,
        2,
        left=0.075,
        right=0.98,
        top=0.965,
        bottom=0.06,
        hspace=0.62,
        wspace=0.2,
        height_ratios=(1, 1.2, 1.2, 1.2),
    )
    _waveform(figure.add_subplot(rows[0, :]), samples)
    _frame(figure.add_subplot(rows[1, 0]), samples)
    _spectrum(figure.add_subplot(rows[1, 1]), _power(samples))
    _bands(figure.add_subplot(rows[2, 0]))
    _energies(figure.add_subplot(rows[2, 1]), samples)
    log_mel = features_of(samples, SETTINGS)
    mfcc = features_of(samples, FeatureSettings(kind="mfcc", bands=20))
    _over_time(figure.add_subplot(rows[3, 0]), log_mel, "6  log-mel of all frames", "band")
    _over_time(
        figure.add_subplot(rows[3, 1]), mfcc[:, 1:], "7  MFCC of all frames, without the first", "coefficient"
    )
    return figure


def _plain(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, fontsize=11.5, loc="left")
    axes.set_xlabel(x, fontsize=9.5, labelpad=2)
    axes.set_ylabel(y, fontsize=9.5, labelpad=3)
    axes.tick_params(labelsize=8.5, length=2)
    axes.spines[["top", "right"]].set_visible(False)


def _waveform(axes: Axes, samples: NDArray[np.float32]) -> None:
    step = 20  # the outline: least and greatest of 20 samples
    outline = samples[: len(samples) // step * step].reshape(-1, step)
    times = np.arange(len(outline)) * step / SETTINGS.rate
    axes.fill_between(times, outline.min(axis=1), outline.max(axis=1), color=BLUE, linewidth=0)
    top = 0.33
    for row, frame in enumerate(range(SHOWN - 6, SHOWN + 8)):
        start = frame * SETTINGS.hop / SETTINGS.rate
        height = top + 0.05 * (row % 3)
        colour = RED if frame == SHOWN else LINE
        axes.plot([start, start + SETTINGS.window_ms / 1000], [height, height], color=colour, linewidth=2.5)
    start = SHOWN * SETTINGS.hop / SETTINGS.rate
    axes.axvspan(start, start + SETTINGS.window_ms / 1000, ymax=0.72, color=RED, alpha=0.18, linewidth=0)
    axes.text(
        start - 0.085,
        0.38,
        "frames of 25 ms,\none each 10 ms",
        fontsize=9,
        color=SOFT,
        ha="right",
        va="center",
    )
    axes.set_xlim(0, len(samples) / SETTINGS.rate)
    axes.set_ylim(-0.28, 0.5)
    axes.set_yticks([-0.2, 0, 0.2])
    _plain(axes, "1  samples and frames", "seconds", "sample")


def _windowed(samples: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The frame after pre-emphasis, and the window."""
    signal = samples.astype(np.float64)
    emphasised = np.append(signal[0], signal[1:] - SETTINGS.pre_emphasis * signal[:-1])
    n = np.arange(SETTINGS.window)
    return emphasised[SHOWN * SETTINGS.hop :][: SETTINGS.window], 0.5 - 0.5 * np.cos(
        2 * np.pi * n / SETTINGS.window
    )


def _frame(axes: Axes, samples: NDArray[np.float32]) -> None:
    frame, window = _windowed(samples)
    milliseconds = np.arange(SETTINGS.window) * 1000 / SETTINGS.rate
    axes.plot(milliseconds, frame, color=LINE, linewidth=0.9)
    axes.plot(milliseconds, frame * window, color=BLUE, linewidth=1.2)
    peak = np.abs(frame).max()
    axes.plot(milliseconds, window * peak, color=AMBER, linewidth=1.2, linestyle=(0, (4, 3)))
    axes.set_xlim(0, SETTINGS.window_ms)
    _plain(axes, "2  one frame, times the Hann window (dashed)", "milliseconds", "after pre-emphasis")


def _power(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    frame, window = _windowed(samples)
    power: NDArray[np.float64] = np.abs(np.fft.rfft(frame * window, SETTINGS.fft_size)) ** 2 / np.sum(
        window**2
    )
    return power


def _spectrum(axes: Axes, power: NDArray[np.float64]) -> None:
    hz = np.arange(len(power)) * SETTINGS.rate / SETTINGS.fft_size
    axes.plot(hz / 1000, 10 * np.log10(power), color=BLUE, linewidth=1.0)
    axes.set_xlim(0, 8)
    _plain(axes, "3  power spectrum", "kHz", "dB")


def _bands(axes: Axes) -> None:
    corners = mel_to_hz(np.linspace(hz_to_mel(60.0), hz_to_mel(8_000.0), SETTINGS.bands + 2)) / 1000
    for band in range(SETTINGS.bands):
        colour = GREEN if band % 2 else BLUE
        axes.plot(corners[band : band + 3], [0, 1, 0], color=colour, linewidth=1.1)
    axes.set_xlim(0, 8)
    axes.set_ylim(0, 1.08)
    axes.set_yticks([0, 1])
    _plain(axes, f"4  {SETTINGS.bands} triangular filters, equally wide in mel", "kHz", "weight")


def _energies(axes: Axes, samples: NDArray[np.float32]) -> None:
    log_mel = features_of(samples, SETTINGS)[SHOWN]
    axes.bar(
        np.arange(SETTINGS.bands) + 1, log_mel - np.log(FLOOR), bottom=np.log(FLOOR), color=GREEN, width=0.75
    )
    axes.set_xlim(0.2, SETTINGS.bands + 0.8)
    axes.set_xticks([1, 5, 10, 15, 20])
    axes.set_ylim(np.log(FLOOR), -2)
    _plain(axes, "5  log-mel of the frame", "band", "ln energy")


def _over_time(axes: Axes, frames: NDArray[np.float32], title: str, rows: str) -> None:
    first = 1
    axes.imshow(
        frames.T,
        origin="lower",
        aspect="auto",
        cmap="Blues" if rows == "band" else "RdBu_r",
        extent=(0, len(frames) * SETTINGS.hop_ms / 1000, first - 0.5, frames.shape[1] + 0.5),
        vmin=None if rows == "band" else -np.abs(frames).max(),
        vmax=None if rows == "band" else np.abs(frames).max(),
        interpolation="none",
    )
    axes.axvline((SHOWN + 0.5) * SETTINGS.hop_ms / 1000, color=RED, linewidth=1.0)
    _plain(axes, title, "seconds", rows)
