"""A trigger word: made by a synthesizer, detected in a stream between other words and noise."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from recurra.audio.files import RATE, write_recording
from recurra.audio.resampling import missing_audio
from recurra.data.synthetic.sounds import NOISES, noise, random_word, speak
from recurra.demos.side_by_side import claim_folder
from recurra.reports.drawing import write_png
from recurra.tasks.detection.facade import Detector
from recurra.tasks.detection.listening import Heard

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float32]
WORD = "kimosa"
_WORDS, _OTHERS, _NOISES, _SPOKEN = 60, 240, 10, 10
_OPTIONS: dict[str, Any] = {
    "hidden_size": 64,
    "epochs": 16,
    "updates_per_epoch": 30,
    "scene_s": 4.0,
    "quietest_db": -40.0,
    "learning_rate": 0.005,
    "warmup_steps": 20,
    "threads": 1,
}


@dataclass(frozen=True)
class TriggerResult:
    """What was heard in the stream, when the word ended in it, and the files written."""

    heard: tuple[Heard, ...]
    ends_s: tuple[float, ...]
    files: tuple[Path, ...]


def run(
    out: Path, *, overwrite: bool = False, seed: int = 1, console: Console | None = None
) -> TriggerResult:
    """Train a detector of a made-up word, and let it listen to a stream with ten of them.

    Raises: RunError if `out` is in the way; MissingExtra without the packages that read sound.
    """
    if find_spec("soundfile") is None or find_spec("soxr") is None:
        raise missing_audio("demo trigger")
    console = console or Console()
    claim_folder(out, overwrite=overwrite)
    draw = np.random.default_rng(seed)
    _write(out / "data", draw)
    console.print(
        f"{_WORDS} recordings of {WORD!r}, {_OTHERS} of other words and {_NOISES} of noise, "
        "all by a synthesizer."
    )
    console.print("training: a GRU with one decision every 30 ms …")
    detector = Detector.train(out / "data", out=out / "run", overwrite=True, seed=seed, **_OPTIONS)
    figures = detector.evaluate()
    console.print(f"  held out: {figures.sentence()}\n")
    samples, ends = _stream(draw)
    stream, picture = out / "stream.wav", out / "stream.png"
    write_recording(stream, samples)
    heard = tuple(detector.listen(stream))
    console.print(f"a stream of {len(samples) / RATE:.0f} s with the word {len(ends)} times, which ends at")
    console.print("  " + ", ".join(f"{end:.2f}" for end in ends) + " s\nheard:")
    for one in heard:
        console.print(f"  {one.line().strip()}")
    scores = detector.stream().scores(samples)
    step, first = detector.symbols.step_s, detector.symbols.first_s
    times = first + step * np.arange(len(scores))
    threshold = float(detector.network.thresholds[0])
    write_png(picture, _drawn, samples, times, scores[:, 0], threshold, ends, [one.time_s for one in heard])
    console.print(f"picture: {picture}   stream: {stream}")
    console.print("A synthesizer is not a person: for a word of your own, record people.")
    return TriggerResult(heard, tuple(ends), (stream, picture))


def _write(folder: Path, draw: np.random.Generator) -> None:
    """Write recordings of the word, of other words and of noise, with some silence around words."""
    for kind in (WORD, "negative", "background"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for number in range(_WORDS):
        write_recording(folder / WORD / f"{number:03}.wav", _between_silences(speak(WORD, draw), draw))
    for number in range(_OTHERS):
        spoken = speak(random_word(draw), draw)
        write_recording(folder / "negative" / f"{number:03}.wav", _between_silences(spoken, draw))
    for number in range(_NOISES):
        kind = NOISES[number % len(NOISES)]
        write_recording(folder / "background" / f"{number:03}.wav", noise(kind, 5 * RATE, draw))


def _between_silences(samples: Floats, draw: np.random.Generator) -> Floats:
    before, after = (np.zeros(round(draw.uniform(0.2, 0.5) * RATE), np.float32) for _ in range(2))
    joined = np.concatenate([before, samples, after])
    return (joined + draw.normal(0, 1e-4, len(joined))).astype(np.float32)


def _stream(draw: np.random.Generator) -> tuple[Floats, list[float]]:
    """Return a stream with the word ten times between others over noise, and the seconds of its ends."""
    parts, ends, at = [], [], 0
    order = draw.permutation([True] * _SPOKEN + [False] * 2 * _SPOKEN).tolist()
    for is_word in order:
        gap = np.zeros(round(draw.uniform(0.5, 1.5) * RATE), np.float32)
        spoken = speak(WORD if is_word else random_word(draw), draw)
        parts += [gap, spoken * np.float32(draw.uniform(0.3, 1.0))]
        at += len(gap) + len(spoken)
        if is_word:
            ends.append(at / RATE)
    parts.append(np.zeros(RATE, np.float32))
    joined = np.concatenate(parts)
    return (joined + 0.3 * noise("pink", len(joined), draw)).astype(np.float32), ends


def _drawn(
    samples: Floats,
    times: NDArray[np.float64],
    scores: Floats,
    threshold: float,
    ends: list[float],
    heard: list[float],
) -> "Figure":
    """Plot the stream, and below it the score with the threshold, the ends of the word and the events."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 3.6), layout="constrained")
    upper, lower = figure.subplots(2, sharex=True, height_ratios=[1, 2])
    each = 160
    whole = samples[: len(samples) // each * each].reshape(-1, each)
    at = np.arange(len(whole)) * each / RATE
    upper.fill_between(at, whole.min(1), whole.max(1), color="#9aa5b1", linewidth=0)
    upper.set_ylabel("sound")
    lower.plot(times, scores, color="#2c6fbb", linewidth=0.9)
    lower.axhline(threshold, color="#9aa5b1", linestyle=":", label=f"threshold {threshold:.2f}")
    for axes in (upper, lower):
        for end in ends:
            axes.axvline(end, color="#2a9d5c", linewidth=0.8)
    lower.plot(heard, [1.03] * len(heard), "v", color="#c0392b", markersize=5, label="event")
    lower.plot([], [], color="#2a9d5c", label="end of the word")
    lower.set_ylim(-0.02, 1.1)
    lower.set_ylabel("score")
    lower.set_xlabel("seconds")
    lower.legend(frameon=False, ncols=3, loc="upper left", bbox_to_anchor=(0, 1.25))
    for axes in (upper, lower):
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    return figure
