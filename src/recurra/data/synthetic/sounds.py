"""Words and noises of a small synthesizer, for demonstrations and tests of detectors of words.

A word is a row of syllables such as "ki mo sa". Vowels are sums of harmonics under moving formants,
consonants are noise, bursts and murmurs; pitch, speed and vocal tract are drawn for each speaker. The sounds
are a proxy: a detector trained on them does not work on people. Samples are mono float32 at 16 kHz.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recurra.audio.files import RATE
from recurra.errors import ConfigError

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
NoiseKind = Literal["white", "pink", "hum", "clicks", "babble"]

NOISES: tuple[NoiseKind, ...] = ("white", "pink", "hum", "clicks", "babble")
_STEP = 80  # samples between two values of pitch and formants
_HIGHEST_HZ = 7600.0
_PEAK = 0.5
_NOISE_RMS = 0.05
_LOUDEST_NOISE = 0.9

# The first three formants of a male speaker in Hz, after Peterson & Barney 1952.
_VOWELS = {
    "a": (730.0, 1090.0, 2440.0),
    "e": (530.0, 1840.0, 2480.0),
    "i": (270.0, 2290.0, 3010.0),
    "o": (570.0, 840.0, 2410.0),
    "u": (300.0, 870.0, 2240.0),
}
_BANDWIDTHS = (70.0, 100.0, 150.0)


class _Consonant(NamedTuple):
    """Closed for a time, then noise between two frequencies, or a murmur through three formants."""

    closed_s: float
    noise_s: float
    band_hz: tuple[float, float]
    level: float
    murmur_s: float = 0.0
    formants: tuple[float, float, float] | None = None


_CONSONANTS = {
    "p": _Consonant(0.05, 0.015, (300, 1500), 0.2),
    "t": _Consonant(0.05, 0.02, (3000, 7000), 0.25),
    "k": _Consonant(0.05, 0.03, (1400, 2800), 0.25),
    "b": _Consonant(0.0, 0.01, (200, 1000), 0.15, 0.05, (200, 900, 2200)),
    "d": _Consonant(0.0, 0.012, (2500, 5500), 0.15, 0.05, (200, 1700, 2600)),
    "g": _Consonant(0.0, 0.02, (1200, 2400), 0.15, 0.05, (200, 2000, 2300)),
    "s": _Consonant(0.0, 0.11, (4200, 7600), 0.2),
    "f": _Consonant(0.0, 0.09, (900, 7600), 0.08),
    "h": _Consonant(0.0, 0.06, (500, 3500), 0.08),
    "x": _Consonant(0.0, 0.11, (1900, 5000), 0.2),
    "m": _Consonant(0.0, 0.0, (0, 0), 0.0, 0.08, (250, 1050, 2200)),
    "n": _Consonant(0.0, 0.0, (0, 0), 0.0, 0.08, (250, 1500, 2600)),
    "l": _Consonant(0.0, 0.0, (0, 0), 0.0, 0.07, (360, 1100, 2700)),
    "r": _Consonant(0.0, 0.0, (0, 0), 0.0, 0.07, (350, 1150, 1600)),
}
_MURMUR = 0.35  # amplitude beside that of a vowel
_VOWEL_S = 0.14
_GLIDE_S = 0.045  # time in which formants move from a consonant to its vowel
_SYLLABLE = re.compile(f"[{''.join(_CONSONANTS)}]?[{''.join(_VOWELS)}]")
LETTERS = f"consonants {' '.join(_CONSONANTS)}, vowels {' '.join(_VOWELS)}"


@dataclass(frozen=True)
class Speaker:
    """What distinguishes voices. A short vocal tract has a scale of the formants above 1."""

    pitch_hz: float = 120.0
    speed: float = 1.0
    formant_scale: float = 1.0
    breath: float = 0.02

    @classmethod
    def drawn(cls, draw: np.random.Generator) -> "Speaker":
        """Draw a speaker: 85 to 270 Hz; the higher the voice, the shorter the tract on average."""
        octave = draw.uniform(0, 1)
        return cls(
            pitch_hz=float(85 * (270 / 85) ** octave),
            speed=float(draw.uniform(0.8, 1.25)),
            formant_scale=float(0.92 + 0.25 * octave + draw.uniform(-0.04, 0.04)),
            breath=float(draw.uniform(0.005, 0.05)),
        )


def syllables_of(word: str) -> list[str]:
    """Split a word such as "kimosa" or "ki mo sa" into syllables: vowels, with or without a consonant before.

    Raises: ConfigError if the word has other letters, or consonants without a vowel.
    """
    joined = word.replace(" ", "")
    syllables = _SYLLABLE.findall(joined)
    if not syllables or "".join(syllables) != joined:
        raise ConfigError(f"word: got {word!r}, expected syllables such as 'ki mo sa' ({LETTERS}).")
    return syllables


def random_word(draw: np.random.Generator, syllables: int = 3, avoid: Sequence[str] = ()) -> str:
    """Draw a word of some syllables that is none of the words to avoid."""
    banned = {"".join(syllables_of(word)) for word in avoid}
    consonants, vowels = list(_CONSONANTS), list(_VOWELS)
    while True:
        word = "".join(str(draw.choice(consonants)) + str(draw.choice(vowels)) for _ in range(syllables))
        if word not in banned:
            return word


def similar_word(word: str, draw: np.random.Generator) -> str:
    """Replace one syllable of a word by another: the hardest of the words that are not meant."""
    syllables = syllables_of(word)
    syllables[int(draw.integers(len(syllables)))] = random_word(draw, 1, avoid=syllables)
    return "".join(syllables)


def speak(word: str, draw: np.random.Generator, speaker: Speaker | None = None) -> Floats:
    """Speak a word of syllables, from its first to its last sample, without silence around it. Shape: (N,).

    The voice is a sum of the harmonics k of the pitch, below 7.6 kHz:

        x(t) = Σ_k  1/k · Π_i |H_i(k f0(t), t)| · sin(2π k ∫ f0 dt)

    H_i are resonators at the formants, which glide from consonant to vowel. Durations, melody and vowels vary
    with each call. If no speaker is given, one is drawn. The largest absolute value is 0.5.
    Raises: ConfigError if the word has other letters than `LETTERS`.
    """
    syllables = syllables_of(word)
    speaker = speaker or Speaker.drawn(draw)
    tracks = _Tracks.drawn(syllables, speaker, draw)
    voice = _voiced(tracks, speaker, draw)
    sound = voice / max(float(np.abs(voice).max()), 1e-9) + tracks.noise
    edge = min(len(sound) // 4, 80)
    if edge:
        sound[:edge] *= np.linspace(0, 1, edge)
        sound[-edge:] *= np.linspace(1, 0, edge)
    return np.asarray(_PEAK * sound / np.abs(sound).max(), np.float32)


class _Tracks(NamedTuple):
    """Formants (steps, 3) and amplitude of the voice (steps,), every `_STEP` samples; noise (N,)."""

    formants: Doubles
    voicing: Doubles
    noise: Doubles

    @classmethod
    def drawn(cls, syllables: list[str], speaker: Speaker, draw: np.random.Generator) -> "_Tracks":
        """Draw the durations of the sounds, and the noise of the consonants."""
        formants: list[Doubles] = []
        voicing: list[Doubles] = []
        noises: list[tuple[int, Doubles]] = []

        def steps(seconds: float) -> int:
            return max(1, round(seconds * draw.uniform(0.88, 1.12) / speaker.speed * RATE / _STEP))

        def extend(count: int, target: Doubles, amplitude: float) -> None:
            formants.append(np.broadcast_to(target, (count, 3)))
            voicing.append(np.full(count, amplitude))

        for place, syllable in enumerate(syllables):
            target = speaker.formant_scale * np.array(_VOWELS[syllable[-1]])
            target *= draw.uniform(0.96, 1.04, 3)
            if len(syllable) == 2:
                sound = _CONSONANTS[syllable[0]]
                locus = speaker.formant_scale * np.array(sound.formants) if sound.formants else target
                if sound.closed_s and place:
                    extend(steps(sound.closed_s), locus, 0.0)
                if sound.murmur_s:
                    extend(steps(sound.murmur_s), locus, _MURMUR)
                if sound.noise_s:
                    start, count = sum(map(len, voicing)), steps(sound.noise_s)
                    noise = _band_noise(count * _STEP, sound.band_hz, draw) * sound.level
                    noises.append((start * _STEP, noise))
                    extend(count, locus, 0.0)
            last = 1.25 if place == len(syllables) - 1 else 1.0
            extend(steps(_VOWEL_S * last), target, float(draw.uniform(0.85, 1.0)))
        whole = np.zeros(sum(map(len, voicing)) * _STEP)
        for start, noise in noises:
            whole[start : start + len(noise)] += noise
        glide = max(1, round(_GLIDE_S / speaker.speed * RATE / _STEP))
        return cls(_smooth(np.concatenate(formants), glide), _smooth(np.concatenate(voicing), 4), whole)


def _voiced(tracks: _Tracks, speaker: Speaker, draw: np.random.Generator) -> Doubles:
    """Return the voice of the speaker, with a falling melody and breath. Shape: (N,)."""
    count, size = len(tracks.voicing), len(tracks.noise)
    melody = np.interp(np.linspace(0, 3, count), range(4), [1.0, 1.06, 0.98, 0.84])
    melody = melody * draw.uniform(0.95, 1.05) + 0.01 * _smooth(draw.standard_normal(count), 6)
    pitch = speaker.pitch_hz * melody
    phase = 2 * np.pi * np.cumsum(_of_samples(pitch)) / RATE + draw.uniform(0, 2 * np.pi)
    orders = np.arange(1, int(_HIGHEST_HZ / pitch.min()) + 1)[:, None]
    hertz = orders * pitch
    amplitudes = tracks.voicing * _envelope(hertz, tracks.formants) / orders * (hertz < _HIGHEST_HZ)
    sound = np.zeros(size)
    twice, before, sine = 2 * np.cos(phase), np.zeros(size), np.sin(phase)
    for amplitude in amplitudes:
        sound += _of_samples(amplitude) * sine
        before, sine = sine, twice * sine - before  # sin((k+1) φ) = 2 cos φ sin(k φ) - sin((k-1) φ)
    loud = _of_samples(tracks.voicing) * float(np.sqrt(np.mean(sound**2)))
    return sound + speaker.breath * loud * draw.standard_normal(size)


def _of_samples(values: Doubles) -> Doubles:
    """Interpolate values of steps linearly; the last one is held. Shape: (steps,) -> (steps * _STEP,)."""
    rises = np.diff(values, append=values[-1:])[:, None] * (np.arange(_STEP) / _STEP)
    return (values[:, None] + rises).reshape(-1)


def _envelope(hertz: Doubles, formants: Doubles) -> Doubles:
    """Return the gain of three resonators and a fixed one at 3.6 kHz, in series; it is 1 at 0 Hz.

    Shapes: hertz (harmonics, steps), formants (steps, 3) -> (harmonics, steps).
    """
    gain = np.ones_like(hertz)
    fixed = np.full((len(formants), 1), 3600.0)
    for centres, width in zip(np.hstack([formants, fixed]).T, (*_BANDWIDTHS, 300.0), strict=True):
        squared = centres**2 + (width / 2) ** 2
        below = (hertz - centres) ** 2 + (width / 2) ** 2
        above = (hertz + centres) ** 2 + (width / 2) ** 2
        gain *= squared / np.sqrt(below * above)
    return gain


def _smooth(values: Doubles, width: int) -> Doubles:
    """Return moving averages over `width` steps along the first axis; edges are repeated."""
    width = 2 * (width // 2) + 1
    padding = [(width // 2, width // 2)] + [(0, 0)] * (values.ndim - 1)
    sums = np.cumsum(np.pad(np.pad(values, padding, mode="edge"), [(1, 0), *padding[1:]]), axis=0)
    return (sums[width:] - sums[:-width]) / width


def _band_noise(size: int, band_hz: tuple[float, float], draw: np.random.Generator) -> Doubles:
    """Return Gaussian noise between two frequencies, of mean square 1, that swells and fades. Shape: (N,)."""
    spectrum = np.fft.rfft(draw.standard_normal(size))
    hertz = np.fft.rfftfreq(size, 1 / RATE)
    low, high = band_hz
    edges = np.clip((hertz - low) / 200 + 0.5, 0, 1) * np.clip((high - hertz) / 200 + 0.5, 0, 1)
    noise = np.fft.irfft(spectrum * edges, size)
    noise /= max(float(np.sqrt(np.mean(noise**2))), 1e-9)
    return noise * np.minimum(1, np.sin(np.pi * (np.arange(size) + 0.5) / size) * 1.6)


def noise(kind: NoiseKind, size: int, draw: np.random.Generator) -> Floats:
    """Return `size` samples of a noise, of root mean square 0.05 (less if its peak would be above 0.9).

    white: equal power at all frequencies; pink: power 1/f; hum: 50 or 60 Hz with harmonics; clicks: two a
    second on average; babble: six speakers who say random words without end. Shape: (N,).
    Raises: ConfigError if the kind is unknown or the size negative.
    """
    if kind not in NOISES or size < 0:
        raise ConfigError(f"noise: got {kind!r} of {size} samples, expected one of {', '.join(NOISES)}.")
    if not size:
        return np.zeros(0, np.float32)
    sound = {"white": _white, "pink": _pink, "hum": _hum, "clicks": _clicks, "babble": _babble}[kind](
        size, draw
    )
    rms, peak = float(np.sqrt(np.mean(sound**2))), float(np.abs(sound).max())
    scale = min(_NOISE_RMS / rms, _LOUDEST_NOISE / peak) if peak else 1.0
    return np.asarray(scale * sound, np.float32)


def _white(size: int, draw: np.random.Generator) -> Doubles:
    return draw.standard_normal(size)


def _pink(size: int, draw: np.random.Generator) -> Doubles:
    spectrum = np.fft.rfft(draw.standard_normal(size))
    hertz = np.fft.rfftfreq(size, 1 / RATE)
    spectrum[0] = 0
    spectrum[1:] /= np.sqrt(np.maximum(hertz[1:], 20))
    return np.fft.irfft(spectrum, size)


def _hum(size: int, draw: np.random.Generator) -> Doubles:
    times = np.arange(size) / RATE
    base = float(draw.choice([50.0, 60.0]))
    harmonics = (
        draw.uniform(0.3, 1) / k * np.sin(2 * np.pi * (k * base * times + draw.uniform()))
        for k in range(1, 13)
    )
    return np.asarray(np.sum(list(harmonics), axis=0)) + 0.02 * draw.standard_normal(size)


def _clicks(size: int, draw: np.random.Generator) -> Doubles:
    sound = 0.003 * draw.standard_normal(size)
    for _ in range(max(1, int(draw.poisson(2 * size / RATE)))):
        length = int(draw.integers(20, 400))
        click = draw.standard_normal(length) * np.exp(-5 * np.arange(length) / length)
        start = int(draw.integers(size))
        sound[start : start + length] += draw.uniform(0.2, 1) * click[: size - start]
    return sound


def _babble(size: int, draw: np.random.Generator, speakers: int = 6) -> Doubles:
    sound = np.zeros(size)
    for _ in range(speakers):
        speaker, level = Speaker.drawn(draw), float(draw.uniform(0.4, 1))
        at = -int(draw.integers(RATE))
        while at < size:
            word = speak(random_word(draw, int(draw.integers(1, 5))), draw, speaker)
            first = max(0, at)
            part = word[first - at :][: size - first]
            sound[first : first + len(part)] += level * part
            at += len(word) + int(draw.integers(RATE // 20, RATE // 3))
    return sound
