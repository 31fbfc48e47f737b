"""Scenes to train a detector on: words laid over backgrounds, between other sounds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recurra.audio.activity import Span
from recurra.audio.augmentation import active_power, add_room, change_speed, room_response

Floats = NDArray[np.float32]
_FADE_S = 0.02
_MARGIN_S = 0.25  # of its own silence that a word keeps on both sides
_QUIET = 1e-5


class Sound(NamedTuple):
    """Samples as 16-bit integers; of a word, its number and where in them it is.

    Shapes: samples (N,).
    """

    samples: NDArray[np.int16]
    word: int = -1
    span: Span | None = None


@dataclass(frozen=True)
class SceneSettings:
    """How scenes are mixed; levels are in decibels, of full scale or of the speech.

    A scene has up to `most_words` words, and as many other sounds as fit. `partial` is the probability that
    an other sound is the beginning or the end of a word instead, which is not the word.
    """

    seconds: float = 6.0
    rate: int = 16_000
    most_words: int = 2
    level: tuple[float, float] = (-75.0, -12.0)
    snr: tuple[float, float] = (3.0, 40.0)
    speed: float = 0.1
    room: float = 0.3
    partial: float = 0.2


class Placed(NamedTuple):
    """A word of a scene: its number, and the second at which it ends."""

    word: int
    end_s: float


class Scene(NamedTuple):
    """A mixed scene. Shapes: samples (N,)."""

    samples: Floats
    words: list[Placed]


class SceneMaker:
    """Mixes scenes from words, other sounds (may be empty) and backgrounds (noise if there are none)."""

    def __init__(
        self,
        words: Sequence[Sound],
        others: Sequence[Sound],
        backgrounds: Sequence[Sound],
        settings: SceneSettings,
    ) -> None:
        self._words, self._others, self._backgrounds = words, others, backgrounds
        self.settings = settings
        kinds = sorted({sound.word for sound in words})
        self._of_word = [[sound for sound in words if sound.word == kind] for kind in kinds]
        lengths = np.array([len(sound.samples) for sound in others], dtype=np.float64)
        # Half of the choices by duration, half by file, so that neither long nor short files are all.
        both = lengths / max(1.0, lengths.sum()) + 1 / max(1, len(lengths))
        self._shares = both / both.sum() if len(lengths) else both

    def __repr__(self) -> str:
        counts = map(len, (self._words, self._others, self._backgrounds))
        return "SceneMaker({} words, {} other sounds, {} backgrounds)".format(*counts)

    def plan(self, draw: np.random.Generator, samples: int) -> list[Placed]:
        """Return the words that `make` places with the same generator, without mixing them."""
        return self._placed(self._laid_out(draw, samples))

    def make(self, draw: np.random.Generator, samples: int) -> Scene:
        """Mix a scene of a number of samples."""
        own = self.settings
        laid_out = self._laid_out(draw, samples)
        level = draw.uniform(*own.level)
        speech = np.zeros(samples, np.float32)
        for start, sound in laid_out:
            piece = _at_level(sound.samples, level + draw.uniform(-4, 4), own.rate)
            speech[start : start + len(piece)] += piece
        if own.room and draw.random() < own.room:
            speech = add_room(speech, room_response(draw, rate=own.rate))
        noise = _at_level(self._background(draw, samples), level - draw.uniform(*own.snr), own.rate)
        mixed = np.clip(speech + noise, -1.0, 1.0).astype(np.float32)
        return Scene(mixed, self._placed(laid_out))

    def _placed(self, laid_out: Sequence[tuple[int, "_Piece"]]) -> list[Placed]:
        """Return the words of a scene in the order of their ends."""
        found = [
            Placed(piece.word, start / self.settings.rate + piece.end_s)
            for start, piece in laid_out
            if piece.end_s is not None
        ]
        return sorted(found, key=lambda one: one.end_s)

    def _laid_out(self, draw: np.random.Generator, samples: int) -> list[tuple[int, "_Piece"]]:
        """Draw the sounds of a scene, and the sample at which each begins."""
        pieces = [self._word(draw) for _ in range(int(draw.integers(0, self.settings.most_words + 1)))]
        pieces += [self._other(draw, samples) for _ in range(int(draw.integers(0, 4)))]
        order = draw.permutation(len(pieces)).tolist()
        kept, used = [], 0
        for piece in (pieces[i] for i in order):
            if used + len(piece.samples) <= samples:
                kept.append(piece)
                used += len(piece.samples)
        gaps = np.floor(draw.dirichlet(np.ones(len(kept) + 1)) * (samples - used)).astype(int).tolist()
        found, at = [], 0
        for gap, piece in zip(gaps, kept, strict=False):
            at += gap
            found.append((at, piece))
            at += len(piece.samples)
        return found

    def _word(self, draw: np.random.Generator) -> "_Piece":
        of_one = self._of_word[int(draw.integers(len(self._of_word)))]
        sound = of_one[int(draw.integers(len(of_one)))]
        assert sound.span is not None, "words have a span"
        rate, margin = self.settings.rate, _MARGIN_S
        first = max(0, round((sound.span.start_s - margin) * rate))
        cut = _floats(sound.samples[first : round((sound.span.end_s + margin) * rate)])
        factor = round(1 + draw.uniform(-self.settings.speed, self.settings.speed), 2)
        end = (sound.span.end_s - first / rate) / factor
        return _Piece(_faded(change_speed(cut, factor), rate), sound.word, end)

    def _other(self, draw: np.random.Generator, samples: int) -> "_Piece":
        rate = self.settings.rate
        if not self._others or draw.random() < self.settings.partial:
            word = self._word(draw)
            end = round((word.end_s or 0.0) * rate)
            share = draw.uniform(0.25, 0.6)
            cut = word.samples[: round(end * share)]
            if draw.random() < 0.5:
                cut = word.samples[round(end * (1 - share / 2)) :]
            return _Piece(_faded(cut, rate), -1, None)
        sound = self._others[int(draw.choice(len(self._others), p=self._shares))]
        length = min(len(sound.samples), round(draw.uniform(0.5, 4.0) * rate), samples)
        start = int(draw.integers(len(sound.samples) - length + 1))
        return _Piece(_faded(_floats(sound.samples[start : start + length]), rate), -1, None)

    def _background(self, draw: np.random.Generator, samples: int) -> Floats:
        """Draw a background: one of the given ones, repeated if it is short, or noise."""
        if not self._backgrounds or draw.random() < 0.2:
            return _coloured_noise(draw, samples)
        sound = self._backgrounds[int(draw.integers(len(self._backgrounds)))].samples
        start = int(draw.integers(len(sound)))
        return _floats(np.take(sound, np.arange(start, start + samples), mode="wrap"))


class _Piece(NamedTuple):
    """A sound of a scene; of a word, the second of it at which the word ends. Shapes: samples (N,)."""

    samples: Floats
    word: int
    end_s: float | None


def _floats(samples: NDArray[np.int16]) -> Floats:
    return samples.astype(np.float32) / np.float32(32768)


def _at_level(samples: Floats, decibels: float, rate: int) -> Floats:
    """Scale samples so that their active parts have a level in decibels of full scale."""
    root = active_power(samples, rate) ** 0.5
    if root < _QUIET:
        return samples
    scaled: Floats = samples * np.float32(10 ** (decibels / 20) / root)
    return scaled


def _faded(samples: Floats, rate: int) -> Floats:
    """Fade a sound in and out, so that its edges make no click."""
    length = min(round(_FADE_S * rate), len(samples) // 2)
    if not length:
        return samples
    edge = np.linspace(0, 1, length, dtype=np.float32)
    faded = samples.copy()
    faded[:length] *= edge
    faded[-length:] *= edge[::-1]
    return faded


def _coloured_noise(draw: np.random.Generator, samples: int) -> Floats:
    """Draw noise whose power falls with the frequency f as f^-a, with a from 0 (white) to 2 (brown)."""
    spectrum = np.fft.rfft(draw.standard_normal(samples))
    slope = draw.uniform(0, 2)
    spectrum *= np.maximum(np.arange(len(spectrum)), 1.0) ** (-slope / 2)
    noise = np.fft.irfft(spectrum, samples)
    return (noise / max(float(np.abs(noise).max()), _QUIET)).astype(np.float32)
