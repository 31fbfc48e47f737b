"""One word of the synthesizer, and what augmentation makes of it, as log spectrograms."""

import numpy as np
from drawing import INK
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from recurra.audio.augmentation import (
    RATE,
    add_noise,
    add_room,
    change_speed,
    mask_bands,
    mask_times,
    room_response,
    shift_time,
)
from recurra.data.synthetic.sounds import Speaker, noise, speak

WINDOW, HOP, SECONDS = 320, 200, 1.0


def draw() -> Figure:
    """Draw the word, and six variants of it."""
    rng = np.random.default_rng(3)
    size = round(SECONDS * RATE)
    word = speak("kimosa", rng, Speaker(pitch_hz=130))
    word = np.pad(word, (round(0.1 * RATE), size))[:size]
    room = room_response(rng, 0.6, reverberant_db=3)
    variants = {
        "a synthetic word": word,
        "speed 0.8": change_speed(word, 0.8)[:size],
        "shift by 150 ms": shift_time(word, 0.15),
        "room, T60 = 0.6 s": add_room(word, room),
        "babble at 5 dB": add_noise(word, noise("babble", size, rng), 5),
        "masked times": word,
        "masked bands": word,
        "all of them": add_noise(
            add_room(shift_time(change_speed(word, 0.8)[:size], 0.05), room), noise("pink", size, rng), 10
        ),
    }
    figure = Figure(figsize=(9.2, 4.2), layout="constrained")
    for axes, (title, samples) in zip(figure.subplots(2, 4).flat, variants.items(), strict=True):
        frames = _spectrogram(samples)
        if title in ("masked times", "all of them"):
            frames = mask_times(frames, 2, 11, np.random.default_rng(4))
        if title in ("masked bands", "all of them"):
            frames = mask_bands(frames, 2, 16, np.random.default_rng(7))
        _panel(axes, title, frames)
    return figure


def _spectrogram(samples: np.ndarray) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP] * np.hanning(WINDOW)
    return np.log(np.abs(np.fft.rfft(windows, axis=1)[:, : WINDOW // 4]) ** 2 + 1e-4)


def _panel(axes: Axes, title: str, frames: np.ndarray) -> None:
    axes.imshow(
        frames.T,
        origin="lower",
        aspect="auto",
        cmap="Blues",
        vmin=-10,
        vmax=6.5,
        extent=(0, SECONDS, 0, 4),
        interpolation="none",
    )
    axes.set_title(title, fontsize=10, color=INK)
    axes.tick_params(labelsize=8)
    axes.set_xlabel("s", fontsize=8.5, labelpad=1)
    axes.set_ylabel("kHz", fontsize=8.5, labelpad=1)
