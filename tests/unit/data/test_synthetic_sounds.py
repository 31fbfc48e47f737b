"""The synthesizer's words and noises, by what a listener would measure."""

from itertools import product

import numpy as np
import pytest
from scipy.signal import find_peaks, welch

from recurra.data.synthetic.sounds import (
    NOISES,
    RATE,
    Speaker,
    noise,
    random_word,
    similar_word,
    speak,
    syllables_of,
)
from recurra.errors import ConfigError


def drawn(seed=0):
    return np.random.default_rng(seed)


def log_spectra(samples):
    """Log energies of 20 bands every 10 ms, without the mean over all. Shape: (T, 20)."""
    windows = np.lib.stride_tricks.sliding_window_view(samples, 400)[::160] * np.hanning(400)
    power = np.abs(np.fft.rfft(windows, 512)) ** 2
    edges = np.unique(np.geomspace(2, 256, 21).astype(int))
    energies = np.log(np.add.reduceat(power[:, :256], edges[:-1], axis=1) + 1e-5)
    return energies - energies.mean()


def warped_distance(a, b):
    """Mean absolute difference of spectra along the best alignment (dynamic time warping)."""
    costs = np.abs(a[:, None] - b[None]).mean(axis=-1)
    total = np.full((len(a) + 1, len(b) + 1), np.inf)
    total[0, 0] = 0
    for i in range(len(a)):
        for j in range(len(b)):
            total[i + 1, j + 1] = costs[i, j] + min(total[i, j], total[i, j + 1], total[i + 1, j])
    return total[-1, -1] / (len(a) + len(b))


def test_words_differ_more_than_speakers():
    draw = drawn(1)
    words = ("kimosa", "tarulo", "benafi")
    spoken = {word: [log_spectra(speak(word, draw)) for _ in range(4)] for word in words}
    within, between = [], []
    for (word, first), other in product(((name, one) for name in words for one in spoken[name]), words):
        distances = [warped_distance(first, one) for one in spoken[other] if one is not first]
        (within if other == word else between).extend(distances)
    assert np.mean(between) > 1.5 * np.mean(within)
    assert np.percentile(between, 10) > np.percentile(within, 75)


@pytest.mark.parametrize("word", ["a", "ki", "kimosa", "ki mo sa", "sutadege", "hufaxo"])
def test_words_are_whole_clean_and_about_as_long_as_speech(word):
    draw = drawn(2)
    count = len(syllables_of(word))
    for _ in range(10):
        samples = speak(word, draw)
        assert samples.dtype == np.float32
        assert np.isfinite(samples).all()
        assert np.abs(samples).max() == pytest.approx(0.5)
        assert 0.08 * count < len(samples) / RATE < 0.4 * count
        loud = np.abs(samples) > 0.005
        assert np.argmax(loud) < 0.08 * RATE
        assert np.argmax(loud[::-1]) < 0.03 * RATE


@pytest.mark.parametrize("pitch", [90, 150, 240])
def test_the_voice_has_the_speakers_pitch(pitch):
    """The period is the lag of the largest autocorrelation in the middle of a vowel."""
    samples = speak("a", drawn(3), Speaker(pitch_hz=pitch, breath=0.0))
    middle = samples[len(samples) // 2 - 640 : len(samples) // 2 + 640].astype(float)
    correlation = np.correlate(middle, middle, "full")[len(middle) - 1 :]
    correlation /= np.arange(len(middle), 0, -1)
    least = RATE // 300
    lag = least + np.argmax(correlation[least : RATE // 70])
    assert RATE / lag == pytest.approx(pitch, rel=0.15)


@pytest.mark.parametrize(
    ("vowel", "first", "second"), [("a", 730, 1090), ("i", 270, 2290), ("u", 300, 870), ("e", 530, 1840)]
)
@pytest.mark.parametrize("scale", [1.0, 1.15])
def test_vowels_have_their_formants(vowel, first, second, scale):
    """A very low voice samples the envelope of the spectrum densely, every 20 Hz."""
    samples = speak(vowel, drawn(4), Speaker(pitch_hz=20, formant_scale=scale, breath=0.0, speed=0.3))
    hertz, power = welch(samples, RATE, nperseg=400, nfft=4096)
    envelope = np.log(power) + 2 * np.log(hertz + 1)
    peaks = hertz[find_peaks(envelope, prominence=0.05)[0]]
    for formant in (first, second):
        assert np.abs(peaks - scale * formant).min() < 0.15 * scale * formant, (peaks, formant)


def test_s_hisses_and_m_hums():
    speaker = Speaker()
    shares = {}
    for word in ("sa", "ma"):
        start = speak(word, drawn(5), speaker)[: RATE // 20].astype(float)
        power = np.abs(np.fft.rfft(start)) ** 2
        hertz = np.fft.rfftfreq(len(start), 1 / RATE)
        shares[word] = power[hertz > 3500].sum() / power.sum()
    assert shares["sa"] > 0.9
    assert shares["ma"] < 0.02


@pytest.mark.parametrize(("word", "place"), [("samama", 0), ("masama", 1), ("mamasa", 2)])
def test_a_hiss_is_where_its_syllable_is(word, place):
    samples = speak(word, drawn(5), Speaker()).astype(float)
    thirds = [np.abs(np.fft.rfft(third)) for third in np.array_split(samples, 3)]
    high = [np.sum(third[len(third) // 2 :] ** 2) for third in thirds]
    assert np.argmax(high) == place


def test_speed_shortens_words():
    slow, fast = (len(speak("kimosa", drawn(6), Speaker(speed=speed))) for speed in (0.8, 1.25))
    assert slow / fast == pytest.approx(1.25 / 0.8, rel=0.05)


def test_a_seed_decides_words_speakers_and_noises():
    np.testing.assert_array_equal(speak("kimosa", drawn(1)), speak("kimosa", drawn(1)))
    first, second = speak("kimosa", drawn(1)), speak("kimosa", drawn(2))
    assert len(first) != len(second) or (first != second).any()
    assert Speaker.drawn(drawn(1)) == Speaker.drawn(drawn(1)) != Speaker.drawn(drawn(2))
    for kind in NOISES:
        np.testing.assert_array_equal(noise(kind, 9000, drawn(1)), noise(kind, 9000, drawn(1)))
        assert (noise(kind, 9000, drawn(1)) != noise(kind, 9000, drawn(2))).any()


@pytest.mark.parametrize("kind", NOISES)
@pytest.mark.parametrize("size", [0, 1, 100, 40_000])
def test_noises_are_clean(kind, size):
    samples = noise(kind, size, drawn(7))
    assert samples.shape == (size,)
    assert samples.dtype == np.float32
    assert np.isfinite(samples).all()
    assert not size or np.abs(samples).max() <= 0.9001
    if size == 40_000:
        rms = float(np.sqrt(np.mean(samples.astype(float) ** 2)))
        assert rms < 0.0501
        assert kind == "clicks" or rms == pytest.approx(0.05, rel=1e-3)


def test_noises_have_their_spectra():
    """In octaves: white noise rises by 3 dB, pink noise is flat; hum is below 1 kHz; clicks are short."""
    size = 20 * RATE
    levels = {}
    for kind in ("white", "pink"):
        power = np.abs(np.fft.rfft(noise(kind, size, drawn(8)))) ** 2
        hertz = np.fft.rfftfreq(size, 1 / RATE)
        octaves = [power[(hertz >= low) & (hertz < 2 * low)].sum() for low in 62.5 * 2.0 ** np.arange(6)]
        levels[kind] = np.diff(10 * np.log10(octaves))
    np.testing.assert_allclose(levels["white"], 3.01, atol=0.5)
    np.testing.assert_allclose(levels["pink"], 0, atol=0.5)
    hum = np.abs(np.fft.rfft(noise("hum", RATE, drawn(8)))) ** 2
    assert hum[:1000].sum() > 0.95 * hum.sum()
    assert np.argmax(hum) % 10 == 0
    clicks = np.abs(noise("clicks", size, drawn(8)))
    assert np.mean(clicks > 0.1 * clicks.max()) < 0.05


def test_babble_is_speech_without_long_pauses():
    samples = noise("babble", 10 * RATE, drawn(9)).astype(float)
    levels = np.sqrt(np.mean(samples.reshape(-1, RATE // 4) ** 2, axis=1))
    assert levels.min() > 0.2 * levels.max()


@pytest.mark.parametrize("word", ["", "kimos", "kqa", "Kimosa", "123", "kimosa!"])
def test_what_is_not_a_word_of_syllables_is_refused(word):
    with pytest.raises(ConfigError, match="expected syllables such as 'ki mo sa'"):
        speak(word, drawn())


def test_an_unknown_noise_is_refused():
    with pytest.raises(ConfigError, match="expected one of white, pink"):
        noise("loud", 10, drawn())
    with pytest.raises(ConfigError, match="-1 samples"):
        noise("white", -1, drawn())


def test_random_words_avoid_and_similar_words_differ_in_one_syllable():
    draw = drawn(10)
    assert all(random_word(draw, 1, avoid=["ki"]) != "ki" for _ in range(300))
    words = {random_word(draw) for _ in range(100)}
    assert len(words) > 95
    for word in words:
        before, after = syllables_of(word), syllables_of(similar_word(word, draw))
        assert len(before) == len(after) == 3
        assert sum(one != other for one, other in zip(before, after, strict=True)) == 1
