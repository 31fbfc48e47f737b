"""Augmentation of recordings, against measurements by hand and scipy."""

import numpy as np
import pytest
from scipy.signal import fftconvolve

from recurra.audio.augmentation import (
    RATE,
    Augmentation,
    active_power,
    add_noise,
    add_room,
    change_gain,
    change_speed,
    mask_bands,
    mask_times,
    room_response,
    shift_time,
)
from recurra.errors import ArgumentTypeError, ConfigError, ShapeError


def drawn(seed=0):
    return np.random.default_rng(seed)


def noise_of(size, seed=0, scale=0.1):
    return (scale * drawn(seed).standard_normal(size)).astype(np.float32)


def sine(hz, seconds=1.0, amplitude=0.5):
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def peak_hz(samples):
    """The frequency of the largest magnitude of the spectrum."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 18))
    return np.argmax(spectrum) * RATE / (1 << 18)


EVERYTHING = Augmentation(
    speed=(0.9, 1.1),
    room_probability=0.7,
    shift_ms=(-50, 50),
    snr_db=(0, 20),
    gain_db=(-10, 5),
    time_masks=2,
    band_masks=2,
)
OF_SAMPLES = {
    "gain": lambda x: change_gain(x, -3),
    "noise": lambda x: add_noise(x, noise_of(100), 3),
    "shift": lambda x: shift_time(x, 0.01),
    "speed": lambda x: change_speed(x, 1.1),
    "room": lambda x: add_room(x, room_response(drawn(), 0.1)),
    "all": lambda x: EVERYTHING.of(x, drawn(), noise_of(500)),
}


@pytest.mark.parametrize("name", OF_SAMPLES)
@pytest.mark.parametrize("size", [0, 1, 2, 7, 4000])
def test_results_are_finite_float32_and_the_argument_is_kept(name, size):
    given = noise_of(size)
    before = given.copy()
    result = OF_SAMPLES[name](given)
    assert result.dtype == np.float32
    assert result.ndim == 1
    assert np.isfinite(result).all()
    np.testing.assert_array_equal(given, before)
    assert not result.any() or size
    assert not OF_SAMPLES[name](np.zeros(size, np.float32)).any() or not size


@pytest.mark.parametrize("name", OF_SAMPLES)
def test_samples_that_are_not_mono_floats_are_refused(name):
    with pytest.raises(ShapeError, match=r"samples: got shape \(2, 8\), expected \(N,\); mix"):
        OF_SAMPLES[name](np.zeros((2, 8), np.float32))
    with pytest.raises(ArgumentTypeError, match="samples: got int16, expected floats"):
        OF_SAMPLES[name](np.zeros(8, np.int16))


@pytest.mark.parametrize(("decibels", "factor"), [(20, 10), (-20, 0.1), (0, 1), (6.0206, 2)])
def test_gain(decibels, factor):
    given = noise_of(1000)
    np.testing.assert_allclose(change_gain(given, decibels), factor * given, rtol=1e-6)


@pytest.mark.parametrize("snr_db", [-5, 0, 12.5])
@pytest.mark.parametrize("noise_size", [100, 16_000, 50_000])
def test_noise_has_the_ratio_that_was_asked_for(snr_db, noise_size):
    """Half of the recording is silent, which must not count."""
    speech = np.concatenate([sine(440), np.zeros(RATE, np.float32)])
    added = add_noise(speech, noise_of(noise_size), snr_db).astype(np.float64) - speech
    measured = 10 * np.log10(np.mean(speech[:RATE].astype(np.float64) ** 2) / np.mean(added**2))
    assert measured == pytest.approx(snr_db, abs=1e-3)
    if noise_size == 100:
        np.testing.assert_allclose(added[:100], added[100:200], atol=1e-6)


def test_pauses_do_not_lower_the_power_of_speech():
    word, silence = sine(300), np.zeros(3 * RATE, np.float32)
    assert active_power(word) == pytest.approx(0.125, rel=1e-3)
    padded = np.concatenate([silence, word, silence + 1e-4])
    assert active_power(padded) == pytest.approx(0.125, rel=1e-3)
    assert active_power(silence) == 0
    assert active_power(word[:5]) == pytest.approx(np.mean(word[:5] ** 2))


def test_without_speech_or_noise_nothing_is_added():
    speech, silence = sine(440), np.zeros(100, np.float32)
    np.testing.assert_array_equal(add_noise(speech, silence, 10), speech)
    np.testing.assert_array_equal(add_noise(speech, silence[:0], 10), speech)
    np.testing.assert_array_equal(add_noise(silence, noise_of(100), 10), silence)


@pytest.mark.parametrize(("by", "expected"), [(0, [1, 2, 3, 4]), (1, [0, 1, 2, 3]), (-3, [4, 0, 0, 0])])
def test_shift(by, expected):
    given = np.array([1, 2, 3, 4], np.float32)
    np.testing.assert_array_equal(shift_time(given, by / RATE), expected)
    assert not shift_time(given, 9 / RATE).any()
    assert not shift_time(given, -9 / RATE).any()


@pytest.mark.parametrize("factor", [0.5, 0.83, 0.97, 1.01, 1.25, 1.5])
def test_speed_moves_the_pitch_and_keeps_the_amplitude(factor):
    changed = change_speed(sine(1000), factor)
    assert len(changed) == round(RATE / factor)
    assert peak_hz(changed) == pytest.approx(1000 * factor, rel=1e-3)
    middle = changed[1000:-1000]
    assert np.abs(middle).max() == pytest.approx(0.5, rel=0.02)


def test_speed_does_not_alias():
    """At twice the speed, 6 kHz would become 12 kHz, which has no place below 8 kHz."""
    assert np.abs(change_speed(sine(6000), 2)[500:-500]).max() < 0.005


@pytest.mark.parametrize("factor", [0, -1, 0.2, 5, float("nan")])
def test_an_impossible_speed_is_refused(factor):
    with pytest.raises(ConfigError, match="factor: got"):
        change_speed(sine(100), factor)


@pytest.mark.parametrize("size", [1, 50, 3000])
@pytest.mark.parametrize("length", [1, 200, 4000])
def test_room_is_a_convolution(size, length):
    """The whole convolution, cut at the length of the samples, with their largest absolute value."""
    samples, response = noise_of(size), noise_of(length, seed=1)
    expected = fftconvolve(samples.astype(float), response.astype(float))[:size]
    expected *= np.abs(samples).max() / np.abs(expected).max()
    np.testing.assert_allclose(add_room(samples, response), expected, atol=1e-6)


def test_an_empty_room_changes_nothing():
    samples = noise_of(1000)
    np.testing.assert_allclose(add_room(samples, np.array([1.0])), samples, atol=1e-7)


@pytest.mark.parametrize("seconds", [0.2, 0.5])
def test_the_sound_of_a_room_decays_by_60_db(seconds):
    """The slope of the energy that is still to come (Schroeder), between -5 and -25 dB."""
    response = room_response(drawn(3), seconds).astype(np.float64)
    assert response[0] == 1
    assert not response[1 : round(0.002 * RATE)].any()
    tail = response[1:] ** 2
    assert 10 * np.log10(tail.sum()) == pytest.approx(-3, abs=1e-3)
    remaining = 10 * np.log10(np.cumsum(tail[::-1])[::-1] / tail.sum())
    first, last = (np.argmax(remaining < level) for level in (-5, -25))
    assert 3 * (last - first) / RATE == pytest.approx(seconds, rel=0.1)
    with pytest.raises(ConfigError, match="seconds: got 0"):
        room_response(drawn(), 0)


@pytest.mark.parametrize("mask", [mask_times, mask_bands])
def test_masks_are_means_of_their_bands(mask):
    frames = drawn(1).standard_normal((60, 40)).astype(np.float32)
    masked = mask(frames, 2, 7, drawn(2))
    changed = masked != frames
    lines = changed.any(axis=1) if mask is mask_times else changed.any(axis=0)
    assert 0 < lines.sum() <= 14
    assert 1 <= np.count_nonzero(np.diff(np.pad(lines.astype(int), 1)) == 1) <= 2
    means = np.broadcast_to(frames.mean(axis=0), frames.shape)
    np.testing.assert_allclose(masked[changed], means[changed], atol=1e-6)
    assert np.count_nonzero(changed) == lines.sum() * changed.shape[mask is mask_times]


@pytest.mark.parametrize(("mask", "axis"), [(mask_times, 0), (mask_bands, 1)])
def test_widths_and_positions_of_masks_are_uniform(mask, axis):
    frames = drawn(0).standard_normal((30, 30)).astype(np.float32)
    draw, widths, covered = drawn(5), np.zeros(5), np.zeros(30)
    for _ in range(2000):
        lines = (mask(frames, 1, 4, draw) != frames).any(axis=1 - axis)
        widths[lines.sum()] += 1
        covered += lines
    assert (np.abs(widths / 2000 - 0.2) < 0.04).all()
    assert covered.min() > 0
    assert covered[4:-4].std() < 0.15 * covered[4:-4].mean()


@pytest.mark.parametrize("mask", [mask_times, mask_bands])
@pytest.mark.parametrize("shape", [(0, 4), (1, 4), (3, 1), (5, 0)])
def test_masks_of_few_frames(mask, shape):
    masked = mask(np.ones(shape, np.float32), 3, 100, drawn())
    np.testing.assert_array_equal(masked, np.ones(shape))


def test_bad_masks_are_refused():
    with pytest.raises(ShapeError, match=r"frames: got shape \(3,\)"):
        mask_times(np.zeros(3), 1, 1, drawn())
    with pytest.raises(ConfigError, match="count, width"):
        mask_bands(np.zeros((3, 3)), -1, 1, drawn())


def test_without_ranges_nothing_changes_to_the_bit():
    samples, frames = noise_of(999), drawn(1).standard_normal((20, 8)).astype(np.float32)
    np.testing.assert_array_equal(Augmentation().of(samples, drawn(), noise_of(50)), samples)
    np.testing.assert_array_equal(Augmentation().mask(frames, drawn()), frames)


def test_a_seed_decides_everything():
    samples, noise, frames = sine(300), noise_of(5000), np.eye(50, dtype=np.float32)
    first, again, other = (EVERYTHING.of(samples, drawn(seed), noise) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert len(first) != len(other) or (first != other).any()
    np.testing.assert_array_equal(*(EVERYTHING.mask(frames, drawn(4)) for _ in range(2)))


def test_values_are_drawn_from_their_ranges():
    samples, draw = sine(1000, 0.5), drawn(6)
    gains = [
        np.abs(Augmentation(gain_db=(-20, -10)).of(samples, draw)).max() / np.abs(samples).max()
        for _ in range(200)
    ]
    assert 0.1 <= min(gains) < 0.12
    assert 0.29 < max(gains) <= 10**-0.5 + 1e-6
    lengths = {len(Augmentation(speed=(0.9, 1.1)).of(samples, draw)) for _ in range(200)}
    assert min(lengths) == round(len(samples) / 1.1)
    assert max(lengths) == round(len(samples) / 0.9)
    quiet = Augmentation(snr_db=(10, 10), noise_probability=0.25)
    changed = [(quiet.of(samples, draw, noise_of(90)) != samples).any() for _ in range(400)]
    assert np.mean(changed) == pytest.approx(0.25, abs=0.07)
    in_rooms = Augmentation(room_probability=0.25, room_s=(0.05, 0.1))
    changed = [(in_rooms.of(samples[:800], draw) != samples[:800]).any() for _ in range(400)]
    assert np.mean(changed) == pytest.approx(0.25, abs=0.07)


def test_noise_begins_anywhere():
    noise, samples = np.linspace(0.1, 1, 9000, dtype=np.float32), np.full(10, 0.5, np.float32)
    draw = drawn(7)
    added = [Augmentation(snr_db=(0, 0)).of(samples, draw, noise) - samples for _ in range(50)]
    growths = [float((part[-1] - part[0]) / part.mean()) for part in added]
    assert min(growths) > 0
    assert max(growths) > 3 * min(growths)


def test_all_errors_are_told_at_once():
    with pytest.raises(ConfigError) as caught:
        Augmentation(
            speed=(0, 1), gain_db=(3, 1), snr_db=(0, float("inf")), room_probability=2, time_masks=-1, rate=0
        )
    told = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in told] == [
        *("snr_db", "gain_db", "speed", "room_probability", "time_masks", "rate")
    ]
